import { attr, Editor, type Graph, printGraph, tensor, tensorType, type Value, verifyGraph } from '@qfuse/ir';
import { aten, defineOp, quant } from '@qfuse/ops';
import { absent, any, applyRules, constant, defineRule, list, maybe, oneOf, op, type OpPattern, type Rule, through } from '@qfuse/rewrite';
import { describe, expect, test } from 'vitest';
import { expectEquivalent } from './equivalence.js';
import { plant, randomAttr, type Soil } from './plant.js';
import { Random } from './random.js';

const square: Soil = { value: () => ({ type: tensorType('f32', [3, 3]) }) };
const ruleOf = (root: OpPattern<any, any>, rewrite: Rule['rewrite'] = (_, __, { root: node }) => node.results): Rule =>
  defineRule({ name: 'test/rule', summary: 'test', root, numerics: 'exact', rewrite: rewrite as never });
const grow = (root: OpPattern<any, any>, soil: Soil = square, seeds = 60): string[] =>
  Array.from({ length: seeds }, (_, seed) => {
    const graph = plant(ruleOf(root), seed, soil);
    if (graph === undefined) return '';
    expect(verifyGraph(graph)).toEqual([]);
    return printGraph(graph);
  });
const share = (texts: readonly string[], what: RegExp | string): number =>
  texts.filter((t) => (typeof what === 'string' ? t.includes(what) : what.test(t))).length / texts.length;

