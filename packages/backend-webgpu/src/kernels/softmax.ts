import { type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type ErrorBound, type KernelSample, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue, convert, loadFunction } from '../wgsl/elements.js';
import { joinLargest, joinSum, lanesFor, rowsDispatch } from '../wgsl/rows.js';
import { attrOf, axisOf, op } from './ops.js';
import { axisRuns, rowLength } from './reduce.js';
import { f32, sample } from './samples.js';

/**
 * `softmax(x)[k] = exp(x[k] - max x) / Σ exp(x - max x)` along an axis, and its logarithm. As in torch a row of
 * nothing but -∞ gives NaN; `_safe_softmax`, which attention uses, gives 0 there.
 */
const bound: ErrorBound = { absolute: 1e-6, relative: 2 ** -17 };

function supports(node: Node): Verdict {
  const { dtype } = node.results[0]!.type;
  return dtype === 'f32' ? yes : no(`the result is ${dtype}, expected f32`);
}

type Form = 'softmax' | 'logarithm' | 'safe';

function emit(node: Node, form: Form, target: WebGPUTarget): Dispatch {
  const input = node.operands[0]!;
  const output = node.results[0]!;
  const rank = input.type.shape.length;
  const axes = rank === 0 ? [] : [axisOf(attrOf<number>(node, 'dim'), rank)];
  const runs = axisRuns(rank, axes);
  const lanes = lanesFor(target, rowLength(input, axes));
  const x = convert('load_x(place(row, k))', knownLayout(input.type.dtype).scalar, 'f32');
  return rowsDispatch({
    label: lanes === 1 ? 'softmax rows' : `softmax ${lanes} lanes`,
    lanes,
    bindings: [bindValue('x', input), bindValue('y', output, 'read_write')],
    parameters: runs.parameters,
    declarations: `${loadFunction('x', input.type.dtype)}\n${runs.place}`,
    joins: { largest: joinLargest, sum: joinSum },
    body: `var m = -infinity();
for (var k = first; k < P.count; k += LANES) { m = maximum(m, ${x}); }
let largest = join_largest(m);
var s = 0.0;
for (var k = first; k < P.count; k += LANES) { s += exponential(${x} - largest); }
let total = join_sum(s);
${form === 'logarithm' ? 'let scale = logarithm(total);' : 'let scale = 1.0 / total;'}
for (var k = first; k < P.count; k += LANES) {
  let i = place(row, k);
  let v = ${convert('load_x(i)', knownLayout(input.type.dtype).scalar, 'f32')} - largest;
  y[i] = ${results[form]};
}`,
    rows: (sizes) => {
      const count = runs.values(sizes.shape(input))['count']!;
      return count === 0 ? 0 : sizes.count(input) / count;
    },
    values: (sizes) => runs.values(sizes.shape(input)),
  });
}

/** What is written for `v = x - largest`. */
const results: Readonly<Record<Form, string>> = {
  softmax: 'exponential(v) * scale',
  logarithm: 'v - scale',
  safe: 'select(exponential(v) * scale, 0.0, is_inf(largest) && largest < 0.0)',
};

const named: Readonly<Record<string, Form>> = {
  _softmax: 'softmax',
  'softmax.int': 'softmax',
  _safe_softmax: 'safe',
  _log_softmax: 'logarithm',
  'log_softmax.int': 'logarithm',
};

const samplesFor = (attrs: Readonly<Record<string, unknown>>): readonly KernelSample[] => [
  { operands: { self: f32(3, 70) }, attrs: { ...attrs, dim: -1 } },
  { operands: { self: f32(5, 3, 2) }, attrs: { ...attrs, dim: 1 } },
  { operands: { self: sample('f32', [4, 3], [100, -100, 0, -Infinity, 1, -Infinity, NaN, 1, 2, -Infinity]) }, attrs: { ...attrs, dim: 1 } },
  { operands: { self: f32() }, attrs: { ...attrs, dim: 0 } },
  { operands: { self: f32(0, 3) }, attrs: { ...attrs, dim: 0 } },
];

/** The kernels of this family. */
export const softmaxKernels: readonly WebGPUKernel[] = Object.entries(named).map(([name, form]) =>
  defineKernel({
    name: `softmax/aten.${name}`,
    op: op(`aten.${name}`),
    error: bound,
    samples: samplesFor(['_softmax', '_log_softmax'].includes(name) ? { half_to_float: false } : {}),
    supports,
    emit: (node, target) => [emit(node, form, target)],
  }),
);
