import {
  attr,
  type Dim,
  dimCeilDiv,
  dimSub,
  type DType,
  type HostTensor,
  hostTensor,
  intScalar,
  isFloat,
  type Scalar,
  scalarNumber,
  scalarText,
  storer,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { defaultFloat } from '../promotion.js';
import type { Fail } from '../shapes.js';
import { type ResultType, scalarTensor } from './support/elementwise.js';

/** Bounds and step of a progression in the arithmetic of its dtype: integers are exact. */
interface Progression {
  readonly start: number | bigint;
  readonly step: number | bigint;
  readonly count: number;
}

function progression(start: Scalar, end: Scalar, step: Scalar, dtype: DType, fail: Fail): Progression {
  if (dtype === 'bool') return fail('dtype is bool, expected numbers');
  const text = `from ${scalarText(start)} to ${scalarText(end)} by ${scalarText(step)}`;
  const refuse = (): never => fail(`${text} has no elements in ${dtype}: expected a finite range and a step other than 0 towards the end`);
  if ([start, end, step].some((s) => !Number.isFinite(scalarNumber(s)))) return refuse();
  if (Math.sign(scalarNumber(end) - scalarNumber(start)) * scalarNumber(step) < 0) return refuse();
  if (dtype === 'i64') {
    const [a, b, s] = [start, end, step].map((x) => scalarTensor(x, 'i64').data[0] as bigint) as [bigint, bigint, bigint];
    if (s === 0n || (s > 0n ? b < a : b > a)) return refuse();
    return { start: a, step: s, count: Number((b - a + s - (s > 0n ? 1n : -1n)) / s) };
  }
  const [a, b, s] = [start, end, step].map(scalarNumber) as [number, number, number];
  if (s === 0 || (s > 0 ? b < a : b > a)) return refuse();
  const [from, by] = isFloat(dtype) ? [a, s] : [BigInt(Math.trunc(a)), BigInt(Math.trunc(s))];
  return { start: from, step: by, count: Math.ceil((b - a) / s) };
}

function counted({ dtype, shape }: ResultType, { start, step }: Progression): HostTensor {
  const out = hostTensor(dtype, shape);
  const store = storer(dtype);
  if (typeof start === 'bigint') for (let i = 0; i < out.data.length; i++) store(out.data, i, start + BigInt(i) * (step as bigint));
  else for (let i = 0; i < out.data.length; i++) store(out.data, i, start + i * (step as number));
  return out;
}

interface RangeAttrs {
  readonly start?: Scalar | undefined;
  readonly end: Scalar;
  readonly step?: Scalar | undefined;
  readonly dtype: DType | undefined;
}

const zero = intScalar(0);
const one = intScalar(1);

/** The default dtype is i64 unless one of the numbers is a float. */
function resolved({ start = zero, end, step = one, dtype }: RangeAttrs, fail: Fail): { readonly dtype: DType; readonly of: Progression } {
  const found = dtype ?? ([start, end, step].some((s) => s.kind === 'float') ? defaultFloat : 'i64');
  return { dtype: found, of: progression(start, end, step, found, fail) };
}

const dtypeAttr = { dtype: attr.optional(attr.dtype()) };
const forms = {
  default: { end: attr.scalar(), ...dtypeAttr },
  start: { start: attr.scalar(), end: attr.scalar(), ...dtypeAttr },
  start_step: { start: attr.scalar(), end: attr.scalar(), step: attr.optional(attr.scalar(), one), ...dtypeAttr },
} as const;

const arange = (form: keyof typeof forms) =>
  defineOp({
    name: form === 'default' ? 'aten.arange' : `aten.arange.${form}`,
    summary: 'numbers at equal distances',
    operands: {},
    attrs: forms[form],
    infer: ({ attrs, fail }) => {
      const { dtype, of } = resolved(attrs as RangeAttrs, fail);
      return [tensorType(dtype, [of.count])];
    },
    reference: ({ attrs, results: [result], fail }) => [counted(result!, resolved(attrs as RangeAttrs, fail).of)],
  });

/** `0, 1, …` below `end`; `[⌈end⌉]`, i64 or for a float end f32. */
export const Arange = arange('default');
/** `start, start + 1, …` below `end`; `[⌈end - start⌉]`, i64 or for a float bound f32. */
export const ArangeStart = arange('start');
/** `start, start + step, …` before `end`; `[⌈(end - start) / step⌉]`, i64 or for a float number f32. */
export const ArangeStartStep = arange('start_step');

/** {@link ArangeStartStep} whose bounds are sizes that depend on input shapes. */
export const ArangeSym = defineOp({
  name: 'aten.arange.sym',
  summary: 'integers at equal distances up to a size',
  operands: {},
  attrs: { start: attr.optional(attr.dim(), 0), end: attr.dim(), step: attr.optional(attr.int(), 1), ...dtypeAttr },
  infer: ({ attrs: { start, end, step, dtype = 'i64' }, env, fail }) => {
    if (step === 0) fail('step is 0, expected another number');
    const count: Dim = dimCeilDiv(step > 0 ? dimSub(end, start) : dimSub(start, end), Math.abs(step));
    if (env.lessEqual(0, count) === 'no') fail('the end lies before the start');
    return [tensorType(dtype, [count])];
  },
  reference: ({ attrs: { start, end, step }, results: [result], fail }) => [
    counted(result!, progression(intScalar(start), intScalar(end), intScalar(step), isFloat(result!.dtype) ? result!.dtype : 'i64', fail)),
  ],
});
