import {
  type AnyOp,
  bindSymbols,
  concreteAttrs,
  concreteType,
  type Graph,
  type HostTensor,
  hostTensor,
  isFloat,
  isInteger,
  type Node,
  nodeAttrs,
  tensorFrom,
  type Value,
} from '@qfuse/ir';
import { aten, clampOps } from '@qfuse/ops';
import { Evaluator, runGraph, type RunResult } from './run.js';
import { tiesOf } from './ties.js';

/** Ops whose results are sums of products of their operands (and of an operand that is added). */
const sums = new Set<AnyOp>([
  aten.Linear,
  aten.Mm,
  aten.Bmm,
  aten.Mv,
  aten.Dot,
  aten.Vdot,
  aten.Matmul,
  aten.Addmm,
  aten.Baddbmm,
  aten.Addmv,
  aten.Convolution,
  aten.Conv1d,
  aten.Conv2d,
  aten.Conv3d,
  aten.ConvTranspose1d,
  aten.ConvTranspose2dInput,
  aten.ConvTranspose3dInput,
]);

/** The steepest slope of ops that compute each element from one of their first operand: by so much errors of it can grow. */
const slopes = new Map<AnyOp, number>([
  ...[aten.View, aten.Permute, aten.Expand, ...clampOps, aten.Neg, aten.Abs, aten.Tanh].map((op) => [op, 1] as const),
  [aten.Sigmoid, 1 / 4],
  // Φ(√2) + √2 φ(√2) = 1.12890…; the tanh form has 1.12898….
  [aten.Gelu, 1.13],
  // At x = 2.39936…: 1.09984….
  [aten.Silu, 1.1],
]);

/** What {@link replay} returns. */
export interface Replayed extends RunResult {
  /** How large what each output was computed from is: roundings are relative to that. See {@link replay}. */
  readonly magnitudes: readonly number[];
  /** How many integers were taken that this run had quantized otherwise. */
  readonly taken: number;
}

/** Whether a result holds integers that numbers were quantized to: what {@link replay} takes as codes. */
export const holdsCodes = (value: Value): boolean =>
  isInteger(value.type.dtype) && value.producer !== undefined && /^(quant|fused)\./.test(value.producer.op.name);

/**
 * Runs a graph as {@link runGraph} does, but where a number lies so near a tie that roundings decide which integer it is quantized to,
 * takes the integer of another run. If that run computed the same but for roundings, the results then differ by
 * no more than those: a step that one run took and the other one did not is no difference any more.
 *
 * The magnitude of a value is its largest element; of a sum of products `max Σ |x| · |w| + |b|`, however much of it cancels;
 * views, permutes, clamps and activations have that of their operand times their steepest slope, if it is larger. A number is near a tie when an error of
 * `relative` times the magnitude of what is quantized (and the roundings of quantizing) reaches over it.
 * @param codes - integers of the other run, in any order: those of one quantizer are taken when they differ only near ties
 * @throws QfuseError as {@link runGraph} does
 */
export function replay(
  graph: Graph,
  inputs: readonly HostTensor[],
  codes: readonly HostTensor[],
  relative: number,
  evaluator: Evaluator = new Evaluator(),
): Replayed {
  const bindings = bindSymbols(graph, inputs);
  const nodes = [...graph.nodes()];
  const wanted = new Set(nodes.filter((n) => sums.has(n.op) || tiesOf(n) !== undefined).flatMap((n) => n.operands));
  const kept = new Map<Value, HostTensor>(graph.inputs.map((v, i) => [v, inputs[i]!]));
  const magnitudes = new Map<Value, number>();
  const tensorOf = (v: Value): HostTensor => kept.get(v) ?? tensorFrom(graph.graphConstant(v)!.constant);
  let taken = 0;
  const magnitudeOf = (v: Value): number => magnitudes.get(v) ?? largest(tensorOf(v));

  const sumOfTerms = (node: Node): number => {
    const operands = node.operands.map((v) => (v === undefined ? undefined : absolute(tensorOf(v))));
    const attrs = concreteAttrs(nodeAttrs(node), bindings);
    const types = node.results.map((r) => concreteType(r.type, bindings));
    return largest(evaluator.evaluate(node.op, operands, attrs, types)[0]!);
  };

  const replace = (value: Value, tensor: HostTensor): HostTensor => {
    const node = value.producer!;
    const ties = tiesOf(node);
    if (ties?.result !== node.results.indexOf(value)) return tensor;
    const operands = node.operands.map((v) => (v === undefined ? undefined : tensorOf(v)));
    const attrs = concreteAttrs(nodeAttrs(node), bindings);
    const near = ties.near({ operands, attrs, error: relative * magnitudeOf(node.operands[0]!) });
    const other = codes.find((c) => c.dtype === tensor.dtype && c.data.length === tensor.data.length && agree(tensor, c, near));
    if (other === undefined) return tensor;
    for (let i = 0; i < tensor.data.length; i++) if (tensor.data[i] !== other.data[i]) taken++;
    return hostTensor(tensor.dtype, tensor.shape, other.data);
  };

  const observe = (value: Value, tensor: HostTensor): void => {
    const node = value.producer!;
    const [first] = node.operands;
    let magnitude = largest(tensor);
    if (sums.has(node.op)) magnitude = Math.max(magnitude, sumOfTerms(node));
    const slope = slopes.get(node.op);
    if (slope !== undefined && first !== undefined) magnitude = Math.max(magnitude, slope * (magnitudes.get(first) ?? 0));
    magnitudes.set(value, magnitude);
    if (wanted.has(value)) kept.set(value, tensor);
  };

  const result = runGraph(graph, inputs, evaluator, { replace, observe });
  return { ...result, magnitudes: graph.outputs.map((v, i) => magnitudes.get(v) ?? largest(result.outputs[i]!)), taken };
}

/** Whether two tensors of integers differ by one step at most, and only where a number was near a tie. */
function agree({ data: own }: HostTensor, { data: other }: HostTensor, near: (i: number) => boolean): boolean {
  for (let i = 0; i < own.length; i++)
    if (own[i] !== other[i] && !(Math.abs(Number(own[i]) - Number(other[i])) === 1 && near(i))) return false;
  return true;
}

/** The largest absolute value of the finite elements. */
function largest({ data }: HostTensor): number {
  let size = 0;
  for (const x of data) if (Number.isFinite(Number(x))) size = Math.max(size, Math.abs(Number(x)));
  return size;
}

/** The absolute values of floats; other tensors as they are. */
function absolute(tensor: HostTensor): HostTensor {
  if (!isFloat(tensor.dtype)) return tensor;
  const out = hostTensor(tensor.dtype, tensor.shape);
  for (let i = 0; i < out.data.length; i++) out.data[i] = Math.abs(Number(tensor.data[i]));
  return out;
}