describe('plant', () => {
  test('makes the same graph from the same seed', () => expect(grow(op(aten.Linear))).toEqual(grow(op(aten.Linear))));

  test('an optional node is there or not', () => {
    const texts = grow(maybeRelu());
    expect(share(texts, 'aten.neg')).toBeGreaterThan(0.2);
    expect(share(texts, 'aten.neg')).toBeLessThan(0.8);
  });

  test('a passage is gone through any number of times', () => {
    const texts = grow(op(aten.Neg, { self: through([aten.Clone], op(aten.Abs, { self: any() }), 'views') }));
    for (const count of [0, 1, 2])
      expect(
        texts.some((t) => t.split('aten.clone').length - 1 === count),
        `${count} passages`,
      ).toBe(true);
  });

  test('each of several options is taken', () => {
    const texts = grow(op(aten.Neg, { self: oneOf(op(aten.Abs, { self: any() }), op(aten.Exp, { self: any() })) }));
    expect(share(texts, 'aten.abs') + share(texts, 'aten.exp')).toBe(1);
    expect(share(texts, 'aten.abs')).toBeGreaterThan(0.2);
    expect(share(texts, 'aten.exp')).toBeGreaterThan(0.2);
  });

  test('operands of a commutative op are exchanged', () => {
    const texts = grow(op(aten.MulTensor, { self: op(aten.Abs, { self: any() }), other: constant().as('c') }));
    expect(share(texts, /mul\.Tensor\(%0, %c\)/)).toBeGreaterThan(0.2);
    expect(share(texts, /mul\.Tensor\(%c, %0\)/)).toBeGreaterThan(0.2);
  });

  test('an inner node sometimes has another reader', () => {
    const texts = grow(op(aten.Neg, { self: op(aten.Abs, { self: any() }) }));
    expect(share(texts, /return %1, %\d/)).toBeGreaterThan(0.05);
    expect(share(texts, /return %1\n/)).toBeGreaterThan(0.5);
  });

  test('a name stands for one value', () => {
    for (const text of grow(op(aten.MulTensor, { self: any().as('x'), other: any().as('x') })))
      expect(text).toContain('aten.mul.Tensor(%x0, %x0)');
  });

  test('a constant is one, an absent operand is not there, a list has its elements', () => {
    for (const text of grow(op(aten.Linear, { input: any(), weight: constant().as('w'), bias: absent })))
      expect(text).toMatch(/aten\.linear\(%x0, %w\)/);
    for (const text of grow(op(aten.Cat, { tensors: list(any(), constant().as('c')) }), { ...square, attrs: () => ({ dim: 0 }) }))
      expect(text).toContain('aten.cat([%x0, %c])');
  });

  test('another result of a node may be meant', () => {
    const norm = op(aten.NativeLayerNorm, { input: any() }).result(1);
    for (const text of grow(op(aten.Neg, { self: norm }), { ...square, attrs: () => ({ normalized_shape: [3], eps: 1 }) }))
      expect(text).toContain('aten.neg(%1)');
  });

  test('results of the root are not always read', () => {
    const texts = grow(op(aten.NativeLayerNorm, { input: any() }), { ...square, attrs: () => ({ normalized_shape: [3], eps: 1 }) });
    expect(share(texts, /return %0\n/)).toBeGreaterThan(0.1);
    expect(share(texts, /return %0, %1, %2/)).toBeGreaterThan(0.1);
  });

  test('the soil says what a pattern leaves open', () => {
    const soil: Soil = {
      value: (name, _, form) => ({ type: tensorType(form === 'constant' ? 'i8' : 'f32', name === 'x' ? [2, 4] : [3, 4]), range: [1, 5] }),
      attrs: (def) =>
        def === quant.Dequantize
          ? { granularity: 'tensor', qmin: 1, qmax: 5, dtype: 'f32', axis: undefined, group_size: undefined, block_size: undefined }
          : undefined,
      free: (_, operand, edit) => (operand === 'scale' ? edit.addInput('scale', tensorType('f32', [])) : undefined),
    };
    const root = op(aten.Linear, { input: any().as('x'), weight: op(quant.Dequantize, { input: constant().as('w') }) });
    const graph = plant(ruleOf(root), 1, soil)!;
    expect(printGraph(graph)).toContain('quant.dequantize(%w, %scale)');
    const [w] = graph.constants as readonly { readonly value: Value }[];
    expect([...w!.value.constant!.bytes()].every((x) => x >= 1 && x <= 5)).toBe(true);
  });

  test('the soil may let something else read the results, and make constants of anything', () => {
    const soil: Soil = {
      value: () => ({ type: tensorType('f32', [2]), constant: true }),
      readers: ([y], edit) => [edit.create(aten.Exp, { self: y! }).result],
    };
    const graph = plant(ruleOf(op(aten.Neg, { self: any().as('x') })), 1, soil)!;
    expect(graph.inputs).toEqual([]);
    expect(printGraph(graph)).toMatch(/aten\.neg\(%x\)[^]*aten\.exp\(%0\)[^]*return %1\n/);
  });

  test('the soil may put more around it', () => {
    const soil: Soil = {
      ...square,
      around: (captured, edit) => [edit.create(aten.Exp, { self: captured.get('w')! }).result],
    };
    const graph = plant(ruleOf(op(aten.Neg, { self: op(aten.Abs, { self: constant().as('w') }).as('abs') })), 2, soil)!;
    expect(printGraph(graph)).toMatch(/aten\.exp\(%w\)[^]*return .*%2\n/);
  });

  test('is undefined when no choice fits', () => {
    const never: Soil = { value: () => ({ type: tensorType('bool', [2]) }) };
    expect(plant(ruleOf(op(aten.LayerNorm)), 1, never)).toBeUndefined();
  });

  test('does not hide a defect of a shape rule', () => {
    const broken = defineOp({
      name: 'toy.broken',
      summary: 'an op whose shape rule fails',
      operands: { self: tensor() },
      infer: () => {
        throw new TypeError('a defect');
      },
      reference: () => [],
    });
    expect(() => plant(ruleOf(op(broken)), 1)).toThrow('a defect');
  });

  test('reaches a rule whose conditions are seldom met, and finds that it is wrong', () => {
    // Takes the absolute value of a product for the product: right only where nothing is negative.
    const wrong = ruleOf(
      op(aten.Abs, { self: op(aten.MulTensor, { self: any().as('x') }).as('product') }),
      ({ product }: { product: { result: Value } }) => product.result,
    );
    const seeds = Array.from({ length: 20 }, (_, i) => i);
    const caught = seeds.filter((seed) => {
      const [before, after] = [plant(wrong, seed, square)!, plant(wrong, seed, square)!] as [Graph, Graph];
      if (applyRules(new Editor(after), [wrong]).applied === 0) return false;
      try {
        expectEquivalent(before, after, 'exact', seed);
        return false;
      } catch {
        return true;
      }
    });
    expect(caught.length).toBeGreaterThan(5);
  });
});

const maybeRelu = (): OpPattern<any, any> => op(aten.Abs, { self: maybe(op(aten.Neg), 'self', op(aten.Exp, { self: any() })) });

test.each([
  ['int', attr.int({ min: 1, max: 2 }), (v: unknown) => v === 1 || v === 2],
  ['ints', attr.ints(), (v: unknown) => Array.isArray(v) && v.every(Number.isInteger)],
  ['float', attr.float(), (v: unknown) => typeof v === 'number'],
  ['floats', attr.floats(), Array.isArray],
  ['bool', attr.bool(), (v: unknown) => typeof v === 'boolean'],
  ['bools', attr.bools(), Array.isArray],
  ['string', attr.oneOf('a', 'b'), (v: unknown) => v === 'a' || v === 'b'],
  ['dtype', attr.dtype(), (v: unknown) => typeof v === 'string'],
  ['scalar', attr.scalar(), (v: unknown) => typeof v === 'object'],
  ['scalars', attr.scalars(), Array.isArray],
  ['dim', attr.dim(), Number.isInteger],
  ['dims', attr.dims(), Array.isArray],
] as const)('a random attribute of kind %s is one', (_, spec, is) => {
  for (let seed = 0; seed < 20; seed++) expect(is(randomAttr(spec, new Random(seed)))).toBe(true);
});
