import { Interner } from './intern.js';

/**
 * A Python scalar in an attribute. The kind is part of the value: int 1, float 1.0 and bool True are three
 * different scalars, as type promotion needs. Ints beyond 2^53 are bigints. Interned.
 */
export type Scalar =
  | { readonly kind: 'int'; readonly value: number | bigint }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean };

const interner = new Interner<Scalar>();

/** Text of a float that reads back as the same number and is never read as an int. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (Object.is(value, -0)) return '-0.0';
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** Text of a scalar: `1`, `1.0`, `true`. */
export const scalarText = (s: Scalar): string => (s.kind === 'float' ? floatText(s.value) : String(s.value));

const intern = (s: Scalar): Scalar => interner.get(scalarText(s), () => Object.freeze(s));

/** The int scalar `value`. @throws RangeError when it is not an integer of 64 bits */
export function intScalar(value: number | bigint): Scalar {
  const big = BigInt(value);
  if (big < -(2n ** 63n) || big >= 2n ** 64n) throw new RangeError(`${value} does not fit 64 bits`);
  const small = Number(big);
  return intern({ kind: 'int', value: Number.isSafeInteger(small) ? small + 0 : big });
}

/** The float scalar `value`. */
export const floatScalar = (value: number): Scalar => intern({ kind: 'float', value });

/** The bool scalar `value`. */
export const boolScalar = (value: boolean): Scalar => intern({ kind: 'bool', value });

/** The scalar as a JavaScript number; bools are 0 and 1, ints beyond 2^53 are rounded. */
export const scalarNumber = (s: Scalar): number => Number(s.value);
