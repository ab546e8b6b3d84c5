import type { DType } from '@qfuse/ir';
import { floatResult } from '../promotion.js';
import { type BinaryRule, onlyFloats, onlyIntegers, noBools, scalarFirstForm, scalarForm, tensorForm } from './support/binary.js';
import { maximum, minimum, xlogy } from './support/special-functions.js';
import type { Fail } from '../shapes.js';

const larger = (a: bigint, b: bigint): bigint => (a > b ? a : b);
const smaller = (a: bigint, b: bigint): bigint => (a < b ? a : b);

const extremum = (
  name: string,
  summary: string,
  float: (a: number, b: number) => number,
  integer: (a: bigint, b: bigint) => bigint,
): BinaryRule => ({
  name,
  summary,
  commutative: true,
  kernel: () => ({ float: (a, b) => float(a!, b!), integer: (a, b) => integer(a!, b!) }),
});

/** The larger of two elements, broadcast, in the promoted dtype; NaN when one is NaN. */
export const Maximum = tensorForm(extremum('maximum', 'larger of self and other; NaN wins', maximum, larger), 'default');
/** The smaller of two elements, broadcast, in the promoted dtype; NaN when one is NaN. */
export const Minimum = tensorForm(extremum('minimum', 'smaller of self and other; NaN wins', minimum, smaller), 'default');

const ignoringNaN = (f: (a: number, b: number) => number) => (a: number, b: number) =>
  Number.isNaN(a) ? b : Number.isNaN(b) ? a : f(a, b);

/** {@link Maximum}, but NaN only when both are NaN. */
export const Fmax = tensorForm(extremum('fmax', 'larger of self and other; numbers win over NaN', ignoringNaN(maximum), larger), 'default');
/** {@link Minimum}, but NaN only when both are NaN. */
export const Fmin = tensorForm(
  extremum('fmin', 'smaller of self and other; numbers win over NaN', ignoringNaN(minimum), smaller),
  'default',
);

const real = (
  name: string,
  summary: string,
  float: (a: number, b: number) => number,
  compute: (dtype: DType, fail: Fail) => DType = floatResult,
): BinaryRule => ({
  name,
  summary,
  compute,
  kernel: () => ({ float: (a, b) => float(a!, b!) }),
});

/** The angle of the point (other, self) in radians, in [-π, π]; integers and bools give f32. */
export const Atan2 = tensorForm(real('atan2', 'angle of the point (other, self)', Math.atan2), 'default');

/** `√(self² + other²)` without overflow; floats only. */
export const Hypot = tensorForm(
  { ...real('hypot', 'length of the vector (self, other)', Math.hypot, onlyFloats), commutative: true },
  'default',
);

const copysign = real('copysign', 'size of self with the sign of other', (a, b) =>
  b < 0 || Object.is(b, -0) ? -Math.abs(a) : Math.abs(a),
);
/** `|self|` with the sign of other; integers and bools give f32. */
export const CopysignTensor = tensorForm(copysign);
/** {@link CopysignTensor} with a Python number. */
export const CopysignScalar = scalarForm(copysign);

const xlogyRule = real('xlogy', 'self times log(other), 0 where self is 0', xlogy);
/** `self · ln(other)`, 0 where self is 0 unless other is NaN; integers and bools give f32. */
export const XlogyTensor = tensorForm(xlogyRule);
/** {@link XlogyTensor} with a Python number as other. */
export const XlogyScalarOther = scalarForm(xlogyRule, 'Scalar_Other');
/** {@link XlogyTensor} with a Python number as self. */
export const XlogyScalarSelf = scalarFirstForm(xlogyRule, 'Scalar_Self');

/** `log(bᵃ + bᶜ)` to base b; two equal infinities give themselves. */
const logAddExp = (log1p: (x: number) => number, exp: (x: number) => number) => (a: number, c: number) =>
  a === c && !Number.isFinite(a) ? a : Math.max(a, c) + log1p(exp(-Math.abs(a - c)));

/** `ln(eˢᵉˡᶠ + eᵒᵗʰᵉʳ)` without overflow; floats only. */
export const Logaddexp = tensorForm(
  { ...real('logaddexp', 'log(exp(self) + exp(other))', logAddExp(Math.log1p, Math.exp), onlyFloats), commutative: true },
  'default',
);
/** `log₂(2ˢᵉˡᶠ + 2ᵒᵗʰᵉʳ)` without overflow; floats only. */
export const Logaddexp2 = tensorForm(
  {
    ...real(
      'logaddexp2',
      'log2(2^self + 2^other)',
      logAddExp(
        (x) => Math.log1p(x) / Math.LN2,
        (x) => 2 ** x,
      ),
      onlyFloats,
    ),
    commutative: true,
  },
  'default',
);

const gcd = (a: bigint, b: bigint): bigint => (b === 0n ? (a < 0n ? -a : a) : gcd(b, a % b));
/** The greatest common divisor; integers only. */
export const Gcd = tensorForm(
  {
    name: 'gcd',
    summary: 'greatest common divisor',
    commutative: true,
    compute: (d, fail) => noBools(onlyIntegers(d, fail), fail),
    kernel: () => ({ integer: (a, b) => gcd(a!, b!) }),
  },
  'default',
);
