import { attr, countOf, floatScalar, hostTensor, isFloat, storer, tensor, tensorType, type Value } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { promoteTypes } from '../promotion.js';
import { broadcastShapes, broadcastStrides, forEachOffset, reducedShape, wrapAxes, wrapAxis } from '../shapes.js';
import { DivTensor, MulTensor } from './arithmetic.js';
import { ToCopy } from './casts.js';
import { ClampMin } from './clamp.js';
import { Expand } from './expand.js';
import { LinalgVectorNorm } from './norms.js';
import { SumDimIntList } from './sums.js';
import { checked } from './support/checked.js';

/** `Σ (x1 / max(‖x1‖, eps)) · (x2 / max(‖x2‖, eps))` along `dim` of the shape that both broadcast to; `dim` goes. */
export const CosineSimilarity = defineOp({
  name: 'aten.cosine_similarity',
  summary: 'cosine of the angle between vectors along an axis',
  operands: { x1: tensor(), x2: tensor() },
  attrs: { dim: attr.optional(attr.int(), 1), eps: attr.optional(attr.float(), 1e-8) },
  commutative: ['x1', 'x2'],
  infer: ({ operands: { x1, x2 }, attrs, env, fail }) => {
    const dtype = promoteTypes(x1.dtype, x2.dtype);
    if (!isFloat(dtype)) fail(`operands are ${x1.dtype} and ${x2.dtype}, expected floats`);
    const shape = broadcastShapes(env, [x1.shape, x2.shape], fail);
    return [tensorType(dtype, reducedShape(shape, wrapAxes([attrs.dim], shape.length, fail), false))];
  },
  reference: ({ operands: { x1, x2 }, attrs, results, fail }) => {
    const rank = Math.max(x1.shape.length, x2.shape.length);
    const shape = Array.from({ length: rank }, (_, i) => {
      const [a, b] = [x1.shape[i - rank + x1.shape.length] ?? 1, x2.shape[i - rank + x2.shape.length] ?? 1];
      return a === 1 ? b : a;
    });
    const axis = wrapAxis(attrs.dim, rank, fail);
    const out = hostTensor(results[0]!.dtype, results[0]!.shape);
    // Strides of the result in the broadcast shape: 0 along the axis that goes.
    const kept = shape.map((d, i) => (i === axis ? 1 : d));
    const strides = [broadcastStrides(x1.shape, shape), broadcastStrides(x2.shape, shape), broadcastStrides(kept, shape)];
    const [a, b] = [x1, x2].map((t) => Float64Array.from(t.data as ArrayLike<number | bigint>, Number)) as [Float64Array, Float64Array];
    const [aa, bb, ab] = [0, 1, 2].map(() => new Float64Array(countOf(kept))) as [Float64Array, Float64Array, Float64Array];
    forEachOffset(shape, strides, (_, [i, j, o]) => {
      aa[o!]! += a[i!]! ** 2;
      bb[o!]! += b[j!]! ** 2;
    });
    const norms = [aa, bb].map((squares) => squares.map((s) => Math.max(Math.sqrt(s), attrs.eps))) as [Float64Array, Float64Array];
    forEachOffset(shape, strides, (_, [i, j, o]) => {
      ab[o!]! += (a[i!]! / norms[0][o!]!) * (b[j!]! / norms[1][o!]!);
    });
    const store = storer(out.dtype);
    for (let i = 0; i < out.data.length; i++) store(out.data, i, ab[i]!);
    return [out];
  },
  decompose: ({ operands: { x1, x2 }, attrs: { dim, eps }, results: [result], env, builder: b }) => {
    const size = broadcastShapes(env, [x1.type.shape, x2.type.shape], checked);
    const unit = (x: Value): Value => {
      const cast = x.type.dtype === result!.dtype ? x : b.create(ToCopy, { self: x }, { dtype: result!.dtype }).result;
      const self = b.create(Expand, { self: cast }, { size }).result;
      const norm = b.create(LinalgVectorNorm, { self }, { dim: [dim], keepdim: true }).result;
      return b.create(DivTensor, { self, other: b.create(ClampMin, { self: norm }, { min: floatScalar(eps) }).result }).result;
    };
    const products = b.create(MulTensor, { self: unit(x1), other: unit(x2) }).result;
    return [b.create(SumDimIntList, { self: products }, { dim: [dim] }).result];
  },
});
