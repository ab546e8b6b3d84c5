import { type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type KernelSample, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue, loadFunction } from '../wgsl/elements.js';
import { lanesFor, rowsDispatch } from '../wgsl/rows.js';
import { attrOf, op } from './ops.js';
import { axisRuns, reducedAxes, rowLength } from './reduce.js';
import { f32, sample } from './samples.js';

/**
 * The place of the largest or smallest element along an axis (argmax, argmin), and with `values` also the element
 * itself (max.dim, min.dim). Of equal ones the first counts; a NaN is larger and smaller than everything, as in torch.
 */
interface ArgReduction {
  readonly better: '>' | '<';
  readonly values: boolean;
}

const named: Readonly<Record<string, ArgReduction>> = {
  argmax: { better: '>', values: false },
  argmin: { better: '<', values: false },
  'max.dim': { better: '>', values: true },
  'min.dim': { better: '<', values: true },
};

function supports(node: Node): Verdict {
  const { dtype } = node.operands[0]!.type;
  const layout = knownLayout(dtype);
  return layout.perWord !== 1 || layout.scalar === 'bool' ? no(`elements of ${dtype} are not supported`) : yes;
}

function emit(node: Node, { better, values }: ArgReduction, target: WebGPUTarget): Dispatch {
  const input = node.operands[0]!;
  const rank = input.type.shape.length;
  const axes = attrOf<number | undefined>(node, 'dim') === undefined ? Array.from({ length: rank }, (_, i) => i) : reducedAxes(node, rank);
  const type = knownLayout(input.type.dtype).scalar;
  const indexResult = node.results[values ? 1 : 0]!;
  const runs = axisRuns(rank, axes);
  // Same value: the smaller index. Index 4294967295 marks a lane that saw nothing.
  const nan = type === 'f32' ? '(is_nan(b.value) && !is_nan(a.value)) || (!is_nan(a.value) && ' : '(';
  const wins = `${nan}(b.value ${better} a.value)) || ((b.value == a.value${type === 'f32' ? ' || (is_nan(a.value) && is_nan(b.value))' : ''}) && b.index < a.index)`;
  const lanes = lanesFor(target, rowLength(input, axes));
  return rowsDispatch({
    label: lanes === 1 ? 'search rows' : `search ${lanes} lanes`,
    lanes,
    bindings: [
      bindValue('x', input),
      bindValue('at', indexResult, 'read_write'),
      ...(values ? [bindValue('y', node.results[0]!, 'read_write')] : []),
    ],
    parameters: runs.parameters,
    declarations: `struct Best { value: ${type}, index: u32 }
${loadFunction('x', input.type.dtype)}
${runs.place}
fn choose(a: Best, b: Best) -> Best {
  if (b.index == 4294967295u) { return a; }
  if (a.index == 4294967295u || ${wins}) { return b; }
  return a;
}`,
    joins: { best: { type: 'Best', combine: 'choose(a, b)' } },
    body: `var found = Best(${type}(0), 4294967295u);
for (var k = first; k < P.count; k += LANES) { found = choose(found, Best(load_x(place(row, k)), k)); }
let best = join_best(found);
if (first == 0u) { at[row] = i32(best.index);${values ? ' y[row] = best.value;' : ''} }`,
    rows: (sizes) => sizes.count(indexResult),
    values: (sizes) => runs.values(sizes.shape(input)),
  });
}

const samples: readonly KernelSample[] = [
  { operands: { self: f32(3, 70) }, attrs: { dim: 1 } },
  { operands: { self: sample('f32', [4, 3], [1, 2, 2, NaN, 5, NaN]) }, attrs: { dim: 0 } },
  { operands: { self: sample('f32', [3, 2], [-Infinity]) }, attrs: { dim: 0, keepdim: true } },
  { operands: { self: sample('i64', [2, 5], [3, 1, 3, -4, -4]) }, attrs: { dim: -1 } },
];

/** The kernels of this family. */
export const argReduceKernels: readonly WebGPUKernel[] = Object.entries(named).map(([name, reduction]) =>
  defineKernel({
    name: `arg-reduce/aten.${name}`,
    op: op(`aten.${name}`),
    error: exact,
    samples,
    supports,
    emit: (node, target) => [emit(node, reduction, target)],
  }),
);
