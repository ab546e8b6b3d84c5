import { type Dim, type Node, type Scalar, scalarNumber, type Verdict, no, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { convert } from '../wgsl/elements.js';
import { mapDispatch } from '../wgsl/map.js';
import { literal } from './elementwise.js';
import { attrOf, hasOp, op } from './ops.js';

/** Tensors made from numbers: one value everywhere, a range, a size. Operands of the `_like` and `new_` forms are not read. */
const constantFills: Readonly<Record<string, 0 | 1 | string>> = {
  zeros: 0,
  zeros_like: 0,
  new_zeros: 0,
  ones: 1,
  ones_like: 1,
  new_ones: 1,
  full: 'fill_value',
  full_like: 'fill_value',
  new_full: 'fill_value',
  'fill.Scalar': 'value',
  scalar_tensor: 's',
  // Unspecified contents; zeros are as good as any, and the same in every run.
  empty: 0,
  'empty.memory_format': 0,
  empty_like: 0,
  new_empty: 0,
};

function fill(node: Node, value: 0 | 1 | string): Dispatch {
  const output = node.results[0]!;
  const { scalar } = knownLayout(output.type.dtype);
  const number: Scalar = typeof value === 'number' ? { kind: 'int', value } : attrOf<Scalar>(node, value);
  return mapDispatch({ label: 'fill', inputs: [], output, element: `return ${literal(number, scalar)};` });
}

const isSize = (value: unknown): value is Dim => !(typeof value === 'object' && value !== null && 'kind' in value);
const numberOf = (value: Scalar | Dim | undefined, fallback: number, sizes: Sizes): number => (value === undefined ? fallback : isSize(value) ? sizes.dim(value) : scalarNumber(value));

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
  const float = ['start', 'end', 'step'].some((name) => (attrOf<Scalar | undefined>(node, name) as { kind?: string } | undefined)?.kind === 'float');
  return float && knownLayout(node.results[0]!.type.dtype).scalar !== 'f32' ? no('a range of integers with a float bound') : yes;
};

const make = (name: string, emit: (node: Node) => Dispatch, supports: (node: Node) => Verdict = () => yes): readonly WebGPUKernel[] =>
  hasOp(`aten.${name}`) ? [defineKernel({ name: `fill/aten.${name}`, op: op(`aten.${name}`), error: exact, supports, emit: (node) => [emit(node)] })] : [];

/** Kernels of this family for the ops that exist. */
export const fillKernels: readonly WebGPUKernel[] = [
  ...Object.entries(constantFills).flatMap(([name, value]) => make(name, (node) => fill(node, value))),
  ...['arange', 'arange.start', 'arange.start_step', 'arange.sym'].flatMap((name) => make(name, range, wholeRange)),
  ...make('scalar_tensor.sym', size),
];
