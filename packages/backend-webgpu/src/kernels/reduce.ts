import { countOf, type DType, isStatic, type Node, no, type Value, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type ErrorBound, type KernelSample, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout, type ScalarType } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue, convert, loadFunction } from '../wgsl/elements.js';
import { type Join, lanesFor, rowsDispatch } from '../wgsl/rows.js';
import { attrOf, axisOf, op } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * Reductions over some or all axes: `y[kept] = finish(combine over reduced of x)`. A row is one element of the result.
 * Neighbouring axes that are both reduced or both kept count as one.
 */
interface Reduction {
  /** The identity of the reduction for a type; undefined when it cannot be computed in it. */
  readonly start: (type: ScalarType) => string | undefined;
  /** An expression over `a` (so far) and `b` (the next). */
  readonly combine: (type: ScalarType) => string;
  /** An expression over `y`, with `P.count` the number of elements reduced. */
  readonly finish?: string;
  /** The type of the computation is bool: elements are converted with "not zero". */
  readonly truth?: boolean;
}

const reductionError: ErrorBound = { absolute: 1e-6, relative: 2 ** -17, sums: true };
const lowest: Record<ScalarType, string | undefined> = { f32: '-infinity()', i32: 'i32(-2147483647 - 1)', u32: '0u', bool: 'false' };
const highest: Record<ScalarType, string | undefined> = { f32: 'infinity()', i32: '2147483647i', u32: '4294967295u', bool: 'true' };

const sum: Reduction = { start: (t) => (t === 'bool' ? undefined : `${t}(0)`), combine: () => 'a + b' };
const mean: Reduction = { ...sum, start: (t) => (t === 'f32' ? '0.0' : undefined), finish: 'y / f32(P.count)' };
const prod: Reduction = { start: (t) => (t === 'bool' ? undefined : `${t}(1)`), combine: () => 'a * b' };
const amax: Reduction = {
  start: (t) => lowest[t],
  combine: (t) => (t === 'f32' ? 'maximum(a, b)' : t === 'bool' ? 'a || b' : 'max(a, b)'),
};
const amin: Reduction = {
  start: (t) => highest[t],
  combine: (t) => (t === 'f32' ? 'minimum(a, b)' : t === 'bool' ? 'a && b' : 'min(a, b)'),
};
const any: Reduction = { start: () => 'false', combine: () => 'a || b', truth: true };
const all: Reduction = { start: () => 'true', combine: () => 'a && b', truth: true };

const reductions: Readonly<Record<string, Reduction>> = {
  sum,
  'sum.dim_IntList': sum,
  mean,
  'mean.dim': mean,
  prod,
  'prod.dim_int': prod,
  amax,
  amin,
  max: amax,
  min: amin,
  any,
  'any.dim': any,
  'any.dims': any,
  all,
  'all.dim': all,
  'all.dims': all,
};

/** Axes that a node reduces; all of them when it names none. */
export function reducedAxes(node: Node, rank: number): readonly number[] {
  const given = attrOf<number | readonly number[] | undefined>(node, 'dim');
  const list = given === undefined ? [] : typeof given === 'number' ? [given] : given;
  return list.length === 0 ? Array.from({ length: rank }, (_, i) => i) : list.map((d) => axisOf(d, rank)).filter((d) => d < rank);
}

/** Runs of neighbouring axes of the input, kept or reduced; index arithmetic over them is all that a reduction needs. */
export interface AxisRuns {
  readonly runs: readonly { readonly reduced: boolean; readonly axes: readonly number[] }[];
  /** WGSL: the function `place(row, k)`, the index of element `k` of a row. */
  readonly place: string;
  readonly parameters: Readonly<Record<string, 'u32'>>;
  readonly values: (shape: readonly number[]) => Record<string, number>;
}

/** Index arithmetic for reducing `axes` of a tensor of rank `rank`. */
export function axisRuns(rank: number, axes: readonly number[]): AxisRuns {
  const runs: { reduced: boolean; axes: number[] }[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const reduced = axes.includes(axis);
    if (runs.at(-1)?.reduced === reduced) runs.at(-1)!.axes.push(axis);
    else runs.push({ reduced, axes: [axis] });
  }
  const lines = ['var r = row;', 'var q = k;', 'var at = 0u;'];
  for (let i = runs.length - 1; i >= 0; i--) {
    const from = runs[i]!.reduced ? 'q' : 'r';
    const outermost = !runs.slice(0, i).some((run) => run.reduced === runs[i]!.reduced);
    lines.push(outermost ? `at += ${from} * P.stride${i};` : `at += (${from} % P.size${i}) * P.stride${i};\n  ${from} /= P.size${i};`);
  }
  const product = (shape: readonly number[], list: readonly number[]): number => list.reduce((n, a) => n * shape[a]!, 1);
  return {
    runs,
    place: `fn place(row: u32, k: u32) -> u32 {\n  ${lines.join('\n  ')}\n  return at;\n}`,
    parameters: Object.fromEntries(['count', ...runs.flatMap((_, i) => [`size${i}`, `stride${i}`])].map((n) => [n, 'u32'] as const)),
    values: (shape) => {
      const out: Record<string, number> = { count: product(shape, axes) };
      let stride = 1;
      for (let i = runs.length - 1; i >= 0; i--) {
        out[`size${i}`] = product(shape, runs[i]!.axes);
        out[`stride${i}`] = stride;
        stride *= out[`size${i}`]!;
      }
      return out;
    },
  };
}

