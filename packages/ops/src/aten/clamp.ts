import { attr, type DType, type HostTensor, optionalTensor, type Scalar, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { type Promotable, resultType } from '../promotion.js';
import { broadcastShapes, type Fail } from '../shapes.js';
import { applyKernel, checkScalar, type Kernel, type ResultType, scalarTensor } from './support/elementwise.js';
import { maximum, minimum } from './support/special-functions.js';

const larger: Kernel = { float: maximum, integer: (a, b) => (a! > b! ? a! : b!) };
const smaller: Kernel = { float: minimum, integer: (a, b) => (a! < b! ? a! : b!) };

/** `min(max(x, low), high)` for the bounds that are given: NaN of any stays NaN, and `high` wins over `low`. */
function clamped(self: HostTensor, low: HostTensor | undefined, high: HostTensor | undefined, result: ResultType): HostTensor {
  const { dtype } = result;
  const raised = low === undefined ? self : applyKernel(larger, result, dtype, [self, low]);
  return high === undefined ? raised : applyKernel(smaller, result, dtype, [raised, high]);
}

const scalarOperand = (scalar: Scalar | undefined): readonly Promotable[] => (scalar === undefined ? [] : [{ scalar }]);

function boundedDType(self: Promotable, min: Scalar | undefined, max: Scalar | undefined, fail: Fail): DType {
  if (min === undefined && max === undefined) return fail('has neither min nor max, expected at least one');
  const dtype = resultType([self, ...scalarOperand(min), ...scalarOperand(max)]);
  for (const [name, s] of [
    ['min', min],
    ['max', max],
  ] as const)
    if (s !== undefined) checkScalar(name, s, dtype, fail);
  return dtype === 'bool' ? fail('self and bounds are bool, expected numbers') : dtype;
}

const bound = (scalar: Scalar | undefined, dtype: DType): HostTensor | undefined =>
  scalar === undefined ? undefined : scalarTensor(scalar, dtype);

/** `min(max(x, min), max)`; a bound may be absent. The dtypes of self and bounds are promoted. */
export const Clamp = defineOp({
  name: 'aten.clamp',
  summary: 'limits x to a range',
  operands: { self: tensor() },
  attrs: { min: attr.optional(attr.scalar()), max: attr.optional(attr.scalar()) },
  elementwise: true,
  infer: ({ operands: { self }, attrs: { min, max }, fail }) => [tensorType(boundedDType(self, min, max, fail), self.shape)],
  reference: ({ operands: { self }, attrs: { min, max }, results: [result] }) => [
    clamped(self, bound(min, result!.dtype), bound(max, result!.dtype), result!),
  ],
});

/** {@link Clamp} with tensors as bounds; all three broadcast. */
export const ClampTensor = defineOp({
  name: 'aten.clamp.Tensor',
  summary: 'limits x to a range, one an element',
  operands: { self: tensor(), min: optionalTensor(), max: optionalTensor() },
  elementwise: true,
  infer: ({ operands: { self, min, max }, env, fail }) => {
    const all = [self, min, max].filter((t) => t !== undefined);
    if (all.length === 1) fail('has neither min nor max, expected at least one');
    if (all.length === 3 && all.every((t) => t.dtype === 'bool')) fail('operands are bool, expected numbers');
    return [
      tensorType(
        resultType(all),
        broadcastShapes(
          env,
          all.map((t) => t.shape),
          fail,
        ),
      ),
    ];
  },
  reference: ({ operands: { self, min, max }, results: [result] }) => [clamped(self, min, max, result!)],
});

/** `max(x, min)`. */
export const ClampMin = defineOp({
  name: 'aten.clamp_min',
  summary: 'raises x to a lower bound',
  operands: { self: tensor() },
  attrs: { min: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { self }, attrs: { min }, fail }) => [tensorType(boundedDType(self, min, undefined, fail), self.shape)],
  reference: ({ operands: { self }, attrs: { min }, results: [result] }) => [clamped(self, bound(min, result!.dtype), undefined, result!)],
  decompose: ({ operands: { self }, attrs: { min }, builder }) => [builder.create(Clamp, { self }, { min }).result],
});

/** `min(x, max)`. */
export const ClampMax = defineOp({
  name: 'aten.clamp_max',
  summary: 'lowers x to an upper bound',
  operands: { self: tensor() },
  attrs: { max: attr.scalar() },
  elementwise: true,
  infer: ({ operands: { self }, attrs: { max }, fail }) => [tensorType(boundedDType(self, undefined, max, fail), self.shape)],
  reference: ({ operands: { self }, attrs: { max }, results: [result] }) => [clamped(self, undefined, bound(max, result!.dtype), result!)],
  decompose: ({ operands: { self }, attrs: { max }, builder }) => [builder.create(Clamp, { self }, { max }).result],
});

/** `max(x, min)` with a tensor as bound; they broadcast. */
export const ClampMinTensor = defineOp({
  name: 'aten.clamp_min.Tensor',
  summary: 'raises x to a lower bound, one an element',
  operands: { self: tensor(), min: tensor() },
  elementwise: true,
  infer: ({ operands: { self, min }, env, fail }) => [
    tensorType(resultType([self, min]), broadcastShapes(env, [self.shape, min.shape], fail)),
  ],
  decompose: ({ operands, builder }) => [builder.create(ClampTensor, operands).result],
});

/** `min(x, max)` with a tensor as bound; they broadcast. */
export const ClampMaxTensor = defineOp({
  name: 'aten.clamp_max.Tensor',
  summary: 'lowers x to an upper bound, one an element',
  operands: { self: tensor(), max: tensor() },
  elementwise: true,
  infer: ({ operands: { self, max }, env, fail }) => [
    tensorType(resultType([self, max]), broadcastShapes(env, [self.shape, max.shape], fail)),
  ],
  decompose: ({ operands, builder }) => [builder.create(ClampTensor, operands).result],
});
