import type { DType, Value } from '@qfuse/plugin';
import type { Binding } from '../kernel.js';
import { type Layout, knownLayout, type ScalarType } from '../storage.js';

/** The binding of a graph value as an array of words. */
export const bindValue = (name: string, value: Value, access: Binding['access'] = 'read'): Binding => ({
  name,
  type: `array<${knownLayout(value.type.dtype).word}>`,
  access,
  from: value,
});

/** A function `load_<name>(i)` that reads element `i` of an array of words in the layout of `dtype`. */
export function loadFunction(name: string, dtype: DType): string {
  const { scalar, perWord } = knownLayout(dtype);
  return `fn load_${name}(i: u32) -> ${scalar} { return ${element(name, scalar, perWord)}; }`;
}

function element(name: string, scalar: ScalarType, perWord: number): string {
  if (perWord === 1) return scalar === 'bool' ? `${name}[i] != 0u` : `${name}[i]`;
  const bits = 32 / perWord;
  const [shift, mask, log] = [Math.log2(perWord), perWord - 1, Math.log2(bits)];
  const word = `${name}[i >> ${shift}u]`;
  if (scalar === 'u32') return `(${word} >> ((i & ${mask}u) << ${log}u)) & ${2 ** bits - 1}u`;
  return `bitcast<i32>(${word} << (${32 - bits}u - ((i & ${mask}u) << ${log}u))) >> ${32 - bits}u`;
}

/** An expression of type `from` as one of type `to`, as a cast in torch: to bool means "not zero", floats are truncated. */
export function convert(expression: string, from: ScalarType, to: ScalarType): string {
  if (from === to) return expression;
  // By its bits: a NaN is not zero, which drivers that assume there are none do not see in a comparison.
  if (to === 'bool')
    return from === 'f32' ? `((bitcast<u32>(${expression}) & 0x7fffffffu) != 0u)` : `(${expression} != ${from === 'i32' ? '0i' : '0u'})`;
  if (from === 'bool') return `select(${zero(to)}, ${one(to)}, ${expression})`;
  // A negative float has no u32; torch wraps it around as the integer does.
  if (from === 'f32' && to === 'u32') return `u32(i32(${expression}))`;
  return `${to}(${expression})`;
}

const zero = (type: ScalarType): string => ({ f32: '0.0', i32: '0i', u32: '0u', bool: 'false' })[type];
const one = (type: ScalarType): string => ({ f32: '1.0', i32: '1i', u32: '1u', bool: 'true' })[type];

/** An expression of the layout's scalar type as the bits of one element of a word, in the lowest bits. */
function elementBits(expression: string, layout: Layout): string {
  const bits = 32 / layout.perWord;
  const raw = layout.scalar === 'i32' ? `bitcast<u32>(${expression})` : expression;
  return bits === 32 ? raw : `(${raw} & ${2 ** bits - 1}u)`;
}

/**
 * The end of a kernel where thread `t` (u32) makes whole words of the output `y`: `compute(i)` is an expression for
 * element `i`, of the layout's scalar type; `P.n` is the number of elements.
 */
export function storeWords(dtype: DType, compute: (i: string) => string): string {
  const layout = knownLayout(dtype);
  if (layout.perWord === 1) {
    const value = layout.scalar === 'bool' ? `select(0u, 1u, ${compute('t')})` : compute('t');
    return `if (t >= P.n) { return; }\ny[t] = ${value};`;
  }
  const bits = 32 / layout.perWord;
  return `let first = t * ${layout.perWord}u;
if (first >= P.n) { return; }
var word = 0u;
for (var k = 0u; k < ${layout.perWord}u; k++) {
  let i = first + k;
  if (i < P.n) { word |= ${elementBits(compute('i'), layout)} << (k * ${bits}u); }
}
y[t] = word;`;
}

/** Threads that {@link storeWords} needs for `count` elements. */
export const wordsFor = (dtype: DType, count: number): number => Math.ceil(count / knownLayout(dtype).perWord);
