import { type Dim, type Node, tensorFrom, type Value } from '@qfuse/plugin';
import { aten } from '@qfuse/ops';
import { behindViews } from './boxes.js';

/** A value whose indices along an axis repeat those of another: index `i` is index `floor(i / times)` of `source`. */
export interface Repeated {
  /** What is repeated, to be read in `shape`. */
  readonly source: Value;
  readonly shape: readonly Dim[];
  readonly axis: number;
  readonly times: number;
}

/**
 * Finds what a value repeats along one axis, as scales of groups are spread over weights: `repeat_interleave`, an axis that is
 * inserted, expanded and joined, or an index that counts up in steps (the `g_idx` of GPTQ).
 */
export function repeated(value: Value): Repeated | undefined {
  const node = value.producer;
  switch (node?.op) {
    case aten.RepeatInterleaveSelfInt:
      return interleaved(node as Node<typeof aten.RepeatInterleaveSelfInt>);
    case aten.View:
      return expanded(value);
    case aten.IndexTensor:
      return indexed(node);
    default:
      return undefined;
  }
}

function interleaved(node: Node<typeof aten.RepeatInterleaveSelfInt>): Repeated | undefined {
  const { dim, repeats: times } = node.attrs;
  const source = node.operand('self');
  const { shape } = source.type;
  return dim === undefined || typeof times !== 'number' ? undefined : { source, shape, axis: dim < 0 ? dim + shape.length : dim, times };
}

function expanded(value: Value): Repeated | undefined {
  const joined = behindViews(value);
  if (joined.producer?.op !== aten.Expand) return undefined;
  const inserted = joined.producer.operands[0]!;
  const [from, to, out] = [inserted.type.shape, joined.type.shape, value.type.shape];
  const grown = to.flatMap((d, i) => (from[i] === d ? [] : [i]));
  const [at = 0] = grown;
  const times = to[at];
  if (grown.length !== 1 || from.length !== to.length || at === 0 || from[at] !== 1 || typeof times !== 'number') return undefined;
  const shape = from.toSpliced(at, 1);
  const outer = shape[at - 1];
  const fits =
    out.length === shape.length && out.every((d, i) => (i === at - 1 ? typeof outer === 'number' && d === outer * times : d === shape[i]));
  return fits ? { source: behindViews(inserted), shape, axis: at - 1, times } : undefined;
}

function indexed(node: Node): Repeated | undefined {
  const [source, ...indices] = node.operands;
  const axis = indices.findIndex((v) => v !== undefined);
  const { shape } = source!.type;
  const rows = shape[axis];
  const index = indices.filter((v) => v !== undefined).length === 1 ? behindCasts(indices[axis]!).constant : undefined;
  if (index?.resolved !== true || index.type.shape.length !== 1 || typeof rows !== 'number' || rows === 0) return undefined;
  const { data } = tensorFrom(index);
  const times = data.length / rows;
  const counts = Number.isInteger(times) && times > 0 && data.every((x: number | bigint, i: number) => Number(x) === Math.floor(i / times));
  return counts ? { source: source!, shape, axis, times } : undefined;
}

/** What a value is a cast of, from integers to integers. */
function behindCasts(value: Value): Value {
  let v = value;
  while (v.producer?.op === aten.ToCopy) v = v.producer.operands[0]!;
  return v;
}
