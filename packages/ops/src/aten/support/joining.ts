import { countOf, type Dim, hostTensor, type HostTensor, type ShapeEnv, storer, type TensorType, type Value, dimAdd } from '@qfuse/ir';
import { resultType } from '../../promotion.js';
import { type Fail, shapeText } from '../../shapes.js';

/** The entries of a tensor list, none of which may be None, and of which there must be one. */
export function entriesOf<T extends TensorType | HostTensor | Value>(list: readonly (T | undefined)[], fail: Fail): readonly T[] {
  if (list.length === 0) fail('tensors is an empty list, expected at least one tensor');
  return list.map((t, i) => t ?? fail(`entry ${i} of tensors is None`));
}

/** An operand of shape `[0]`, which `aten.cat` skips whatever the others' rank is. */
export const isSkipped = (shape: readonly Dim[]): boolean => shape.length === 1 && shape[0] === 0;

/** Shape and dtype of tensors that are joined along `axis`. */
export function joinedType(
  tensors: readonly TensorType[],
  axis: number,
  env: ShapeEnv,
  fail: Fail,
): { readonly dtype: TensorType['dtype']; readonly shape: readonly Dim[] } {
  const dtype = resultType(tensors);
  const [first, ...rest] = tensors.map((t) => t.shape).filter((s) => !isSkipped(s));
  if (first === undefined) return { dtype, shape: [0] };
  const shape = [...first];
  for (const other of rest) {
    const fits = other.length === first.length && other.every((d, i) => i === axis || env.equal(d, first[i]!) !== 'no');
    if (!fits) fail(`shapes ${shapeText(first)} and ${shapeText(other)} cannot be joined along axis ${axis}: they differ elsewhere`);
    for (let i = 0; i < shape.length; i++) {
      if (i === axis) shape[i] = dimAdd(shape[i]!, other[i]!);
      else if (typeof other[i] === 'number') shape[i] = other[i]!;
    }
  }
  return { dtype, shape };
}

/** Tensors joined along `axis`, converted to the result's dtype. */
export function join(
  tensors: readonly HostTensor[],
  axis: number,
  result: { readonly dtype: HostTensor['dtype']; readonly shape: readonly number[] },
): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const inner = countOf(result.shape.slice(axis + 1));
  const outer = countOf(result.shape.slice(0, axis));
  const row = inner * (result.shape[axis] ?? 1);
  let start = 0;
  for (const t of tensors) {
    if (t.data.length === 0) continue;
    const length = inner * t.shape[axis]!;
    for (let o = 0; o < outer; o++) for (let i = 0; i < length; i++) store(out.data, o * row + start + i, t.data[o * length + i]!);
    start += length;
  }
  return out;
}
