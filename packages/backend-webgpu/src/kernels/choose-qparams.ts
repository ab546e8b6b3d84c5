import { quant } from '@qfuse/ops';
import { type Node, no, type Value, type Verdict } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type KernelSample, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue } from '../wgsl/elements.js';
import { exactArithmetic } from '../wgsl/exact.js';
import { canChoose, type ChooseInit, chooseFunctions, RANGE_START, rangeJoin, widen } from '../wgsl/qparams.js';
import { bindBits, bindRanges, bindZeros, piecesDispatch, piecesOf, zeroBits } from '../wgsl/ranges.js';
import { lanesFor, rowsDispatch, type RowsInit } from '../wgsl/rows.js';
import { axisOf } from './ops.js';
import { axisRuns, rowLength } from './reduce.js';
import { fixed, sample } from './samples.js';

/**
 * `quant.choose_qparams` in all granularities: the elements that share a scale are a row of a reduction. A large tensor with one
 * scale is reduced in two steps. Scales and zero points equal the reference bit for bit, see `wgsl/qparams.ts`.
 */
type ChooseNode = Node<typeof quant.ChooseQparams>;

/** What holds for all kernels that choose parameters: everything is computed in f32, from one element at least. */
export function choosesInF32(input: Value, scale: Value, attrs: ChooseInit & { readonly compute: string | undefined }): Verdict {
  for (const [what, dtype] of Object.entries({ input: input.type.dtype, arithmetic: attrs.compute ?? 'f32', scale: scale.type.dtype }))
    if (dtype !== 'f32') return no(`the ${what} is ${dtype}, expected f32`);
  if (input.type.shape.includes(0) && !scale.type.shape.includes(0)) return no('the input has no elements, expected one for each scale');
  return canChoose(attrs);
}

/** The input as a tensor of which whole axes are reduced. */
interface Reduction {
  readonly rank: number;
  readonly axes: readonly number[];
  readonly shape: (sizes: Sizes) => readonly number[];
}

function reductionOf(node: ChooseNode): Reduction {
  const input = node.operand('input');
  const rank = input.type.shape.length;
  const { granularity, axis, group_size: size, block_size: block } = node.attrs;
  const all = Array.from({ length: rank }, (_, i) => i);
  const own = axis === undefined ? -1 : axisOf(axis, rank);
  const whole = (axes: readonly number[]): Reduction => ({ rank, axes, shape: (sizes) => sizes.shape(input) });
  if (granularity === 'tensor') return whole(all);
  if (granularity === 'row') return whole([rank - 1]);
  if (granularity === 'axis') return whole(all.filter((a) => a !== own));
  // Every axis in two: which block, and where in it.
  const along = (sizes: Sizes, a: number): number => (granularity === 'block' ? sizes.dim(block![a]!) : a === own ? size! : 1);
  return {
    rank: 2 * rank,
    axes: all.map((a) => 2 * a + 1),
    shape: (sizes) => sizes.shape(input).flatMap((d, a) => [d / along(sizes, a), along(sizes, a)]),
  };
}

/**
 * A dispatch that stores scales and zero points: `visit` are statements that take all elements of `at` into `range`. A thread
 * that writes a word of packed zero points takes the rows of all of them.
 */
function chooseDispatch(
  node: ChooseNode,
  init: Pick<RowsInit, 'lanes' | 'bindings' | 'parameters' | 'values' | 'declarations'>,
  visit: string,
): Dispatch {
  const [scale, zero] = node.results as [Value, Value];
  const { perWord } = knownLayout(zero.type.dtype);
  const one = `var range = ${RANGE_START};
${visit}
let joined = join_range(range);
if (first == 0u) { let c = choose(joined); scales[at] = bitcast<f32>(c.scale); ${perWord === 1 ? 'zeros[at] = ' : 'word |= '}${zeroBits(zero)}${perWord === 1 ? '' : ` << (r * ${32 / perWord}u)`}; }`;
  return rowsDispatch({
    label: init.lanes === 1 ? 'choose rows' : `choose ${init.lanes} lanes`,
    ...init,
    bindings: [...init.bindings, bindValue('scales', scale, 'read_write'), bindZeros(zero)],
    parameters: { ...init.parameters, total: 'u32' },
    declarations: `${init.declarations ?? ''}\n${rangeJoin(init.lanes)}\n${exactArithmetic}\n${chooseFunctions(node.attrs)}`,
    body:
      perWord === 1
        ? `let at = row;\n${one}`
        : `var word = 0u;
for (var r = 0u; r < ${perWord}u; r++) {
  let at = row * ${perWord}u + r;
  if (at < P.total) {
${one}
  }
}
if (first == 0u) { zeros[row] = word; }`,
    rows: (sizes) => Math.ceil(sizes.count(scale) / perWord),
    values: (sizes) => ({ ...init.values?.(sizes), total: sizes.count(scale) }),
  });
}

