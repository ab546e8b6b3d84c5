import type { PackedFormat } from '../packing.js';
import { decoders, offsetOf, range } from './packed-weights.js';

/**
 * The weights of a cell as vectors of four consecutive K, for kernels that keep whole cells in registers. Bits are made into
 * halves of magnitude 1024 … 2047, whose last bits are the integer, and widened by `unpack2x16float`: no conversion of
 * integers, exact, and nothing subnormal that an implementation may flush. High nibbles come out 16 times as large, which
 * a sum of its own carries to the end.
 */
export interface CellVector {
  /** Statements and an expression of type vec4<f32>: `factor` · (weight − zero point). */
  readonly before: readonly string[];
  readonly value: string;
  readonly factor: 1 | 16;
}

/** Halves with this exponent hold integers up to 1023 in their last bits. */
const HALF_1024 = '0x64006400u';

/**
 * The vectors of the cell in the variable `w` (vec4<u32>), in the order of K.
 * @param zero name of an f32 variable that holds the zero point of the row; undefined when there is none
 */
export function cellVectors({ bits }: PackedFormat, w: string, zero: string | undefined): readonly CellVector[] {
  const minus = (base: number, factor: 1 | 16): string =>
    zero === undefined ? ` - ${base}.0` : ` - (${factor === 1 ? zero : `16.0 * ${zero}`} + ${base}.0)`;
  const halves = (of: string, mask: string, how: '|' | '^', bias: string): string => `unpack2x16float((${of} & ${mask}) ${how} ${bias})`;
  return ['x', 'y', 'z', 'w'].flatMap((c): readonly CellVector[] => {
    const word = `${w}.${c}`;
    const upper = `(${word} >> 8u)`;
    const four = (mask: string, how: '|' | '^', bias: string): string =>
      `vec4<f32>(${halves(word, mask, how, bias)}, ${halves(upper, mask, how, bias)}).xzyw`;
    // A signed byte with its top bit flipped is the value plus 128.
    if (bits === 8) return [{ before: [], value: `${four('0x00ff00ffu', '^', '0x64806480u')}${minus(1152, 1)}`, factor: 1 }];
    return [
      { before: [], value: `${four('0x000f000fu', '|', HALF_1024)}${minus(1032, 1)}`, factor: 1 },
      { before: [], value: `${four('0x00f000f0u', '|', HALF_1024)}${minus(1152, 16)}`, factor: 16 },
    ];
  });
}

/** As {@link cellVectors}, by shifts and conversions: what is scaled one by one anyhow. */
export const plainVectors = (format: PackedFormat, w: string): readonly string[] =>
  ['x', 'y', 'z', 'w'].flatMap((c) =>
    decoders(format).map((decode) => `${decode}(${w}.${c})${offsetOf(format) === 0 ? '' : ` - ${offsetOf(format)}.0`}`),
  );

/** Vectors of four K in a cell. */
export const vectorsPerCell = ({ perCell }: PackedFormat): number => perCell / 4;

/** Sums of a cell that carry different factors. */
export const factorsOf = ({ bits }: PackedFormat): readonly (1 | 16)[] => (bits === 8 ? [1] : [1, 16]);

/** The sum of the components of the accumulators `names`, one for each factor. */
export const joined = (format: PackedFormat, names: readonly string[]): string =>
  range(names.length)
    .map((i) => `dot(${names[i]}, vec4<f32>(${factorsOf(format)[i] === 1 ? '1.0' : '0.0625'}))`)
    .join(' + ');
