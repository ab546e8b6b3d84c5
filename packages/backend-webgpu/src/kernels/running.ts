import { type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type ErrorBound, exact, type KernelSample, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { bindValue, loadFunction } from '../wgsl/elements.js';
import { rowsDispatch } from '../wgsl/rows.js';
import { attrOf, axisOf, op } from './ops.js';
import { axisRuns } from './reduce.js';
import { extremes, f32, sample } from './samples.js';

/**
 * What has come along an axis so far: the largest or smallest element with its last position, where a NaN wins (cummax,
 * cummin), or the logarithm of the sum of exponentials (logcumsumexp). One thread takes a line.
 */
const sums: ErrorBound = { absolute: 1e-6, relative: 2 ** -17, sums: true };

function supports(node: Node): Verdict {
  const { dtype } = node.operand('self').type;
  const layout = knownLayout(dtype);
  return layout.perWord !== 1 || layout.scalar === 'bool' ? no(`elements of ${dtype} are not supported`) : yes;
}

function lines(node: Node, label: string, body: string): Dispatch {
  const self = node.operand('self');
  const rank = self.type.shape.length;
  const runs = axisRuns(rank, rank === 0 ? [] : [axisOf(attrOf<number>(node, 'dim'), rank)]);
  return rowsDispatch({
    label,
    lanes: 1,
    bindings: [bindValue('x', self), ...node.results.map((r, i) => bindValue(i === 0 ? 'y' : 'at', r, 'read_write'))],
    parameters: runs.parameters,
    declarations: `${loadFunction('x', self.type.dtype)}\n${runs.place}`,
    body,
    rows: (sizes) => {
      const count = runs.values(sizes.shape(self))['count']!;
      return count === 0 ? 0 : sizes.count(self) / count;
    },
    values: (sizes) => runs.values(sizes.shape(self)),
  });
}

function best(node: Node, better: '>=' | '<='): Dispatch {
  const float = knownLayout(node.operand('self').type.dtype).scalar === 'f32';
  const wins = float ? `is_nan(v) || (!is_nan(held) && v ${better} held)` : `v ${better} held`;
  return lines(
    node,
    'running best',
    `var held = load_x(place(row, 0u));
var position = 0u;
for (var k = first; k < P.count; k++) {
  let i = place(row, k);
  let v = load_x(i);
  if (${wins}) { held = v; position = k; }
  y[i] = held;
  at[i] = i32(position);
}`,
  );
}

const logarithms = (node: Node): Dispatch =>
  lines(
    node,
    'running logarithms',
    `var total = -infinity();
for (var k = first; k < P.count; k++) {
  let i = place(row, k);
  total = log_add_exp(total, load_x(i), 1.0);
  y[i] = total;
}`,
  );

const on = (self: ReturnType<typeof f32>, dim: number): KernelSample => ({ operands: { self }, attrs: { dim } });
const floats = [
  on(f32(3, 5, 2), 1),
  on(f32(0), 0),
  on(f32(), 0),
  on(sample('f32', [3, 4], [1, NaN, 3, 3, -Infinity, -0, 0, Infinity]), -1),
];

/** The kernels of this family. */
export const runningKernels: readonly WebGPUKernel[] = (
  [
    ['cummax', exact, (node: Node) => best(node, '>=')],
    ['cummin', exact, (node: Node) => best(node, '<=')],
    ['logcumsumexp', sums, logarithms],
  ] as const
).map(([name, error, emit]) =>
  defineKernel({
    name: `running/aten.${name}`,
    op: op(`aten.${name}`),
    error,
    samples:
      name === 'logcumsumexp' ? [...floats, on(sample('f32', [extremes.length], extremes), 0)] : [...floats, on(sample('i64', [7]), 0)],
    supports,
    emit: (node) => [emit(node)],
  }),
);
