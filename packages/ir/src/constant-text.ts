import { Constant } from './constant.js';
import { type DType, dtypeInfo, integerRange, isFloat } from './dtype.js';
import { decodeElements, type Elements, encodeElements, newElements } from './elements.js';
import { floatText } from './scalar.js';
import { numel, type TensorType } from './types.js';

/** Constants with at most this many elements are written out; larger ones by their key, so that texts stay readable. */
const INLINE_ELEMENTS = 16;

/**
 * A constant as text: `dense<[1, 2]>`, `splat<0.0>`, `#key`, or `bits<"0100c07f">` with the bytes in hexadecimal where
 * numbers would not bring back every bit (a NaN with a payload, a padded half byte).
 */
export function constantText(constant: Constant): string {
  const { dtype } = constant.type;
  const count = numel(constant.type) as number;
  // A key that is no hash was given by name, as in tests: it says more than the numbers.
  if (!constant.resolved || count > INLINE_ELEMENTS || !/^[0-9a-f]{32}$/.test(constant.key)) return `#${constant.key}`;
  const bytes = constant.bytes();
  const texts = Array.from(decodeElements(dtype, bytes, count) as ArrayLike<number | bigint>, (x) =>
    isFloat(dtype) ? floatText(Number(x)) : String(x),
  );
  if (!sameBytes(bytes, bytesOf(dtype, texts))) return `bits<"${hexOf(bytes)}">`;
  if (count > 1 && texts.every((t) => t === texts[0])) return `splat<${texts[0]}>`;
  return `dense<[${texts.join(', ')}]>`;
}

/**
 * The constant `dense<[…]>` of number texts.
 * @throws RangeError for an element that the dtype does not have, or a wrong number of elements
 */
export function denseConstant(type: TensorType, texts: readonly string[]): Constant {
  const count = numel(type);
  if (texts.length !== count) throw new RangeError(`${count} elements`);
  return Constant.of(type, bytesOf(type.dtype, texts), 'text');
}

/**
 * The constant `splat<…>`. Its bytes are made when they are read: a short text may ask for a large constant.
 * @throws RangeError for an element that the dtype does not have
 */
export function splatConstant(type: TensorType, text: string): Constant {
  const { dtype } = type;
  const element = elementOf(dtype, text);
  const count = numel(type) as number;
  return Constant.lazy(type, 'text', () => encodeElements(dtype, newElements(dtype, count).fill(element as never)));
}

/** The constant `bits<"…">`. @throws RangeError for another number of digits than the type takes */
export function bitsConstant(type: TensorType, hex: string): Constant {
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new RangeError('pairs of hexadecimal digits');
  const bytes = Uint8Array.from({ length: hex.length / 2 }, (_, i) => Number.parseInt(hex.slice(2 * i, 2 * i + 2), 16));
  return Constant.of(type, bytes, 'text');
}

function bytesOf(dtype: DType, texts: readonly string[]): Uint8Array {
  const elements: Elements = newElements(dtype, texts.length);
  for (let i = 0; i < texts.length; i++) elements[i] = elementOf(dtype, texts[i]!) as never;
  return encodeElements(dtype, elements);
}

/** A number text, `inf` and `nan` included, as JavaScript's number. */
export const numberOf = (text: string): number => Number(text.replace('inf', 'Infinity').replace('nan', 'NaN'));

function elementOf(dtype: DType, text: string): number | bigint {
  if (isFloat(dtype)) return numberOf(text);
  // A bool may hold any byte: what is not 0 is true.
  const [low, high] = dtype === 'bool' ? [0n, 255n] : integerRange(dtype);
  const value = /^-?\d{1,20}$/.test(text) ? BigInt(text) : high + 1n;
  if (value < low || value > high) throw new RangeError(`integers from ${low} to ${high}`);
  return dtypeInfo(dtype).bits === 64 ? value : Number(value);
}

const sameBytes = (a: Uint8Array, b: Uint8Array): boolean => a.length === b.length && a.every((x, i) => x === b[i]);
const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
