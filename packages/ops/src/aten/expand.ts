import { attr, type Dim, type HostTensor, type ShapeEnv, tensor, tensorList, tensorType } from '@qfuse/ir';
import { defineOp } from '../define.js';
import { broadcastShapes, broadcastStrides, type Fail, shapeText } from '../shapes.js';
import { pickStrided } from './support/pick.js';
import { renamed } from './support/renamed.js';

/** `shape` expanded to `size`, where -1 keeps a dim. */
function expandShape(shape: readonly Dim[], size: readonly Dim[], env: ShapeEnv, fail: Fail): readonly Dim[] {
  const lead = size.length - shape.length;
  const refuse = (why: string): never => fail(`shape ${shapeText(shape)} does not expand to ${shapeText(size)}: ${why}`);
  if (lead < 0) return refuse('it has more axes');
  return size.map((wanted, i) => {
    const own = shape[i - lead];
    if (wanted === -1) return own ?? refuse(`axis ${i} is new, so -1 does not say its size`);
    if (env.lessEqual(0, wanted) === 'no') refuse(`axis ${i} has a negative size`);
    if (own !== undefined && env.equal(own, wanted) === 'no' && env.equal(own, 1) === 'no')
      refuse(`only axes of size 1 expand, unlike axis ${i - lead}`);
    return wanted;
  });
}

const repeatTo = (self: HostTensor, shape: readonly number[]): HostTensor => pickStrided(self, shape, broadcastStrides(self.shape, shape));

/** `self` with axes of size 1 repeated to `size`, and new axes in front; -1 keeps an axis. */
export const Expand = defineOp({
  name: 'aten.expand',
  summary: 'axes of size 1 repeated, new axes in front',
  operands: { self: tensor() },
  attrs: { size: attr.dims() },
  infer: ({ operands: { self }, attrs, env, fail }) => [tensorType(self.dtype, expandShape(self.shape, attrs.size, env, fail))],
  reference: ({ operands: { self }, results }) => [repeatTo(self, results[0]!.shape)],
});

/** {@link Expand} into memory of its own. */
export const ExpandCopy = renamed('aten.expand_copy', Expand);

/** {@link Expand} under NumPy's name. */
export const BroadcastTo = renamed('aten.broadcast_to', Expand);

/** `self` expanded to the shape of `other`, whose elements are not read. */
export const ExpandAs = defineOp({
  name: 'aten.expand_as',
  summary: 'self expanded to the shape of other',
  operands: { self: tensor(), other: tensor() },
  infer: ({ operands: { self, other }, env, fail }) => [tensorType(self.dtype, expandShape(self.shape, other.shape, env, fail))],
  reference: ({ operands: { self }, results }) => [repeatTo(self, results[0]!.shape)],
  decompose: ({ operands: { self }, results, builder }) => builder.create(Expand, { self }, { size: results[0]!.shape }).results,
});

/** Each of `tensors` expanded to the shape that all of them broadcast to. */
export const BroadcastTensors = defineOp({
  name: 'aten.broadcast_tensors',
  summary: 'each tensor expanded to the shape they broadcast to',
  operands: { tensors: tensorList() },
  infer: ({ operands, env, fail }) => {
    const tensors = operands.tensors.map((t) => t ?? fail('an entry of tensors is None'));
    const shape = broadcastShapes(
      env,
      tensors.map((t) => t.shape),
      fail,
    );
    return tensors.map((t) => tensorType(t.dtype, shape));
  },
  decompose: ({ operands: { tensors }, results, builder }) =>
    tensors.map((t, i) => builder.create(Expand, { self: t! }, { size: results[i]!.shape }).result),
});
