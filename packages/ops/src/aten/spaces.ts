import {
  attr,
  type DType,
  floatScalar,
  type HostTensor,
  hostTensor,
  intScalar,
  isFloat,
  type Scalar,
  scalarNumber,
  storer,
  tensor,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { defineOp } from '../define.js';
import { defaultFloat } from '../promotion.js';
import { type Fail, shapeText } from '../shapes.js';
import { checkScalar, type ResultType, scalarTensor } from './support/elementwise.js';

/** `steps` numbers from `start` to `end`; the second half is counted from the end, so that both are met exactly. */
function spaced(result: ResultType, start: number, end: number, f: (x: number) => number): HostTensor {
  const out = hostTensor(result.dtype, result.shape);
  const store = storer(result.dtype);
  const steps = out.data.length;
  const step = (end - start) / (steps - 1);
  for (let i = 0; i < steps; i++)
    store(out.data, i, f(i < Math.floor(steps / 2) ? start + step * i : steps === 1 ? start : end - step * (steps - i - 1)));
  return out;
}

/** A bound in the arithmetic of the result: an integer that it holds for integers. */
function boundOf(bound: Scalar, dtype: DType, fail: Fail): number {
  if (isFloat(dtype)) return scalarNumber(bound);
  checkScalar('a bound', bound, dtype, fail);
  return Number(scalarTensor(bound, dtype).data[0]);
}

function typeOf(
  { steps, dtype = defaultFloat }: { readonly steps: number; readonly dtype: DType | undefined },
  bounds: readonly TensorType[],
  fail: Fail,
): TensorType {
  for (const t of bounds) if (t.shape.length > 0) fail(`a bound has shape ${shapeText(t.shape)}, expected a 0-d tensor`);
  if (steps < 0) fail(`steps is ${steps}, expected at least 0`);
  return dtype === 'bool' ? fail('dtype is bool, expected numbers') : tensorType(dtype, [steps]);
}

const attrs = { steps: attr.int(), dtype: attr.optional(attr.dtype()) };
const bases = { linspace: {}, logspace: { base: attr.optional(attr.float(), 10) } } as const;
type Kind = keyof typeof bases;

const spread = (kind: Kind, given: object): ((x: number) => number) =>
  kind === 'linspace' ? (x) => x : (x) => (given as { readonly base: number }).base ** x;
const opName = (kind: Kind, overload: string): string => `aten.${kind}${overload}`;
const summary = 'numbers at equal distances, both ends included';
/** The element of a 0-d tensor. */
const value = (t: HostTensor): Scalar => (isFloat(t.dtype) ? floatScalar(Number(t.data[0])) : intScalar(t.data[0]!));

const ofScalars = (kind: Kind) =>
  defineOp({
    name: opName(kind, ''),
    summary,
    operands: {},
    attrs: { start: attr.scalar(), end: attr.scalar(), ...attrs, ...bases[kind] },
    infer: ({ attrs: given, fail }) => [typeOf(given, [], fail)],
    reference: ({ attrs: given, results: [result], fail }) => [
      spaced(result!, boundOf(given.start, result!.dtype, fail), boundOf(given.end, result!.dtype, fail), spread(kind, given)),
    ],
  });

const ofTensors = (kind: Kind) =>
  defineOp({
    name: opName(kind, '.Tensor_Tensor'),
    summary,
    operands: { start: tensor(), end: tensor() },
    attrs: { ...attrs, ...bases[kind] },
    infer: ({ operands: { start, end }, attrs: given, fail }) => [typeOf(given, [start, end], fail)],
    reference: ({ operands: { start, end }, attrs: given, results: [result], fail }) => [
      spaced(result!, boundOf(value(start), result!.dtype, fail), boundOf(value(end), result!.dtype, fail), spread(kind, given)),
    ],
  });

const toScalar = (kind: Kind) =>
  defineOp({
    name: opName(kind, '.Tensor_Scalar'),
    summary,
    operands: { start: tensor() },
    attrs: { end: attr.scalar(), ...attrs, ...bases[kind] },
    infer: ({ operands: { start }, attrs: given, fail }) => [typeOf(given, [start], fail)],
    reference: ({ operands: { start }, attrs: given, results: [result], fail }) => [
      spaced(result!, boundOf(value(start), result!.dtype, fail), boundOf(given.end, result!.dtype, fail), spread(kind, given)),
    ],
  });

const fromScalar = (kind: Kind) =>
  defineOp({
    name: opName(kind, '.Scalar_Tensor'),
    summary,
    operands: { end: tensor() },
    attrs: { start: attr.scalar(), ...attrs, ...bases[kind] },
    infer: ({ operands: { end }, attrs: given, fail }) => [typeOf(given, [end], fail)],
    reference: ({ operands: { end }, attrs: given, results: [result], fail }) => [
      spaced(result!, boundOf(given.start, result!.dtype, fail), boundOf(value(end), result!.dtype, fail), spread(kind, given)),
    ],
  });

/** `steps` numbers from `start` to `end`, both included; `[steps]`, f32 by default; integers are cut towards 0. */
export const Linspace = ofScalars('linspace');
/** {@link Linspace} between 0-d tensors. */
export const LinspaceTensorTensor = ofTensors('linspace');
/** {@link Linspace} from a 0-d tensor. */
export const LinspaceTensorScalar = toScalar('linspace');
/** {@link Linspace} to a 0-d tensor. */
export const LinspaceScalarTensor = fromScalar('linspace');
/** `base` to the powers that {@link Linspace} gives. */
export const Logspace = ofScalars('logspace');
/** {@link Logspace} between 0-d tensors. */
export const LogspaceTensorTensor = ofTensors('logspace');
/** {@link Logspace} from a 0-d tensor. */
export const LogspaceTensorScalar = toScalar('logspace');
/** {@link Logspace} to a 0-d tensor. */
export const LogspaceScalarTensor = fromScalar('logspace');
