import { type AnyOp, parseGraph, tensorOf } from '@qfuse/ir';
import { allOps } from '@qfuse/ops';
import { expect, test } from 'vitest';
import { runGraph } from './index.js';

// Ops that have a reference and a decomposition, in forms that torch's operator samples do not have.
const table = new Map(allOps.map((op) => [op.name, op] as const));
const decomposed = new Map(allOps.map((op) => [op.name, op.decompose === undefined ? op : { ...op, reference: undefined }] as const));

/** The numbers of all outputs of a graph over `x: f32[2, 4, 3]`, `c: f32[4]`, `v: f32[4]` (positive) and `i: i64[2]`. */
function run(lines: string, ops: ReadonlyMap<string, AnyOp>): number[][] {
  const graph = parseGraph(`graph @main(%x: f32[2, 4, 3], %c: f32[4], %v: f32[4], %i: i64[2]) {\n${lines}\n}`, {
    ops: (name) => ops.get(name),
  });
  const values = (count: number, from: number): number[] => Array.from({ length: count }, (_, k) => Math.sin(k * 1.7 + from) * 2);
  const inputs = [
    tensorOf('f32', [2, 4, 3], values(24, 0)),
    tensorOf('f32', [4], values(4, 1)),
    tensorOf('f32', [4], [0.5, 1, 2, 3]),
    tensorOf('i64', [2], [2, 0]),
  ];
  return runGraph(graph, inputs).outputs.map((t) => Array.from(t.data, Number));
}

test.each([
  `%y, %m, %r = aten._native_batch_norm_legit_no_training(%x, %c, %v, %c, %v) {eps = 0.1, momentum = 0.1} : f32[2, 4, 3], f32[0], f32[0]
  return %y, %m, %r`,
  `%y, %m, %r = aten._native_batch_norm_legit.no_stats(%x, %c, %v) {eps = 0.1, momentum = 0.1, training = true} : f32[2, 4, 3], f32[4], f32[4]
  return %y, %m, %r`,
  `%y = aten.batch_norm(%x, %c, %v, %c, %v) {eps = 0.1, momentum = 0.1, training = false} : f32[2, 4, 3]
  return %y`,
  `%y = aten.instance_norm(%x, %c, _, %c, %v) {eps = 0.1, momentum = 0.1, use_input_stats = false} : f32[2, 4, 3]
  return %y`,
  `%y = aten.instance_norm(%x, _, %c) {eps = 0.1, momentum = 0.1, use_input_stats = true} : f32[2, 4, 3]
  return %y`,
  `%y, %m, %r = aten.native_group_norm(%x, _, %c) {C = 4, HxW = 3, N = 2, eps = 0.1, group = 2} : f32[2, 4, 3], f32[2, 2], f32[2, 2]
  return %y, %m, %r`,
  `%0 = aten.slice.Tensor(%x) {dim = 2, end = 0} : f32[2, 4, 0]
  %y, %m, %r = aten.native_group_norm(%0) {C = 4, HxW = 0, N = 2, eps = 0.1, group = 2} : f32[2, 4, 0], f32[2, 2], f32[2, 2]
  return %y, %m, %r`,
  `%0 = aten.slice.Tensor(%c) {end = 3} : f32[3]
  %y = aten.cosine_similarity(%x, %0) {dim = -1, eps = 0.5} : f32[2, 4]
  return %y`,
  `%y = aten.special_softmax(%x) {dim = 1} : f32[2, 4, 3]
  %z = aten.special_log_softmax(%x) {dim = 2} : f32[2, 4, 3]
  return %y, %z`,
  `%y = aten.slice_copy.Tensor(%x) {dim = 1, start = -3, step = 2} : f32[2, 2, 3]
  %z = aten.select_copy.int(%x) {dim = 1, index = -1} : f32[2, 3]
  %w = aten.diagonal_copy(%x) {dim1 = 1, dim2 = 2} : f32[2, 3]
  %u = aten.unfold_copy(%c) {dimension = 0, size = 2, step = 1} : f32[3, 2]
  return %y, %z, %w, %u`,
  `%y = aten._unsafe_index.Tensor(%x, [_, %i]) : f32[2, 2, 3]
  %0 = aten.select.int(%y) {dim = 0, index = 0} : f32[2, 3]
  %z = aten._unsafe_index_put(%x, [_, %i], %0) {accumulate = true} : f32[2, 4, 3]
  return %y, %z`,
  `%0 = aten.select.int(%i) {dim = 0, index = 0} : i64[]
  %y = aten.fill.Tensor(%x, %0) : f32[2, 4, 3]
  %z = aten.copy(%c, %0) : f32[4]
  return %y, %z`,
])('%s', (lines) => {
  const [expected, actual] = [table, decomposed].map((ops) => run(lines, ops));
  expect(actual!.map((t) => t.length)).toEqual(expected!.map((t) => t.length));
  // Rounded to f32 in each step: a few units in the last place of numbers up to 8.
  actual!.forEach((t, o) =>
    t.forEach((v, k) => {
      const wanted = expected![o]![k]!;
      if (Number.isNaN(wanted)) expect(v).toBeNaN();
      else expect(Math.abs(v - wanted)).toBeLessThanOrEqual(16 * 2 ** -24 * 8);
    }),
  );
});
