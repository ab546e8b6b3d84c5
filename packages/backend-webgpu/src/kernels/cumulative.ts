import { type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type ErrorBound, type KernelSample, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { bindValue, convert, loadFunction } from '../wgsl/elements.js';
import { rowsDispatch } from '../wgsl/rows.js';
import { attrOf, axisOf, op } from './ops.js';
import { axisRuns } from './reduce.js';
import { f32, sample } from './samples.js';

/** Running sums and products along an axis, one thread a row: rows are short where models use them (positions, masks). */
const bound: ErrorBound = { absolute: 1e-6, relative: 2 ** -17, sums: true };

function supports(node: Node): Verdict {
  const { dtype } = node.results[0]!.type;
  const layout = knownLayout(dtype);
  return layout.perWord !== 1 || layout.scalar === 'bool' ? no(`results of ${dtype} are not supported`) : yes;
}

function emit(node: Node, sign: '+' | '*'): Dispatch {
  const input = node.operands[0]!;
  const output = node.results[0]!;
  const rank = input.type.shape.length;
  const runs = axisRuns(rank, rank === 0 ? [] : [axisOf(attrOf<number>(node, 'dim'), rank)]);
  const type = knownLayout(output.type.dtype).scalar;
  return rowsDispatch({
    label: 'scan rows',
    lanes: 1,
    bindings: [bindValue('x', input), bindValue('y', output, 'read_write')],
    parameters: runs.parameters,
    declarations: `${loadFunction('x', input.type.dtype)}\n${runs.place}`,
    body: `var total = ${type}(${sign === '+' ? 0 : 1});
for (var k = first; k < P.count; k += LANES) {
  let i = place(row, k);
  total = total ${sign} ${convert('load_x(i)', knownLayout(input.type.dtype).scalar, type)};
  y[i] = total;
}`,
    rows: (sizes) => {
      const count = runs.values(sizes.shape(input))['count']!;
      return count === 0 ? 0 : sizes.count(input) / count;
    },
    values: (sizes) => runs.values(sizes.shape(input)),
  });
}

const samples: readonly KernelSample[] = [
  { operands: { self: f32(3, 5, 2) }, attrs: { dim: 1 } },
  { operands: { self: sample('bool', [7]) }, attrs: { dim: 0 } },
  { operands: { self: sample('i64', [3, 4], [1, -2, 3]) }, attrs: { dim: -1 } },
  { operands: { self: f32(0) }, attrs: { dim: 0 } },
];

/** The kernels of this family. */
export const cumulativeKernels: readonly WebGPUKernel[] = (
  [
    ['cumsum', '+'],
    ['cumprod', '*'],
  ] as const
).map(([name, sign]) =>
  defineKernel({
    name: `cumulative/aten.${name}`,
    op: op(`aten.${name}`),
    error: bound,
    samples,
    supports,
    emit: (node) => [emit(node, sign)],
  }),
);
