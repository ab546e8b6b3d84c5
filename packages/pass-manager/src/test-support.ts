import { attr, type AnyOp, parseGraph, tensor } from '@qfuse/ir';
import { any, defineRule, op } from '@qfuse/rewrite';

const unary = (name: string): AnyOp => ({
  name,
  version: 1,
  summary: name,
  operands: { x: tensor() },
  attrs: name === 'test.scaled' ? { by: attr.optional(attr.float(), 1) } : {},
  operandNames: ['x'],
  attrNames: name === 'test.scaled' ? ['by'] : [],
  variadic: -1,
  infer: ({ operands }) => [(operands as { x: never }).x],
  pure: true,
  elementwise: true,
  view: false,
});

/** Ops for tests of this package: names and shapes only. */
export const Neg = unary('test.neg');
export const Abs = unary('test.abs');
const testOps = new Map([Neg, Abs, unary('test.scaled')].map((o) => [o.name, o] as const));

/** A graph in the text form over {@link testOps}. */
export const parse = (text: string) => parseGraph(text, { ops: (name) => testOps.get(name) });

/** neg(neg(x)) ⇒ x */
export const doubleNeg = defineRule({
  name: 'test/double-neg',
  summary: 'negating twice changes nothing',
  root: op(Neg, { x: op(Neg, { x: any().as('x') } as never) } as never) as never,
  numerics: 'exact',
  rewrite: (m: { x: never }) => m.x,
});
