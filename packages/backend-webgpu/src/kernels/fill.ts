import { boolScalar, type Dim, floatScalar, intScalar, type Node, no, type Scalar, scalarNumber, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type KernelSample, oneRounding, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { convert } from '../wgsl/elements.js';
import { mapDispatch } from '../wgsl/map.js';
import { literal } from './elementwise.js';
import { attrOf, op } from './ops.js';
import { f32 } from './samples.js';

/** Tensors made from numbers: one value everywhere, a range, a size. The `_like` and `new_` forms decompose into these. */
const constantFills: Readonly<Record<string, string>> = {
  full: 'fill_value',
  'fill.Scalar': 'value',
  scalar_tensor: 's',
};

function fill(node: Node, value: string): Dispatch {
  const output = node.results[0]!;
  const { scalar } = knownLayout(output.type.dtype);
  return mapDispatch({ label: 'fill', inputs: [], output, element: `return ${literal(attrOf<Scalar>(node, value), scalar)};` });
}

const isSize = (value: unknown): value is Dim => !(typeof value === 'object' && value !== null && 'kind' in value);
const numberOf = (value: Scalar | Dim | undefined, fallback: number, sizes: Sizes): number =>
  value === undefined ? fallback : isSize(value) ? sizes.dim(value) : scalarNumber(value);

/** `start + i · step`, as torch computed with one multiplication and one addition. */
function range(node: Node): Dispatch {
  const output = node.results[0]!;
  const { scalar } = knownLayout(output.type.dtype);
  const type = scalar === 'f32' ? 'f32' : 'i32';
  const attr = (name: string): Scalar | Dim | undefined => attrOf(node, name);
  return mapDispatch({
    label: 'range',
    inputs: [],
    output,
    parameters: { start: type, step: type },
    values: (sizes) => ({ start: numberOf(attr('start'), 0, sizes), step: numberOf(attr('step'), 1, sizes) }),
    element: `return ${convert(`P.start + ${type}(i) * P.step`, type, scalar)};`,
  });
}

function size(node: Node): Dispatch {
  const output = node.results[0]!;
  return mapDispatch({
    label: 'size',
    inputs: [],
    output,
    parameters: { size: 'i32' },
    values: (sizes) => ({ size: sizes.dim(attrOf<Dim>(node, 's')) }),
    element: `return ${convert('P.size', 'i32', knownLayout(output.type.dtype).scalar)};`,
  });
}

const wholeRange = (node: Node): Verdict => {
  const float = ['start', 'end', 'step'].some(
    (name) => (attrOf<Scalar | undefined>(node, name) as { kind?: string } | undefined)?.kind === 'float',
  );
  return float && knownLayout(node.results[0]!.type.dtype).scalar !== 'f32' ? no('a range of integers with a float bound') : yes;
};

/** The shape lists: the attributes of ops that make a tensor from nothing. */
const samples: Readonly<Record<string, readonly Readonly<Record<string, unknown>>[]>> = {
  full: [
    { size: [3, 5], fill_value: floatScalar(-Infinity) },
    { size: [], fill_value: intScalar(-7) },
    { size: [131], fill_value: floatScalar(Number.NaN) },
    { size: [3], fill_value: boolScalar(true) },
    { size: [5], fill_value: intScalar(-3), dtype: 'i8' },
    { size: [0, 3], fill_value: intScalar(0) },
  ],
  'fill.Scalar': [{ value: floatScalar(2.5) }],
  scalar_tensor: [{ s: floatScalar(2.5) }],
  arange: [{ end: intScalar(67) }, { end: floatScalar(4.5) }, { end: intScalar(0) }],
  'arange.start': [{ start: intScalar(-3), end: intScalar(9) }],
  'arange.start_step': [
    { start: intScalar(9), end: intScalar(-9), step: intScalar(-2) },
    { start: floatScalar(0), end: floatScalar(1), step: floatScalar(0.125) },
  ],
  'arange.sym': [{ start: 1, end: 9, step: 2 }],
  'scalar_tensor.sym': [{ s: 12 }, { s: 3, dtype: 'f32' }],
};
const samplesFor = (name: string): readonly KernelSample[] =>
  (samples[name] ?? []).map((attrs): KernelSample => ({
    operands: op(`aten.${name}`).operandNames.length === 0 ? {} : { self: f32(3, 5) },
    attrs,
  }));

const make = (name: string, emit: (node: Node) => Dispatch, supports: (node: Node) => Verdict = () => yes): readonly WebGPUKernel[] => [
  defineKernel({
    name: `fill/aten.${name}`,
    op: op(`aten.${name}`),
    error: oneRounding,
    samples: samplesFor(name),
    supports,
    emit: (node) => [emit(node)],
  }),
];

/** The kernels of this family. */
export const fillKernels: readonly WebGPUKernel[] = [
  ...Object.entries(constantFills).flatMap(([name, value]) => make(name, (node) => fill(node, value))),
  ...['arange', 'arange.start', 'arange.start_step', 'arange.sym'].flatMap((name) => make(name, range, wholeRange)),
  ...make('scalar_tensor.sym', size),
];