function emit(node: ChooseNode, target: WebGPUTarget): readonly Dispatch[] {
  const input = node.operand('input');
  const pieces = node.attrs.granularity === 'tensor' ? piecesOf(input, target) : undefined;
  if (pieces !== undefined) {
    const of = { lanes: pieces.lanes, bindings: [bindRanges(pieces, 'read')], parameters: { pieces: 'u32' } } as const;
    const values = (sizes: Sizes): Record<string, number> => ({ pieces: pieces.number(sizes.count(input)) });
    const visit = 'for (var i = first; i < P.pieces; i += LANES) { range = max(range, ranges[i]); }';
    return [piecesDispatch(input, pieces), chooseDispatch(node, { ...of, values }, visit)];
  }
  const { rank, axes, shape } = reductionOf(node);
  const runs = axisRuns(rank, axes);
  const length = rank === input.type.shape.length ? rowLength(input, axes) : undefined;
  const of = {
    lanes: lanesFor(target, length),
    bindings: [bindBits('x', input)],
    parameters: runs.parameters,
    declarations: runs.place,
    values: (sizes: Sizes) => runs.values(shape(sizes)),
  };
  return [
    chooseDispatch(node, of, `for (var k = first; k < P.count; k += LANES) { let bits = x[place(at, k)]; ${widen('range', 'bits')} }`),
  ];
}

const values = [0.5, -1.25, 3, -0.75, 2.5, 1e-3, -7, 0.1, 4.75, -0.3];
const asymmetric = { mapping: 'asymmetric', qmin: -128, qmax: 127 };
/** Rows of zeros, of one number, of NaNs, infinities, numbers below 2^-126, and wide ones. */
export const hardRows = sample(
  'f32',
  [11, 4],
  [
    [0, 0, 0, 0],
    [3, 3, 3, 3],
    [-2, -2, -2, -2],
    [1, NaN, -1, 2],
    [1, Infinity, -1, 2],
    [1, -Infinity, 1, 2],
    [-Infinity, Infinity, 1, 2],
    [1e-40, -3e-41, 2e-39, 0],
    [3e38, -3e38, 1, 0],
    [1e-37, -1e-36, 5e-38, -0],
    [1 / 3, -1 / 7, 1e-9, 0.3],
  ].flat(),
);
const mappings = [
  asymmetric,
  { ...asymmetric, zero_point_rule: 'smaller_error' },
  { mapping: 'symmetric', qmin: -127, qmax: 127, eps: 1e-5 },
  { mapping: 'symmetric', qmin: 0, qmax: 255 },
  { mapping: 'symmetric_no_clipping_err', qmin: -8, qmax: 7, zero_point: 3 },
  { mapping: 'symmetric_no_clipping_err', qmin: 0, qmax: 15 },
] as const;

const samples: readonly KernelSample[] = [
  ...mappings.map((m) => ({ operands: { input: hardRows }, attrs: { granularity: 'row', ...m } })),
  ...(['i8', 'i64', 'f32'] as const).map((zero_point_dtype) => ({
    operands: { input: zero_point_dtype === 'i64' ? sample('f32', [5, 70], values) : hardRows },
    attrs: { granularity: 'row', ...asymmetric, zero_point_dtype },
  })),
  { operands: { input: sample('f32', [], [-3]) }, attrs: { granularity: 'tensor', ...asymmetric } },
  { operands: { input: sample('f32', [3, 41, 150], values) }, attrs: { granularity: 'tensor', ...asymmetric, zero_point_dtype: 'i8' } },
  { operands: { input: sample('f32', [3, 4, 5], values) }, attrs: { granularity: 'axis', axis: 1, ...asymmetric, zero_point_dtype: 'u8' } },
  { operands: { input: sample('f32', [4, 12], values) }, attrs: { granularity: 'group', axis: 1, group_size: 3, ...asymmetric } },
  { operands: { input: sample('f32', [4, 6], values) }, attrs: { granularity: 'group', axis: -2, group_size: 2, ...asymmetric } },
  { operands: { input: sample('f32', [4, 6], values) }, attrs: { granularity: 'block', block_size: [2, 3], ...asymmetric } },
  { operands: { input: fixed(sample('f32', [0, 5])) }, attrs: { granularity: 'row', ...asymmetric } },
];

export const chooseQparamsKernels: readonly WebGPUKernel[] = [
  defineKernel({
    name: 'quantize/quant.choose_qparams',
    op: quant.ChooseQparams,
    error: exact,
    samples,
    supports: (node) => choosesInF32(node.operand('input'), node.results[0]!, node.attrs),
    emit,
  }),
];
