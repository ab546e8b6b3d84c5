import { type Dim, type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type ErrorBound, type KernelSample, type WebGPUKernel } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue, loadFunction } from '../wgsl/elements.js';
import { joinSum, lanesFor, rowsDispatch } from '../wgsl/rows.js';
import { attrOf, op, present } from './ops.js';
import { rowLength } from './reduce.js';
import { f32, sample } from './samples.js';

/**
 * Layer and RMS norms over the last axes: `y = (x - mean) / sqrt(variance + eps) · weight + bias`; for RMS
 * `y = x / sqrt(mean(x²) + eps) · weight`. The variance is that of the centred row, in a second pass: E[x²] - E[x]² cancels.
 */
const bound: ErrorBound = { absolute: 2e-6, relative: 2 ** -16, sums: true };

/** torch's default for rms_norm: the distance from 1 to the next f32. */
const EPSILON = 2 ** -23;

const axesOf = (node: Node): readonly number[] => {
  const rank = node.operand('input').type.shape.length;
  const count = attrOf<readonly Dim[]>(node, 'normalized_shape').length;
  return Array.from({ length: count }, (_, i) => rank - count + i);
};

const supports = (node: Node): Verdict => {
  const other = present(node).find((v) => v.type.dtype !== 'f32');
  return other === undefined ? yes : no(`an operand is ${other.type.dtype}, expected f32`);
};

function emit(node: Node, root: boolean, target: WebGPUTarget): Dispatch {
  const input = node.operand('input');
  const weight = node.operandOrNone('weight');
  const bias = root ? undefined : node.operandOrNone('bias');
  const [output, mean, rstd] = node.results;
  const axes = axesOf(node);
  const lanes = lanesFor(target, rowLength(input, axes));
  const eps = attrOf<number | undefined>(node, 'eps') ?? EPSILON;
  const scaled = `(load_x(base + k) - centre) * scale${weight === undefined ? '' : ' * load_w(k)'}${bias === undefined ? '' : ' + load_b(k)'}`;
  return rowsDispatch({
    label: lanes === 1 ? 'norm rows' : `norm ${lanes} lanes`,
    lanes,
    bindings: [
      bindValue('x', input),
      ...(weight === undefined ? [] : [bindValue('w', weight)]),
      ...(bias === undefined ? [] : [bindValue('b', bias)]),
      bindValue('y', output!, 'read_write'),
      ...(mean === undefined ? [] : [bindValue('mean', mean, 'read_write')]),
      ...(rstd === undefined ? [] : [bindValue('rstd', rstd, 'read_write')]),
    ],
    parameters: { count: 'u32', eps: 'f32' },
    declarations: [loadFunction('x', 'f32'), weight && loadFunction('w', 'f32'), bias && loadFunction('b', 'f32')]
      .filter((t) => t !== undefined)
      .join('\n'),
    joins: { sum: joinSum },
    body: `let base = row * P.count;
${root ? 'let centre = 0.0;' : 'var s = 0.0;\nfor (var k = first; k < P.count; k += LANES) { s += load_x(base + k); }\nlet centre = join_sum(s) / f32(P.count);'}
var v = 0.0;
for (var k = first; k < P.count; k += LANES) { let d = load_x(base + k) - centre; v += d * d; }
let scale = 1.0 / sqrt(join_sum(v) / f32(P.count) + P.eps);
for (var k = first; k < P.count; k += LANES) { y[base + k] = ${scaled}; }
${mean === undefined ? '' : 'if (first == 0u) { mean[row] = centre; }'}
${rstd === undefined ? '' : 'if (first == 0u) { rstd[row] = scale; }'}`,
    rows: (sizes) => {
      const count = axes.reduce((n, a) => n * sizes.shape(input)[a]!, 1);
      // Rows without elements still have statistics: NaN.
      return count > 0 ? sizes.count(input) / count : mean === undefined ? 0 : sizes.count(mean);
    },
    values: (sizes) => ({ count: axes.reduce((n, a) => n * sizes.shape(input)[a]!, 1), eps }),
  });
}

const named: Readonly<Record<string, boolean>> = { native_layer_norm: false, layer_norm: false, rms_norm: true };

const samplesFor = (root: boolean): readonly KernelSample[] => [
  { operands: { input: f32(3, 70), weight: f32(70), ...(!root && { bias: f32(70) }) }, attrs: { normalized_shape: [70], eps: 1e-5 } },
  { operands: { input: f32(2, 3, 4), weight: f32(3, 4) }, attrs: { normalized_shape: [3, 4], eps: 1e-5 } },
  { operands: { input: f32(5) }, attrs: { normalized_shape: [5], eps: 0.5 } },
  { operands: { input: sample('f32', [2, 4], [1000, 1001, 1002, 1003, 7, 7, 7, 7]) }, attrs: { normalized_shape: [4], eps: 1e-5 } },
];

/** The kernels of this family. */
export const layerNormKernels: readonly WebGPUKernel[] = Object.entries(named).map(([name, root]) =>
  defineKernel({
    name: `norm/aten.${name}`,
    op: op(`aten.${name}`),
    error: bound,
    samples: samplesFor(root),
    supports,
    emit: (node, target) => [emit(node, root, target)],
  }),
);
