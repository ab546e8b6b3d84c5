import { attr, type AttrSpecs, type AttrsOf, type Dim, dimAdd, dimCeilDiv, dimFloorDiv, dimMul, dimText, type ShapeEnv } from '@qfuse/ir';
import { type Fail, wrapAxis } from '../shapes.js';
import { type Part, splitting } from './support/slicing.js';

const dim = attr.optional(attr.int(), 0);
const ownAxis = (attrs: { readonly dim: number }, rank: number, fail: Fail): number => wrapAxis(attrs.dim, rank, fail);

/** Parts that lie one after the other. */
function consecutive(lengths: readonly Dim[]): readonly Part[] {
  let start: Dim = 0;
  return lengths.map((length) => {
    const part = [start, dimAdd(start, length)] as const;
    start = part[1];
    return part;
  });
}

/** Parts of `length` each, the last one perhaps shorter; their number must not depend on a symbol. */
function equalParts(size: Dim, length: Dim, env: ShapeEnv, fail: Fail): readonly Part[] {
  if (env.lessEqual(0, length) === 'no') fail(`split_size is ${dimText(length)}, expected at least 0`);
  if (length === 0)
    return size === 0 ? [[0, 0]] : fail(`split_size is 0, which is only possible for an axis of size 0, not of ${dimText(size)}`);
  const count = env.simplify(dimCeilDiv(size, length));
  if (typeof count !== 'number') return fail(`the number of parts, ${dimText(count)}, depends on symbolic dims`);
  return Array.from({ length: Math.max(count, 1) }, (_, i) => [dimMul(length, i), dimMul(length, i + 1)] as const);
}

/** At most `chunks` parts of `ceil(size / chunks)`. */
function chunked({ chunks }: { readonly chunks: number }, size: Dim, env: ShapeEnv, fail: Fail): readonly Part[] {
  if (chunks < 1) fail(`chunks is ${chunks}, expected at least 1`);
  const length = env.simplify(dimCeilDiv(size, chunks));
  if (length === 0) return Array.from({ length: chunks }, () => [0, 0] as const);
  // ceil(size / ceil(size / c)) is c whenever size > (c - 1)²
  if (env.lessEqual((chunks - 1) ** 2 + 1, size) === 'yes')
    return Array.from({ length: chunks }, (_, i) => [dimMul(length, i), dimMul(length, i + 1)] as const);
  return equalParts(size, length, env, fail);
}

function listed(sizes: readonly Dim[], size: Dim, env: ShapeEnv, fail: Fail): readonly Part[] {
  if (sizes.some((d) => env.lessEqual(0, d) === 'no')) fail(`split sizes are [${sizes.map(dimText).join(', ')}], expected none below 0`);
  const parts = consecutive(sizes);
  const total = parts.at(-1)?.[1] ?? 0;
  return env.equal(total, size) === 'no'
    ? fail(`split sizes [${sizes.map(dimText).join(', ')}] sum to ${dimText(total)}, expected ${dimText(size)}`)
    : parts;
}

/** `sections` parts; the first `size mod sections` are one longer than the rest. */
function balanced(sections: Dim, size: Dim, fail: Fail): readonly Part[] {
  if (typeof sections !== 'number') return fail(`the number of parts, ${dimText(sections)}, depends on symbolic dims`);
  if (sections < 1) return fail(`the number of sections is ${sections}, expected at least 1`);
  return consecutive(Array.from({ length: sections }, (_, i) => dimFloorDiv(dimAdd(size, sections - 1 - i), sections)));
}

/** Parts before, between and after `indices`, each a slice of Python. */
const between = (indices: readonly Dim[]): readonly Part[] =>
  [...indices, Number.MAX_SAFE_INTEGER].map((end, i) => [i === 0 ? 0 : indices[i - 1]!, end] as const);

const split = (name: string) =>
  splitting({
    name,
    summary: 'parts of one length along an axis',
    attrs: { split_size: attr.dim(), dim },
    axis: ownAxis,
    parts: (a, size, env, fail) => equalParts(size, a.split_size, env, fail),
  });
const splitSizes = (name: string) =>
  splitting({
    name,
    summary: 'parts of given lengths along an axis',
    attrs: { split_sizes: attr.dims(), dim },
    axis: ownAxis,
    parts: (a, size, env, fail) => listed(a.split_sizes, size, env, fail),
  });
