import { countOf, isStatic, type Value } from '@qfuse/plugin';
import type { Binding, Dispatch, Scratch } from '../kernel.js';
import { knownLayout } from '../storage.js';
import type { WebGPUTarget } from '../target.js';
import { bindValue } from './elements.js';
import { RANGE_START, rangeJoin, widen } from './qparams.js';
import { rowsDispatch } from './rows.js';

/** A tensor in pieces of whole words, whose ranges are found on their own: the first of two steps to the range of all of it. */
export interface Pieces {
  /** Elements of a piece of a tensor with `count` elements, a multiple of 8. */
  readonly size: (count: number) => number;
  readonly number: (count: number) => number;
  /** The range of each piece. */
  readonly ranges: Scratch;
  readonly lanes: number;
}

/** Tensors of up to this many elements are one piece. */
const SMALL = { software: 4096, gpu: 16384 };

/** The pieces of `input`; undefined when it is known to be so small that one is enough. */
export function piecesOf(input: Value, { software, limits }: WebGPUTarget): Pieces | undefined {
  const { shape } = input.type;
  if (isStatic(shape) && countOf(shape) <= (software ? SMALL.software : SMALL.gpu)) return undefined;
  const [smallest, most] = software ? [1024, 64] : [4096, 1024];
  const size = (count: number): number => Math.ceil(Math.max(smallest, count / most) / 8) * 8;
  const number = (count: number): number => Math.ceil(count / size(count));
  return {
    size,
    number,
    lanes: software ? 1 : Math.min(256, limits.maxComputeInvocationsPerWorkgroup),
    ranges: { scratch: 'ranges', bytes: (sizes) => 8 * number(sizes.count(input)) },
  };
}

/** Float elements as their bits. */
export const bindBits = (name: string, value: Value, type = 'array<u32>'): Binding => ({ ...bindValue(name, value), type });

/** The ranges of pieces, to be read or written. */
export const bindRanges = ({ ranges }: Pieces, access: Binding['access']): Binding => ({
  name: 'ranges',
  type: 'array<vec2<u32>>',
  access,
  from: ranges,
});

/** Finds the range of each piece. */
export const piecesDispatch = (input: Value, pieces: Pieces): Dispatch =>
  rowsDispatch({
    label: 'ranges',
    lanes: pieces.lanes,
    bindings: [bindBits('x', input), bindRanges(pieces, 'read_write')],
    parameters: { n: 'u32', size: 'u32' },
    declarations: rangeJoin(pieces.lanes),
    body: `var range = ${RANGE_START};
let end = min((row + 1u) * P.size, P.n);
for (var i = row * P.size + first; i < end; i += LANES) { let bits = x[i]; ${widen('range', 'bits')} }
let joined = join_range(range);
if (first == 0u) { ranges[row] = joined; }`,
    rows: (sizes) => pieces.number(sizes.count(input)),
    values: (sizes) => ({ n: sizes.count(input), size: pieces.size(sizes.count(input)) }),
  });

/** Zero points as words, to be written. */
export const bindZeros = (value: Value): Binding => ({ ...bindValue('zeros', value, 'read_write'), type: 'array<u32>' });

/** An expression for the bits of the zero point of `c: Chosen` in the layout of its value: a missing one is a NaN, in integers 0 (also in i64, where a smallest number for it that 32 bits do not hold). */
export function zeroBits(zero: Value): string {
  const { scalar, perWord } = knownLayout(zero.type.dtype);
  if (scalar === 'f32') return 'select(bitcast<u32>(c.zero), 0x7fc00000u, c.missing)';
  const whole = 'bitcast<u32>(i32(select(c.zero, 0.0, c.missing)))';
  return perWord === 1 ? whole : `(${whole} & ${2 ** (32 / perWord) - 1}u)`;
}
