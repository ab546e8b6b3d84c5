import { type BinaryRule, scalarForm, tensorForm } from './support/binary.js';

// Elementwise comparisons, broadcast; the result is bool. Operands are compared in their promoted dtype, so a Python
// number is first rounded to the dtype of a tensor: 0.1 equals the f32 that is nearest to it.

type Order = (a: number | bigint, b: number | bigint) => boolean;

const rule = (name: string, summary: string, f: Order, commutative = false): BinaryRule => ({
  name,
  summary,
  commutative,
  result: () => 'bool',
  kernel: () => ({ float: (a, b) => f(a!, b!), integer: (a, b) => f(a!, b!) }),
});

const eq = rule('eq', 'self equals other', (a, b) => a === b, true);
const ne = rule('ne', 'self differs from other', (a, b) => a !== b, true);
const lt = rule('lt', 'self is less than other', (a, b) => a < b);
const le = rule('le', 'self is at most other', (a, b) => a <= b);
const gt = rule('gt', 'self is greater than other', (a, b) => a > b);
const ge = rule('ge', 'self is at least other', (a, b) => a >= b);

/** `self = other`; NaN equals nothing. */
export const EqTensor = tensorForm(eq);
/** {@link EqTensor} with a Python number. */
export const EqScalar = scalarForm(eq);
/** `self ≠ other`; NaN differs from everything. */
export const NeTensor = tensorForm(ne);
/** {@link NeTensor} with a Python number. */
export const NeScalar = scalarForm(ne);
/** `self < other` */
export const LtTensor = tensorForm(lt);
/** {@link LtTensor} with a Python number. */
export const LtScalar = scalarForm(lt);
/** `self ≤ other` */
export const LeTensor = tensorForm(le);
/** {@link LeTensor} with a Python number. */
export const LeScalar = scalarForm(le);
/** `self > other` */
export const GtTensor = tensorForm(gt);
/** {@link GtTensor} with a Python number. */
export const GtScalar = scalarForm(gt);
/** `self ≥ other` */
export const GeTensor = tensorForm(ge);
/** {@link GeTensor} with a Python number. */
export const GeScalar = scalarForm(ge);