const chunk = (name: string) =>
  splitting({ name, summary: 'a number of parts along an axis', attrs: { chunks: attr.int(), dim }, axis: ownAxis, parts: chunked });

/** Parts of length `split_size` along `dim`; the last one may be shorter. */
export const SplitTensor = split('aten.split.Tensor');

/** {@link SplitTensor} into memory of its own. */
export const SplitCopyTensor = split('aten.split_copy.Tensor');

/** {@link SplitTensor} without the ban on writes to its results. */
export const UnsafeSplitTensor = split('aten.unsafe_split.Tensor');

/** Parts of the lengths `split_sizes` along `dim`. */
export const SplitWithSizes = splitSizes('aten.split_with_sizes');

/** {@link SplitWithSizes} into memory of its own. */
export const SplitWithSizesCopy = splitSizes('aten.split_with_sizes_copy');

/** {@link SplitWithSizes} without the ban on writes to its results. */
export const UnsafeSplitWithSizes = splitSizes('aten.unsafe_split_with_sizes');

/** {@link SplitWithSizes} under torch's other name. */
export const SplitSizes = splitting({
  name: 'aten.split.sizes',
  summary: 'parts of given lengths along an axis',
  attrs: { split_size: attr.dims(), dim },
  axis: ownAxis,
  parts: (a, size, env, fail) => listed(a.split_size, size, env, fail),
});

/** Parts of length `ceil(size / chunks)` along `dim`, at most `chunks` of them. */
export const Chunk = chunk('aten.chunk');

/** {@link Chunk} without the ban on writes to its results. */
export const UnsafeChunk = chunk('aten.unsafe_chunk');

/** `sections` parts along `dim`, the first ones one longer where the size does not divide. */
export const TensorSplitSections = splitting({
  name: 'aten.tensor_split.sections',
  summary: 'a number of nearly equal parts along an axis',
  attrs: { sections: attr.dim(), dim },
  axis: ownAxis,
  parts: (a, size, _, fail) => balanced(a.sections, size, fail),
});

/** The parts before, between and after `indices` along `dim`. */
export const TensorSplitIndices = splitting({
  name: 'aten.tensor_split.indices',
  summary: 'parts between indices of an axis',
  attrs: { indices: attr.dims(), dim },
  axis: ownAxis,
  parts: (a) => between(a.indices),
});

/** Equal sections, or parts between indices, along an axis that the op's name says. */
const along = <A extends AttrSpecs>(
  name: string,
  least: number,
  axisOf: (rank: number) => number,
  attrs: A,
  parts: (attrs: AttrsOf<A>, size: Dim, env: ShapeEnv, fail: Fail) => readonly Part[],
) =>
  splitting({
    name,
    summary: 'parts along the axis that the name says',
    attrs,
    axis: (_, rank, fail) => (rank < least ? fail(`self has rank ${rank}, expected at least ${least}`) : axisOf(rank)),
    parts,
  });

const equally = (a: { readonly sections: number }, size: Dim, env: ShapeEnv, fail: Fail): readonly Part[] =>
  a.sections < 1 || env.divides(a.sections, size) === 'no'
    ? fail(`sections is ${a.sections}, expected a divisor of ${dimText(size)}`)
    : balanced(a.sections, size, fail);
const atIndices = (a: { readonly indices: readonly number[] }): readonly Part[] => between(a.indices);
const [sections, indices] = [{ sections: attr.int() }, { indices: attr.ints() }];
const columns = (rank: number): number => (rank === 1 ? 0 : 1);

/** Equal parts along axis 1, of a vector along axis 0. */
export const HsplitInt = along('aten.hsplit.int', 1, columns, sections, equally);

/** Parts between indices of axis 1, of a vector of axis 0. */
export const HsplitArray = along('aten.hsplit.array', 1, columns, indices, atIndices);

/** Equal parts along axis 0. */
export const VsplitInt = along('aten.vsplit.int', 2, () => 0, sections, equally);

/** Parts between indices of axis 0. */
export const VsplitArray = along('aten.vsplit.array', 2, () => 0, indices, atIndices);

/** Equal parts along axis 2. */
export const DsplitInt = along('aten.dsplit.int', 3, () => 2, sections, equally);

/** Parts between indices of axis 2. */
export const DsplitArray = along('aten.dsplit.array', 3, () => 2, indices, atIndices);