/** Number of elements in a row, when every reduced dim is a number. */
export const rowLength = (value: Value, axes: readonly number[]): number | undefined => {
  const dims = axes.map((a) => value.type.shape[a]!);
  return isStatic(dims) ? countOf(dims) : undefined;
};

const typeOf = (node: Node, { truth }: Reduction): ScalarType =>
  truth === true ? 'bool' : knownLayout(node.results[0]!.type.dtype).scalar;

function supports(node: Node, reduction: Reduction): Verdict {
  const { dtype } = node.results[0]!.type;
  if (node.results.length !== 1) return no(`it has ${node.results.length} results`);
  if (knownLayout(dtype).perWord !== 1) return no(`results of packed ${dtype} are not supported`);
  return reduction.start(typeOf(node, reduction)) === undefined ? no(`it has no meaning for ${dtype}`) : yes;
}

/** The value of a bool or number as a word of dtype `dtype`. */
const word = (expression: string, dtype: DType): string => (dtype === 'bool' ? `select(0u, 1u, ${expression})` : expression);

function emit(node: Node, reduction: Reduction, target: WebGPUTarget): Dispatch {
  const input = node.operands[0]!;
  const output = node.results[0]!;
  const axes = reducedAxes(node, input.type.shape.length);
  const type = typeOf(node, reduction);
  const { place, parameters, values } = axisRuns(input.type.shape.length, axes);
  const lanes = lanesFor(target, rowLength(input, axes));
  const join: Join = { type, combine: reduction.combine(type) };
  const finish = convert((reduction.finish ?? 'y').replace(/\by\b/g, 'joined'), type, knownLayout(output.type.dtype).scalar);
  return rowsDispatch({
    label: lanes === 1 ? 'reduce rows' : `reduce ${lanes} lanes`,
    lanes,
    bindings: [bindValue('x', input), bindValue('y', output, 'read_write')],
    parameters,
    declarations: `${loadFunction('x', input.type.dtype)}\n${place}\nfn combine(a: ${type}, b: ${type}) -> ${type} { return ${join.combine}; }`,
    joins: { all: join },
    body: `var total = ${reduction.start(type)};
for (var k = first; k < P.count; k += LANES) { total = combine(total, ${convert('load_x(place(row, k))', knownLayout(input.type.dtype).scalar, type)}); }
let joined = join_all(total);
if (first == 0u) { y[row] = ${word(finish, output.type.dtype)}; }`,
    rows: (sizes: Sizes) => sizes.count(output),
    values: (sizes) => values(sizes.shape(input)),
  });
}

/** The shape list: rows of one element, none, and more than the lanes; kept axes on both sides. */
function samplesFor(name: string, { truth }: Reduction): readonly KernelSample[] {
  const whole = !/[.]/.test(name) && !name.startsWith('a');
  const one = name.endsWith('.dim_int') || name === 'any.dim' || name === 'all.dim';
  const dims = (...axes: number[]): Readonly<Record<string, unknown>> =>
    whole || name === 'any' || name === 'all' ? {} : { dim: one ? axes[0]! : axes };
  const empty = name.startsWith('a') && truth !== true ? [] : [f32(0)];
  return [
    { operands: { self: f32(3, 5, 70) }, attrs: dims(2) },
    { operands: { self: f32(70, 3) }, attrs: { ...dims(0), ...(Object.keys(dims(0)).length > 0 && { keepdim: true }) } },
    { operands: { self: f32(2, 3, 2, 5) }, attrs: dims(-1, 1) },
    ...(truth === true
      ? [
          { operands: { self: sample('bool', [3, 4]) }, attrs: dims(1) },
          { operands: { self: sample('f32', [4], [0, NaN, 1, 0]) }, attrs: dims(0) },
        ]
      : [{ operands: { self: sample('f32', [3, 3], [1, NaN, 2, -Infinity]) }, attrs: dims(1) }]),
    ...(name.startsWith('mean') ? [] : [{ operands: { self: sample('i64', [4, 3], [1, -2, 3]) }, attrs: dims(0) }]),
    ...(name === 'max' || name === 'min' ? [] : empty.map((self) => ({ operands: { self }, attrs: dims(0) }))),
  ];
}

/** The kernels of this family. */
export const reduceKernels: readonly WebGPUKernel[] = Object.entries(reductions).map(([name, reduction]) =>
  defineKernel({
    name: `reduce/aten.${name}`,
    op: op(`aten.${name}`),
    error: reductionError,
    samples: samplesFor(name, reduction),
    supports: (node) => supports(node, reduction),
    emit: (node, target) => [emit(node, reduction, target)],
  }),
);
