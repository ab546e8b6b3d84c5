/** Element types. Floats, signed and unsigned integers with their width in bits, and `bool`. */
export const dtypes = ['f64', 'f32', 'f16', 'bf16', 'i64', 'i32', 'i16', 'i8', 'i4', 'u64', 'u32', 'u16', 'u8', 'u4', 'bool'] as const;

/** One of {@link dtypes}. */
export type DType = (typeof dtypes)[number];

/** What kind of numbers a dtype holds. */
export type DTypeKind = 'float' | 'int' | 'uint' | 'bool';

/** Facts about a dtype. */
export interface DTypeInfo {
  readonly kind: DTypeKind;
  /** Storage width of one element in bits; `i4`/`u4` are stored two to a byte, low nibble first. */
  readonly bits: number;
}

const table: Readonly<Record<DType, DTypeInfo>> = Object.freeze({
  f64: { kind: 'float', bits: 64 },
  f32: { kind: 'float', bits: 32 },
  f16: { kind: 'float', bits: 16 },
  bf16: { kind: 'float', bits: 16 },
  i64: { kind: 'int', bits: 64 },
  i32: { kind: 'int', bits: 32 },
  i16: { kind: 'int', bits: 16 },
  i8: { kind: 'int', bits: 8 },
  i4: { kind: 'int', bits: 4 },
  u64: { kind: 'uint', bits: 64 },
  u32: { kind: 'uint', bits: 32 },
  u16: { kind: 'uint', bits: 16 },
  u8: { kind: 'uint', bits: 8 },
  u4: { kind: 'uint', bits: 4 },
  bool: { kind: 'bool', bits: 8 },
});

/** Facts about `dtype`. */
export const dtypeInfo = (dtype: DType): DTypeInfo => table[dtype];

/** Whether `text` names a dtype. */
export const isDType = (text: string): text is DType => Object.hasOwn(table, text);

/** Whether `dtype` is a floating point type. */
export const isFloat = (dtype: DType): boolean => table[dtype].kind === 'float';

/** Whether `dtype` is a signed or unsigned integer type (`bool` is not). */
export const isInteger = (dtype: DType): boolean => table[dtype].kind === 'int' || table[dtype].kind === 'uint';

/**
 * The smallest and largest value of an integer dtype, or `[0, 1]` for `bool`.
 * @throws RangeError for a float dtype
 */
export function integerRange(dtype: DType): readonly [bigint, bigint] {
  const { kind, bits } = table[dtype];
  if (kind === 'bool') return [0n, 1n];
  if (kind === 'float') throw new RangeError(`${dtype} is not an integer dtype`);
  const n = BigInt(bits);
  return kind === 'uint' ? [0n, (1n << n) - 1n] : [-(1n << (n - 1n)), (1n << (n - 1n)) - 1n];
}

/** Bytes that `count` elements of `dtype` take, contiguous. */
export const byteLength = (dtype: DType, count: number): number => Math.ceil((count * table[dtype].bits) / 8);
