import { type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type KernelSample, type SampleTensor, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { indexing, rowMajor } from '../wgsl/indexing.js';
import { mapDispatch } from '../wgsl/map.js';
import { rankOf } from './gather.js';
import { attrOf, op } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * `self[…, mask] = values` and `+=`, where every true place of the mask gets the same: `x` where the mask is false, else
 * what is written. Values that differ from place to place would need the number of true places before each.
 */
interface Masked {
  /** The first axis that the mask covers. */
  readonly first: number;
  readonly covered: number;
  /** The axis of `values` that runs over the true places; negative when it has none. */
  readonly places: number;
}

function maskedOf(node: Node): Masked | undefined {
  const given = node.operandList('indices').flatMap((v, i) => (v === undefined ? [] : [[v, i] as const]));
  const [mask, first] = given[0] ?? [];
  if (mask === undefined || given.length > 1 || mask.type.dtype !== 'bool') return undefined;
  const covered = rankOf(mask);
  const kept = rankOf(node.operand('self')) - covered;
  return { first: first!, covered, places: first! - (kept + 1 - rankOf(node.operand('values'))) };
}

function supports(node: Node): Verdict {
  const masked = maskedOf(node);
  if (masked === undefined) return no('the indices are not one mask');
  const { shape } = node.operand('values').type;
  return masked.places < 0 || shape[masked.places] === 1 ? yes : no('the values differ between the true places of the mask');
}

function emit(node: Node): Dispatch {
  const { first, covered, places } = maskedOf(node)!;
  const [self, values] = [node.operand('self'), node.operand('values')];
  const mask = node.operandList('indices')[first]!;
  const rank = rankOf(self);
  const axes = Array.from({ length: rank }, (_, a) => a);
  const inMask = (a: number): boolean => a >= first && a < first + covered;
  const index = indexing(self.type.shape, [
    { strides: (sizes) => axes.map((a) => (inMask(a) ? rowMajor(sizes.shape(mask))[a - first]! : 0)) },
    {
      strides: (sizes) => {
        const shape = sizes.shape(values);
        const strides = rowMajor(shape).map((s, a) => (shape[a] === 1 ? 0 : s));
        const kept = places < 0 ? strides : strides.toSpliced(places, 1);
        const padded = [...new Array<number>(rank - covered - kept.length).fill(0), ...kept];
        return axes.map((a) => (inMask(a) ? 0 : padded[a < first ? a : a - covered]!));
      },
    },
  ]);
  const sum = knownLayout(self.type.dtype).scalar === 'bool' ? 'x || v' : 'x + v';
  return mapDispatch({
    label: 'masked put',
    inputs: [
      ['x', self],
      ['mask', mask],
      ['values', values],
    ],
    output: node.result,
    parameters: index.parameters,
    values: index.values,
    element: `${index.coordinates}
let x = load_x(i);
let v = load_values(${index.at[1]});
if (!load_mask(${index.at[0]})) { return x; }
return ${attrOf<boolean>(node, 'accumulate') ? sum : 'v'};`,
  });
}

const mask = (...shape: number[]): SampleTensor => sample('bool', shape, [1, 0, 0, 1, 1]);
const samples: readonly KernelSample[] = [
  { operands: { self: f32(3, 5), indices: [mask(3, 5)], values: f32() } },
  { operands: { self: f32(3, 5), indices: [mask(3, 5)], values: f32(1) }, attrs: { accumulate: true } },
  { operands: { self: f32(3, 5, 2), indices: [undefined, mask(5)], values: f32(3, 1, 2) } },
  { operands: { self: f32(3, 5, 2), indices: [mask(3)], values: f32(2) }, attrs: { accumulate: true } },
  { operands: { self: f32(2, 3, 5, 2), indices: [undefined, mask(3, 5)], values: f32(2, 1, 1) } },
  { operands: { self: sample('i8', [9]), indices: [mask(9)], values: sample('i8', [], [5]) } },
];

/** The kernel of this family. */
export const maskedPutKernels: readonly WebGPUKernel[] = [
  defineKernel({
    name: 'masked-put/aten.index_put',
    op: op('aten.index_put'),
    error: exact,
    samples,
    supports,
    emit: (node) => [emit(node)],
  }),
];
