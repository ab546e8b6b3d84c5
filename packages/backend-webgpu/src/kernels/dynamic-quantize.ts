import { fused } from '@qfuse/ops';
import { countOf, type Dim, isStatic, type Node, no, type Verdict } from '@qfuse/plugin';
import { type Cost, defineKernel, type Dispatch, exact, type KernelSample, type Sizes, type WebGPUKernel } from '../kernel.js';
import { storageBytes } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { type DynamicQuantizeInit, quantizePieces, quantizeRows } from '../wgsl/dynamic-quantize.js';
import { piecesOf } from '../wgsl/ranges.js';
import { choosesInF32, hardRows } from './choose-qparams.js';
import { axisOf } from './ops.js';
import { sample } from './samples.js';

/**
 * `fused.dynamic_quantize`: scales, zero points and integers of rows in one dispatch, of a large tensor with one scale in two. Results
 * equal those of `quant.choose_qparams` and `quant.quantize` bit for bit, see `wgsl/qparams.ts`.
 */
type QuantizeNode = Node<typeof fused.DynamicQuantize>;

/** Number of elements that share a scale and follow one another; undefined for granularities in which they do not. */
function widthOf(node: QuantizeNode): Dim | undefined {
  const { granularity, axis, group_size: size } = node.attrs;
  const { shape } = node.operand('input').type;
  if (granularity === 'row') return shape.at(-1);
  if (granularity === 'group') return axisOf(axis!, shape.length) === shape.length - 1 ? size : undefined;
  return granularity === 'tensor' && isStatic(shape) ? countOf(shape) : undefined;
}

function supports(node: QuantizeNode): Verdict {
  const { attrs } = node;
  if (attrs.quantize_compute !== 'f32') return no(`the integers are computed in ${attrs.quantize_compute}, expected f32`);
  if (attrs.granularity !== 'tensor' && widthOf(node) === undefined)
    return no(`elements that share a scale do not follow one another (granularity "${attrs.granularity}")`);
  return choosesInF32(node.operand('input'), node.results[1]!, attrs);
}

function emit(node: QuantizeNode, target: WebGPUTarget): readonly Dispatch[] {
  const input = node.operand('input');
  const [codes, scale, zero] = node.results as [DynamicQuantizeInit['codes'], DynamicQuantizeInit['scale'], DynamicQuantizeInit['zero']];
  const init: DynamicQuantizeInit = { input, codes, scale, zero, formula: node.attrs, env: node.graph.env };
  const pieces = node.attrs.granularity === 'tensor' ? piecesOf(input, target) : undefined;
  return pieces === undefined ? [quantizeRows(init, widthOf(node)!, target)] : quantizePieces(init, pieces);
}

/** Floats are read once where registers hold a row; the ranges of pieces are small. */
function cost(node: QuantizeNode, sizes: Sizes): Cost {
  const count = sizes.count(node.operand('input'));
  const results = node.results.reduce((sum, v) => sum + storageBytes(v.type.dtype, sizes.count(v)), 0);
  return { bytes: 4 * count + results, operations: 6 * count };
}

const values = [0.5, -1.25, 3, -0.75, 2.5, 1e-3, -7, 0.1, 4.75, -0.3];
const grid = { mapping: 'asymmetric', qmin: -128, qmax: 127, dtype: 'i8' };
const rows = { granularity: 'row', ...grid };
const byZero = (zero_point_dtype: string) => ({ ...rows, zero_point_dtype });

const samples: readonly KernelSample[] = [
  { operands: { input: hardRows }, attrs: rows },
  { operands: { input: hardRows }, attrs: { ...byZero('i8'), zero_point_rule: 'smaller_error' } },
  { operands: { input: sample('f32', [5, 20], values) }, attrs: byZero('i64') },
  { operands: { input: hardRows }, attrs: byZero('f32') },
  { operands: { input: hardRows }, attrs: { ...rows, mapping: 'symmetric', qmin: -127, eps: 1e-5 } },
  { operands: { input: hardRows }, attrs: { ...rows, mapping: 'symmetric_no_clipping_err', qmin: 0, qmax: 15, round_last: true } },
  { operands: { input: sample('f32', [2, 3, 37], values) }, attrs: rows },
  { operands: { input: sample('f32', [7, 6], values) }, attrs: byZero('i8') },
  { operands: { input: sample('f32', [3, 260], values) }, attrs: { ...rows, dtype: 'u8', qmin: 0, qmax: 255, round_last: true } },
  { operands: { input: sample('f32', [5, 12], values) }, attrs: { ...rows, dtype: 'i4', qmin: -8, qmax: 7 } },
  { operands: { input: sample('f32', [3, 5], values) }, attrs: { ...rows, dtype: 'i32' } },
  { operands: { input: sample('f32', [4, 12], values) }, attrs: { ...grid, granularity: 'group', axis: -1, group_size: 4 } },
  { operands: { input: sample('f32', [3, 7], values) }, attrs: { ...grid, granularity: 'tensor', zero_point_dtype: 'i8' } },
  { operands: { input: sample('f32', [], [-3]) }, attrs: { ...grid, granularity: 'tensor' } },
  { operands: { input: sample('f32', [11, 41, 47], values) }, attrs: { ...grid, granularity: 'tensor', zero_point_dtype: 'i8' } },
  { operands: { input: sample('f32', [160, 128], values) }, attrs: { ...grid, granularity: 'tensor' } },
  { operands: { input: sample('f32', [2, 9001], values) }, attrs: rows },
  { operands: { input: sample('f32', [0, 8]) }, attrs: rows },
];

export const dynamicQuantizeKernels: readonly WebGPUKernel[] = [
  defineKernel({ name: 'quantize/fused.dynamic_quantize', op: fused.DynamicQuantize, error: exact, samples, supports, emit, cost }),
];
