import {
  attr,
  type AttrSpecs,
  defineOp,
  type Dim,
  dimMul,
  type InferContext,
  type OperandSpecs,
  optionalTensor,
  opTable,
  tensor,
  tensorList,
  type TensorType,
  tensorType,
} from '@qfuse/plugin';
import { aten } from '@qfuse/ops';

/**
 * A few operators with shape rules only: what the importer needs to know of an op, so that its own tests do not
 * depend on the behaviour of the op package. Nothing here can be run.
 */
const notRun = (): never => {
  throw new Error('toy ops have no reference');
};

type Shape = readonly Dim[];
const toy = <const O extends OperandSpecs, const A extends AttrSpecs>(
  name: string,
  operands: O,
  attrs: A,
  infer: (context: InferContext<O, A>) => readonly TensorType[],
) => defineOp({ name, summary: 'a toy', operands, attrs, infer, reference: notRun });

const shaped = (self: TensorType, shape: Shape): readonly TensorType[] => [tensorType(self.dtype, shape)];
const at = (dim: number, rank: number): number => (dim < 0 ? dim + rank : dim);
const total = (shape: Shape): Dim => shape.reduce((a: Dim, b) => dimMul(a, b), 1);
const known = (size: Shape, from: Shape): Shape => {
  const rest = total(size.filter((d) => d !== -1));
  return size.map((d) => (d === -1 && typeof rest === 'number' && typeof total(from) === 'number' ? (total(from) as number) / rest : d));
};

const reshape = (name: string) =>
  toy(name, { self: tensor() }, { size: attr.dims() }, ({ operands: { self }, attrs: { size } }) => shaped(self, known(size, self.shape)));
const unary = (name: string) => toy(name, { self: tensor() }, {}, ({ operands: { self } }) => [self]);
const binary = (name: string) =>
  toy(
    name,
    { self: tensor(), other: tensor() },
    { alpha: attr.optional(attr.scalar(), { kind: 'int', value: 1 }) },
    ({ operands: { self, other } }) => [self.shape.length >= other.shape.length ? self : other],
  );
const withScalar = (name: string) =>
  toy(
    name,
    { self: tensor() },
    { other: attr.scalar(), alpha: attr.optional(attr.scalar(), { kind: 'int', value: 1 }) },
    ({ operands: { self } }) => [self],
  );

const numeric = (d: Dim | undefined, otherwise: number): number => (typeof d === 'number' ? d : otherwise);

/** The ops by name. */
export const toyOps = opTable([
  aten.SliceScatter,
  aten.SelectScatter,
  aten.DiagonalScatter,
  aten.ScalarTensorSym,
  unary('aten.relu'),
  unary('aten.clamp'),
  binary('aten.add.Tensor'),
  withScalar('aten.add.Scalar'),
  binary('aten.mul.Tensor'),
  withScalar('aten.mul.Scalar'),
  binary('aten.maximum'),
  reshape('aten.view'),
  toy('aten.reshape', { self: tensor() }, { shape: attr.dims() }, ({ operands: { self }, attrs: { shape } }) =>
    shaped(self, known(shape, self.shape)),
  ),
  reshape('aten.expand'),
  toy('aten._to_copy', { self: tensor() }, { dtype: attr.dtype() }, ({ operands: { self }, attrs: { dtype } }) => [
    tensorType(dtype, self.shape),
  ]),
  toy('aten.t', { self: tensor() }, {}, ({ operands: { self } }) => shaped(self, self.shape.toReversed())),
  toy('aten.permute', { self: tensor() }, { dims: attr.ints() }, ({ operands: { self }, attrs: { dims } }) =>
    shaped(
      self,
      dims.map((d) => self.shape[at(d, self.shape.length)]!),
    ),
  ),
  toy('aten.unsqueeze', { self: tensor() }, { dim: attr.int() }, ({ operands: { self }, attrs: { dim } }) =>
    shaped(self, self.shape.toSpliced(at(dim, self.shape.length + 1), 0, 1)),
  ),
  toy('aten.select.int', { self: tensor() }, { dim: attr.int(), index: attr.dim() }, ({ operands: { self }, attrs: { dim } }) =>
    shaped(self, self.shape.toSpliced(at(dim, self.shape.length), 1)),
  ),
  toy(
    'aten.slice.Tensor',
    { self: tensor() },
    {
      dim: attr.optional(attr.int(), 0),
      start: attr.optional(attr.dim()),
      end: attr.optional(attr.dim()),
      step: attr.optional(attr.dim(), 1),
    },
    ({ operands: { self }, attrs: { dim, start, end } }) =>
      shaped(
        self,
        self.shape.with(
          dim,
          end === undefined && numeric(start, 0) === 0
            ? self.shape[dim]!
            : Math.min(numeric(end, 1e9), numeric(self.shape[dim], 1e9)) - numeric(start, 0),
        ),
      ),
  ),
  toy(
    'aten.split_with_sizes',
    { self: tensor() },
    { split_sizes: attr.dims(), dim: attr.optional(attr.int(), 0) },
    ({ operands: { self }, attrs: { split_sizes, dim } }) => split_sizes.map((n) => tensorType(self.dtype, self.shape.with(dim, n))),
  ),
  toy('aten.unbind.int', { self: tensor() }, { dim: attr.optional(attr.int(), 0) }, ({ operands: { self } }) =>
    Array.from({ length: numeric(self.shape[0], 0) }, () => tensorType(self.dtype, self.shape.slice(1))),
  ),
  toy('aten.cat', { tensors: tensorList() }, { dim: attr.optional(attr.int(), 0) }, ({ operands: { tensors } }) => [
    tensorType(
      tensors[0]!.dtype,
      tensors[0]!.shape.with(
        0,
        tensors.reduce((n, t) => n + numeric(t!.shape[0], 0), 0),
      ),
    ),
  ]),
  toy('aten.index.Tensor', { self: tensor(), indices: tensorList() }, {}, ({ operands: { self } }) => [self]),
  toy(
    'aten.layer_norm',
    { input: tensor(), weight: optionalTensor(), bias: optionalTensor() },
    { normalized_shape: attr.dims(), eps: attr.optional(attr.float(), 1e-5) },
    ({ operands: { input } }) => [input],
  ),
  toy('aten.mean.dim', { self: tensor() }, { dim: attr.ints() }, ({ operands: { self }, attrs: { dim } }) =>
    shaped(
      self,
      self.shape.filter((_, i) => !dim.includes(i)),
    ),
  ),
  toy(
    'aten.batch_norm',
    { input: tensor(), running_mean: optionalTensor() },
    { training: attr.bool(), momentum: attr.optional(attr.float()) },
    ({ operands: { input } }) => [input],
  ),
  toy('aten.masked_fill.Scalar', { self: tensor(), mask: tensor('bool') }, { value: attr.scalar() }, ({ operands: { self } }) => [self]),
]);
