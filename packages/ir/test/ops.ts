import {
  type AnyOp,
  attr,
  type AttrSpecs,
  type InferContext,
  type OperandSpecs,
  type Op,
  optionalTensor,
  symbol,
  tensor,
  tensorList,
  type TensorType,
  tensorType,
} from '../src/index.js';

/** A small vocabulary of ops for the tests of this package: every operand kind, every attribute kind, 0 to 3 results. */

type Init<O extends OperandSpecs, A extends AttrSpecs> = Partial<Op<O, A>> &
  Pick<Op<O, A>, 'name' | 'operands' | 'infer'> & { readonly attrs?: A };

export function makeOp<const O extends OperandSpecs, const A extends AttrSpecs = {}>(init: Init<O, A>): Op<O, A> {
  const operands: OperandSpecs = init.operands;
  const operandNames = Object.keys(operands);
  const attrs = (init.attrs ?? {}) as A;
  return Object.freeze({
    version: 1,
    summary: '',
    pure: true,
    elementwise: false,
    view: false,
    ...init,
    attrs,
    operandNames,
    attrNames: Object.keys(attrs),
    variadic: operandNames.findIndex((n) => operands[n]!.kind === 'variadic'),
  });
}

const same = ({ operands }: InferContext): readonly TensorType[] => [operands['x'] as TensorType];

export const Neg = makeOp({ name: 't.neg', operands: { x: tensor() }, infer: same });
export const Add = makeOp({
  name: 't.add',
  operands: { x: tensor(), y: tensor() },
  commutative: ['x', 'y'],
  infer: ({ operands: { x, y }, fail }) => (x.dtype === y.dtype ? [x] : fail(`dtypes ${x.dtype} and ${y.dtype} differ`)),
});
/** An absent operand may stand before one that is there. */
export const Norm = makeOp({
  name: 't.norm',
  operands: { x: tensor('f32', 'f64'), weight: optionalTensor(), bias: optionalTensor('f32', 'f64') },
  infer: same,
});
/** A list between two other operands; its entries may be absent. */
export const Pack = makeOp({ name: 't.pack', operands: { x: tensor(), items: tensorList(), last: tensor() }, infer: same });
export const Concat = makeOp({
  name: 't.concat',
  operands: { items: tensorList('f32', 'i32') },
  infer: ({ operands: { items } }) => [items.find((t) => t !== undefined) ?? tensorType('f32', [0])],
});
export const Split = makeOp({
  name: 't.split',
  version: 3,
  operands: { x: tensor() },
  infer: ({ operands: { x } }) => [x, tensorType('i32', []), x],
});
export const Check = makeOp({ name: 't.check', operands: { x: tensor() }, pure: false, infer: () => [] });
export const Fill = makeOp({
  name: 't.fill',
  operands: {},
  attrs: { size: attr.dims(), dtype: attr.optional(attr.dtype(), 'f32') },
  infer: ({ attrs }) => [tensorType(attrs.dtype, attrs.size)],
});
/** Every attribute kind, required. */
export const Every = makeOp({
  name: 't.every.kind',
  operands: { x: tensor() },
  attrs: {
    int: attr.int({ min: -8 }),
    ints: attr.ints(),
    float: attr.float(),
    floats: attr.floats(),
    bool: attr.bool(),
    bools: attr.bools(),
    string: attr.string(),
    mode: attr.oneOf('none', 'tanh'),
    dtype: attr.dtype(),
    scalar: attr.scalar(),
    scalars: attr.scalars(),
    dim: attr.dim(),
    dims: attr.dims(),
  },
  infer: same,
});
/** Every attribute kind, optional; some with a default. */
export const Options = makeOp({
  name: 't.options',
  version: 2,
  operands: { x: tensor() },
  attrs: {
    int: attr.optional(attr.int(), 1),
    ints: attr.optional(attr.ints()),
    float: attr.optional(attr.float(), Number.NaN),
    floats: attr.optional(attr.floats(), [0, -0]),
    bool: attr.optional(attr.bool(), false),
    bools: attr.optional(attr.bools()),
    string: attr.optional(attr.string(), 'none'),
    dtype: attr.optional(attr.dtype()),
    scalar: attr.optional(attr.scalar(), { kind: 'int', value: 1 }),
    scalars: attr.optional(attr.scalars()),
    dim: attr.optional(attr.dim(), symbol('s0')),
    dims: attr.optional(attr.dims(), []),
  },
  infer: same,
});
/** Same attribute as a part of {@link Options}, another default. */
export const Other = makeOp({ name: 't.other', operands: { x: tensor() }, attrs: { int: attr.optional(attr.int(), 2) }, infer: same });
export const Another = makeOp({ name: 't.another', operands: { x: tensor() }, attrs: { int: attr.optional(attr.int(), 1) }, infer: same });

export const vocabulary: readonly AnyOp[] = [Neg, Add, Norm, Pack, Concat, Split, Check, Fill, Every, Options, Other, Another];
const byName = new Map(vocabulary.map((op) => [op.name, op]));
export const ops = (name: string): AnyOp | undefined => byName.get(name);

export const f32 = (...shape: TensorType['shape'][number][]): TensorType => tensorType('f32', shape);
