import type { Graph } from '@qfuse/ir';
import {
  type AnyOp,
  attr,
  type AttrSpecs,
  Editor,
  type InferContext,
  type Op,
  type OperandSpecs,
  optionalTensor,
  parseGraph,
  tensor,
  tensorList,
  type TensorType,
} from '@qfuse/ir';

/** A small vocabulary of ops for the tests of this package. */

type Init<O extends OperandSpecs, A extends AttrSpecs> = Partial<Op<O, A>> &
  Pick<Op<O, A>, 'name' | 'operands' | 'infer'> & { readonly attrs?: A };

function makeOp<const O extends OperandSpecs, const A extends AttrSpecs = {}>(init: Init<O, A>): Op<O, A> {
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
export const Relu = makeOp({ name: 't.relu', operands: { x: tensor() }, infer: same });
export const View = makeOp({ name: 't.view', operands: { x: tensor() }, attrs: { tag: attr.optional(attr.int(), 0) }, infer: same });
export const Cast = makeOp({ name: 't.cast', operands: { scale: optionalTensor(), x: tensor() }, infer: same });
export const Add = makeOp({ name: 't.add', operands: { x: tensor(), y: tensor() }, commutative: ['x', 'y'], infer: same });
export const Sub = makeOp({ name: 't.sub', operands: { x: tensor(), y: tensor() }, infer: same });
export const Mul = makeOp({ name: 't.mul', operands: { x: tensor(), y: tensor() }, commutative: ['x', 'y'], infer: same });
export const MatMul = makeOp({ name: 't.matmul', operands: { x: tensor(), weight: tensor() }, infer: same });
export const Linear = makeOp({
  name: 't.linear',
  operands: { x: tensor(), weight: tensor(), bias: optionalTensor() },
  attrs: { act: attr.optional(attr.oneOf('none', 'relu'), 'none') },
  infer: same,
});
export const Split = makeOp({ name: 't.split', operands: { x: tensor() }, infer: ({ operands: { x } }) => [x, x] });
export const Concat = makeOp({
  name: 't.concat',
  operands: { items: tensorList() },
  infer: ({ operands: { items } }) => [items[0] as TensorType],
});
export const Pack = makeOp({ name: 't.pack', operands: { x: tensor(), items: tensorList(), last: tensor() }, infer: same });
export const Check = makeOp({ name: 't.check', operands: { x: tensor() }, pure: false, infer: () => [] });
export const Random = makeOp({ name: 't.random', operands: { x: tensor() }, pure: false, infer: same });
export const AddSplit = makeOp({ name: 't.add_split', operands: { x: tensor(), y: tensor() }, infer: ({ operands: { x } }) => [x, x] });

const vocabulary: readonly AnyOp[] = [Neg, Relu, View, Cast, Add, Sub, Mul, MatMul, Linear, Split, Concat, Pack, Check, Random, AddSplit];
const byName = new Map(vocabulary.map((op) => [op.name, op]));

/** The graph of a body: inputs a, b, c, d, e are f32[4], k is a constant, i an i8 input; `t.` is put before op names. */
export function read(body: string): { readonly graph: Graph; readonly edit: Editor } {
  const text = body.replaceAll(/(= |^ *)([a-z_]+)\(/gm, '$1t.$2(');
  const graph = parseGraph(
    `graph @g(%a: f32[4], %b: f32[4], %c: f32[4], %d: f32[4], %e: f32[4], %i: i8[4]) {
      %k = constant "k" : f32[4] = splat<2.0>
      %buffer = buffer "buffer" : f32[4] = splat<0.0>
      ${text}
    }`,
    { ops: (name) => byName.get(name) },
  );
  return { graph, edit: new Editor(graph) };
}
