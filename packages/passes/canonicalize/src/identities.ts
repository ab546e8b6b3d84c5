import {
  any,
  defineRule,
  isFloat,
  no,
  op,
  type OpDefinition,
  type Rule,
  type Scalar,
  scalarNumber,
  type TensorType,
  type Verdict,
  yes,
} from '@qfuse/plugin';
import { aten } from '@qfuse/ops';
import { ruleNameOf } from './rule-name.js';

const self = any().as('self');

const isUnchanged = (def: OpDefinition, before: TensorType, after: TensorType): Verdict =>
  before === after ? yes : no(`${def.name} changes the ${before.dtype === after.dtype ? 'shape' : 'dtype'}`);

/** to(x, dtype), type_as(x, y), … ⇒ _to_copy(x, dtype) */
const toCast = (def: OpDefinition): Rule =>
  defineRule({
    name: `canonicalize/${ruleNameOf(def)}-to-cast`,
    summary: `${def.name} is a cast`,
    root: op(def, { self }),
    numerics: 'exact',
    rewrite: ({ self: value }, b, { root }) => b.create(aten.ToCopy, { self: value }, { dtype: root.result.type.dtype }).result,
  });

/** broadcast_to(x, shape), expand_as(x, y), … ⇒ expand(x, shape of the result) */
const toExpand = (def: OpDefinition): Rule =>
  defineRule({
    name: `canonicalize/${ruleNameOf(def)}-to-expand`,
    summary: `${def.name} is an expand to the shape of its result`,
    root: op(def, { self }),
    numerics: 'exact',
    rewrite: ({ self: value }, b, { root }) =>
      b.create(aten.Expand, { self: value }, { size: root.result.type.shape }, { types: [root.result.type] }).result,
  });

/** cast(x, dtype of x) ⇒ x,  expand(x, shape of x) ⇒ x */
const unchanged = (def: OpDefinition): Rule =>
  defineRule({
    name: `canonicalize/${ruleNameOf(def)}-identity`,
    summary: `${def.name} that changes neither dtype nor shape goes`,
    root: op(def, { self }),
    numerics: 'exact',
    where: (m, { root }) => isUnchanged(def, m.self.type, root.result.type),
    rewrite: (m) => m.self,
  });

/** slice(x, d, 0, size of d, 1) ⇒ x     a part of the same length with step 1 is all of it */
const whole = (def: typeof aten.SliceTensor): Rule =>
  defineRule({
    name: `canonicalize/${ruleNameOf(def)}-whole`,
    summary: 'a slice that takes everything goes',
    root: op(def, { self }),
    numerics: 'exact',
    where: (m, { root }) =>
      root.attrs.step === 1 ? isUnchanged(def, m.self.type, root.result.type) : no(`the step is ${String(root.attrs.step)}, expected 1`),
    rewrite: (m) => m.self,
  });

/** The scalars of `f(x, other, alpha)`. */
interface Scalars {
  readonly other: Scalar;
  readonly alpha?: Scalar;
}

/**
 * add(x, 0) ⇒ x for integers,  sub(x, 0) ⇒ x,  mul(x, 1) ⇒ x,  div(x, 1) ⇒ x
 *
 * Signs of zeros count: x + 0 turns the float −0 into 0, and so does x − (−0).
 */
const neutral = (def: OpDefinition, element: 0 | 1, floats: boolean): Rule =>
  defineRule({
    name: `canonicalize/${ruleNameOf(def)}-neutral`,
    summary: `${def.name} with ${element} changes nothing`,
    root: op(def, { self }),
    numerics: 'exact',
    where: (m, { root }) => {
      const { other, alpha } = root.attrs as unknown as Scalars;
      if (!Object.is(scalarNumber(other), element))
        return no(`the other operand is ${Object.is(scalarNumber(other), -0) ? '-0' : scalarNumber(other)}, expected ${element}`);
      const factor = alpha === undefined ? 1 : scalarNumber(alpha);
      if (isFloat(m.self.type.dtype) && !floats) return no('adding 0 to floats turns -0 into 0');
      if (isFloat(m.self.type.dtype) && !(factor > 0 && factor < Infinity)) return no(`alpha is ${factor}: its product with 0 is not 0`);
      return isUnchanged(def, m.self.type, root.result.type);
    },
    rewrite: (m) => m.self,
  });

const casts = [aten.ToDtype, aten.ToDtypeLayout, aten.ToDevice, aten.ToOther, aten.TypeAs];
const expands = [aten.ExpandCopy, aten.BroadcastTo, aten.ExpandAs];

/** Nodes that change nothing go; casts and expands have one spelling. */
export const identityRules: readonly Rule[] = [
  ...casts.map(toCast),
  ...expands.map(toExpand),
  ...[aten.ToCopy, aten.Expand].map(unchanged),
  ...[aten.SliceTensor, aten.SliceCopyTensor].map(whole),
  neutral(aten.AddScalar, 0, false),
  neutral(aten.SubScalar, 0, true),
  neutral(aten.MulScalar, 1, true),
  neutral(aten.DivScalar, 1, true),
];
