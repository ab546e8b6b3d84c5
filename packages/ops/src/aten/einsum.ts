import {
  attr,
  countOf,
  type DType,
  hostTensor,
  type HostTensor,
  isFloat,
  isInteger,
  ShapeEnv,
  storer,
  tensorList,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { promoteTypes } from '../promotion.js';
import { type Fail, forEachOffset, stridesOf } from '../shapes.js';
import { checked } from './support/checked.js';
import { arranged, contracted, type Labelled, reduced, withoutOnes } from './support/contraction.js';
import { type EinsumPlan, planEinsum } from './support/einsum.js';
import { castTensor } from './support/elementwise.js';
import { entriesOf } from './support/joining.js';

/** Labels that the result does not have. */
const summedLabels = ({ operands, output }: EinsumPlan): readonly string[] =>
  [...new Set(operands.flat())].filter((label) => !output.includes(label));

/** What a sum over axes of `dtype` gives. */
const sumDType = (dtype: DType): DType => (isFloat(dtype) ? dtype : 'i64');

/**
 * The result's dtype. Operands are joined from the left: an axis that only one of two has is summed first, as by
 * `aten.sum`; without a common axis to sum the products promote, with one the dtypes must be equal.
 */
function resultDType(tensors: readonly TensorType[], plan: EinsumPlan, fail: Fail): DType {
  const dtypes = tensors.map((t) => t.dtype);
  const isSummed = (label: string): boolean => !plan.output.includes(label);
  if (tensors.length === 1) return plan.operands[0]!.some(isSummed) ? sumDType(dtypes[0]!) : dtypes[0]!;
  const terms = longLabels(tensors, plan);
  let dtype = dtypes[0]!;
  let labels = new Set(terms[0]);
  for (let i = 1; i < terms.length; i++) {
    const own = new Set(terms[i]);
    const ready = [...new Set([...labels, ...own])].filter((l) => isSummed(l) && !terms.slice(i + 1).some((t) => t.includes(l)));
    let other = dtypes[i]!;
    if (ready.some((l) => !own.has(l))) dtype = sumDType(dtype);
    if (ready.some((l) => !labels.has(l))) other = sumDType(other);
    const common = ready.find((l) => own.has(l) && labels.has(l));
    if (common !== undefined && (dtype !== other || dtype === 'bool'))
      fail(`operands that are summed over the common axis "${common}" are ${dtype} and ${other}, expected one dtype other than bool`);
    dtype = promoteTypes(dtype, other);
    labels = new Set([...labels, ...own].filter((l) => !ready.includes(l)));
  }
  return dtype;
}

/** Labels of each operand without the axes of size 1, which take no part in sums. */
const longLabels = (tensors: readonly TensorType[], plan: EinsumPlan): readonly (readonly string[])[] =>
  plan.operands.map((labels, i) => labels.filter((_, axis) => tensors[i]!.shape[axis] !== 1));

/** How an operand is read by labels: the sum of the strides of the axes with that label, 0 where it broadcasts. */
function stridesBy(shape: readonly number[], labels: readonly string[], wanted: readonly string[]): number[] {
  const own = stridesOf(shape);
  return wanted.map((label) => labels.reduce((sum, l, axis) => (l === label && shape[axis] !== 1 ? sum + own[axis]! : sum), 0));
}

/** Adds up the products of elements with equal labels. */
function evaluate(tensors: readonly HostTensor[], plan: EinsumPlan, out: HostTensor): void {
  const summed = summedLabels(plan);
  const sizes = (labels: readonly string[]): number[] => labels.map((label) => plan.sizes.get(label) as number);
  const inner = sizes(summed);
  const innerStrides = tensors.map((t, i) => stridesBy(t.shape, plan.operands[i]!, summed));
  const taps: number[][] = [];
  forEachOffset(inner, innerStrides, (_, offsets) => taps.push([...offsets]));
  const store = storer(out.dtype);
  const exact = isInteger(out.dtype);
  // Numbers and bigints never meet: with `exact` all are bigints.
  const data = tensors.map((t) => (exact ? BigInt64Array.from(t.data as Int32Array, BigInt) : t.data) as unknown as Float64Array);
  const [zero, one] = (exact ? [0n, 1n] : [0, 1]) as [number, number];
  const outer = tensors.map((t, i) => stridesBy(t.shape, plan.operands[i]!, plan.output));
  forEachOffset(out.shape, outer, (position, offsets) => {
    let sum = zero;
    for (const tap of taps) {
      let product = one;
      for (let i = 0; i < data.length; i++) product *= data[i]![offsets[i]! + tap[i]!]!;
      sum += product;
    }
    store(out.data, position, sum);
  });
}

/**
 * Sums of products of elements with equal labels, e.g. `bij,bjk->bik`; "..." stands for axes that broadcast. A label
 * that repeats within a term takes the diagonal; without a right side the labels that occur once remain.
 */
export const Einsum = defineOp({
  name: 'aten.einsum',
  summary: 'sums of products of elements with equal labels',
  operands: { tensors: tensorList() },
  attrs: { equation: attr.string(), path: attr.optional(attr.ints()) },
  infer: ({ operands, attrs, env, fail }) => {
    const tensors = entriesOf<TensorType>(operands.tensors, fail);
    const plan = planEinsum(
      attrs.equation,
      tensors.map((t) => t.shape),
      env,
      fail,
    );
    return [
      tensorType(
        resultDType(tensors, plan, fail),
        plan.output.map((label) => plan.sizes.get(label)!),
      ),
    ];
  },
  reference: ({ operands, attrs, results, fail }) => {
    const tensors = operands.tensors.map((t) => castTensor(t!, results[0]!.dtype));
    const out = hostTensor(results[0]!.dtype, results[0]!.shape);
    if (countOf(out.shape) > 0)
      evaluate(
        tensors,
        planEinsum(
          attrs.equation,
          tensors.map((t) => t.shape),
          new ShapeEnv(),
          fail,
        ),
        out,
      );
    return [out];
  },
  decompose: ({ operands, attrs, env, builder }) => {
    const values = operands.tensors.map((t) => t!);
    const plan = planEinsum(
      attrs.equation,
      values.map((v) => v.type.shape),
      env,
      checked,
    );
    const types = values.map((v) => v.type);
    const long = values.length === 1 ? plan.operands : longLabels(types, plan);
    const terms = values.map((value, i): Labelled => ({
      value: values.length === 1 ? value : withoutOnes(builder, value),
      labels: long[i]!,
    }));
    const isRead = (label: string, from: number): boolean =>
      plan.output.includes(label) || terms.slice(from).some((t) => t.labels.includes(label));
    let result = reduced(builder, terms[0]!, (label) => isRead(label, 1));
    terms.slice(1).forEach((term, i) => {
      const kept = (label: string): boolean => isRead(label, i + 2);
      const other = reduced(builder, term, (label) => kept(label) || result.labels.includes(label));
      const own = reduced(builder, result, (label) => kept(label) || other.labels.includes(label));
      result = contracted(builder, own, other, plan.sizes, kept);
    });
    return [arranged(builder, result, plan.output, plan.sizes)];
  },
});
