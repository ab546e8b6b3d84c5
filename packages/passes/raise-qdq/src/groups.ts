import { defineRule, type Dim, dimFloorDiv, type Node, op, type Rule, type ShapeEnv, type Value } from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';
import { reshaped } from './boxes.js';
import { type Refusal, refuse } from './refusal.js';
import { isKnown } from './weights.js';

/** The boxes of a tensor that share a scale. */
interface Joined {
  readonly ok: true;
  readonly block: readonly Dim[];
  /** Shape of scales and zero points. */
  readonly scales: readonly Dim[];
}

/**
 * view(dequantize(q, s, z), […, G·g, …]) ⇒ dequantize(view(q), view(s), view(z))     q with axes […, G, g, …]
 *
 * Groups are decomposed with an axis of their own, which goes away again.
 */
export const groups: Rule = defineRule({
  name: 'raise-qdq/groups',
  summary: 'groups with an axis of their own are groups along an axis of the whole',
  root: op(aten.View, { self: op(quant.Dequantize).shared().as('dq') }),
  numerics: 'exact',
  where: ({ dq }, { root, env }) => joined(dq, root.result.type.shape, env),
  rewrite: ({ dq }, b, { root, env }) => {
    const { type } = root.result;
    const found = joined(dq, type.shape, env);
    if (!found.ok) throw new Error(found.why);
    const zero = dq.operandOrNone('zero_point');
    const given = (v: Value): Value => reshaped(v, found.scales, b);
    return b.create(
      quant.Dequantize,
      {
        input: reshaped(dq.operand('input'), type.shape, b),
        scale: given(dq.operand('scale')),
        zero_point: zero === undefined ? undefined : given(zero),
      },
      { ...dq.attrs, axis: undefined, group_size: undefined, block_size: undefined, ...gridOf(found.block) },
      { types: [type] },
    ).result;
  },
});

/** Boxes along one axis only have a name of their own. */
function gridOf(block: readonly Dim[]) {
  const axes = block.flatMap((d, i) => (d === 1 ? [] : [i]));
  const [axis = block.length - 1] = axes;
  const size = block[axis]!;
  return axes.length > 1 || typeof size !== 'number'
    ? ({ granularity: 'block', block_size: block } as const)
    : ({ granularity: 'group', axis, group_size: size } as const);
}

const NO_JOIN = 'the view does not join two neighbouring axes';

/** The boxes of what a view makes by joining two neighbouring axes; of values that are not known the last two. */
function joined(dq: Node<typeof quant.Dequantize>, to: readonly Dim[], env: ShapeEnv): Joined | Refusal {
  const { shape } = dq.result.type;
  if (shape.length !== to.length + 1 || shape.length < 2) return refuse(NO_JOIN);
  const block = blockOf(dq, shape);
  if (block === undefined) return refuse(`the scales are one a ${dq.attrs.granularity}, expected one a row, an axis or a block`);
  let verdict: Joined | Refusal = refuse(NO_JOIN);
  const last = shape.length - 2;
  for (let at = last; at >= (isKnown(dq.operand('input')) ? 0 : last); at--) {
    const found = joinedAt(at, shape, to, block, env);
    if (found?.ok === true) return found;
    verdict = found ?? verdict;
  }
  return verdict;
}

/** The boxes when axis `at` is joined to the next one; undefined when the view does something else. */
function joinedAt(
  at: number,
  shape: readonly Dim[],
  to: readonly Dim[],
  block: readonly Dim[],
  env: ShapeEnv,
): Joined | Refusal | undefined {
  const [outer, inner] = [shape[at]!, shape[at + 1]!];
  const same = to.every((d, i) => i === at || env.equal(d, shape[i < at ? i : i + 1]!) === 'yes');
  if (!same || typeof outer !== 'number' || typeof inner !== 'number' || to[at] !== outer * inner) return undefined;
  const [a, b] = block.slice(at, at + 2) as [number, number];
  // What shares a scale must be one run of the joined axis: whole inner axes, or parts of a single one.
  if (b !== inner && a !== 1) return refuse('elements that share a scale do not lie together along the joined axis');
  const join = (dims: readonly Dim[], value: Dim): readonly Dim[] => dims.toSpliced(at, 2, value);
  const counts = shape.map((d, i) => (block[i] === 1 ? d : block[i] === d ? 1 : dimFloorDiv(d, block[i]!)));
  return { ok: true, block: join(block, a * b), scales: join(counts, (outer / a) * (inner / b)) };
}

function blockOf({ attrs }: Node<typeof quant.Dequantize>, shape: readonly Dim[]): readonly Dim[] | undefined {
  const at = attrs.axis !== undefined && attrs.axis < 0 ? attrs.axis + shape.length : attrs.axis;
  switch (attrs.granularity) {
    case 'axis':
      return shape.map((d, i) => (i === at ? 1 : d));
    case 'row':
      return shape.map((d, i) => (i === shape.length - 1 ? d : 1));
    case 'block':
      return attrs.block_size;
    default:
      return undefined;
  }
}
