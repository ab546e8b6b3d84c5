import { attr, createRegistry, QfuseError, type Recipe } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { convert } from '../convert.js';
import { defineQuantizer, type Quantizer } from '../quantizer.js';
import { quantizer } from '../plugin.js';
import { prepare } from '../prepare.js';
import { errorOf, graphOf, gridsOf, quantize, tensor } from '../test-support.js';
import { parseRecipe } from './parse-recipe.js';
import { defineRecipe } from './recipe.js';
import { recipes } from './recipes.js';

const known = createRegistry(quantizer()).recipes;
const text = `graph @main(%x: f32[2, 64], %i: i64[3]) {
  %e.weight = parameter "e.weight" : f32[4, 64] = splat<0.5>
  %a.weight = parameter "a.weight" : f32[3, 64] = splat<0.5>
  %a.bias = parameter "a.bias" : f32[3] = splat<0.5>
  %b.weight = parameter "b.weight" : f32[3, 64] = splat<0.25>
  %0 = aten.embedding(%e.weight, %i) : f32[3, 64] loc("embedding" in "e")
  %1 = aten.linear(%x, %a.weight, %a.bias) : f32[2, 3] loc("linear" in "a")
  %2 = aten.linear(%0, %b.weight) : f32[3, 3] loc("linear_1" in "b")
  return %1, %2
}`;

/** The grids of the constants, and how many activations are quantized, with a recipe. */
const grids = (recipe: string): readonly string[] => gridsOf(convert(prepare(graphOf(text), parseRecipe(recipe, known).quantizer)));
const constants = (recipe: string): readonly string[] =>
  grids(recipe).filter((g) => g.startsWith('dequantize') && !/ (tensor|row) -128 127$/.test(g));

describe('recipes', () => {
  test('say what they are, and whether they need data', async () => {
    expect(recipes.map((r) => `${r.name} ${r.needsCalibration}`)).toEqual([
      'weight-only false',
      'dynamic-int8 false',
      'static-int8 true',
      'w4 false',
      '8da4w false',
      'embedding false',
    ]);
    for (const recipe of recipes) {
      expect(prepare(graphOf(text), recipe.create()).needsCalibration).toBe(recipe.needsCalibration);
      expect(recipe.summary.includes('needs no data')).toBe(!recipe.needsCalibration);
    }
  });

  test.each([
    ['weight-only', ['dequantize axis 0 -128 127', 'dequantize axis 0 -128 127']],
    ['weight-only:bits=4', ['dequantize axis 0 -8 7', 'dequantize axis 0 -8 7']],
    ['weight-only:granularity=group,group=16,bits=4,exclude=a', ['dequantize group 1 16 -8 7']],
    ['dynamic-int8:bits=4,exclude=b', ['dequantize axis 0 -8 7']],
    ['w4', ['dequantize group 1 32 -8 7', 'dequantize group 1 32 -8 7']],
    ['w4:group=0,bits=2,include=a', ['dequantize axis 0 -2 1']],
    ['8da4w:group=16,include=b', ['dequantize group 1 16 -8 7']],
    ['embedding', ['dequantize group 1 32 -8 7']],
    ['embedding:bits=8,mapping=asymmetric', ['dequantize group 1 32 -128 127']],
    ['w4: exclude = a | b ', []],
  ])('%s', (recipe, expected) => expect(constants(recipe)).toEqual(expected));

  test('dynamic recipes quantize activations for the tensor or for each row', () => {
    expect(grids('dynamic-int8').filter((g) => g.startsWith('quantize'))).toEqual(['quantize tensor -128 127', 'quantize tensor -128 127']);
    expect(grids('8da4w').filter((g) => g.startsWith('quantize'))).toEqual(['quantize row -128 127', 'quantize row -128 127']);
  });

  test('the static recipe takes biases as integers when asked', async () => {
    const batch = [tensor([2, 64]), { dtype: 'i64' as const, shape: [3], data: BigInt64Array.of(0n, 1n, 2n) }];
    const dtypes = async (recipe: string): Promise<readonly string[]> =>
      (await quantize(graphOf(text), parseRecipe(recipe, known).quantizer, [batch])).graph.constants.map((c) => c.constant.type.dtype);
    expect(await dtypes('static-int8')).not.toContain('i32[3]');
    expect((await dtypes('static-int8:bias=int32')).filter((d) => d === 'i32').length).toBeGreaterThan(
      (await dtypes('static-int8')).filter((d) => d === 'i32').length,
    );
  });
});

describe('text of recipes', () => {
  test('an option of truth values may stand alone, numbers are read', () => {
    let seen = '';
    const probe = defineRecipe({
      name: 'probe',
      summary: 'reads options',
      options: { fast: attr.optional(attr.bool(), false), rate: attr.optional(attr.float(), 1), kind: attr.optional(attr.dtype(), 'i8') },
      create: (o) => {
        seen = `${o.fast} ${o.rate * 2} ${o.kind}`;
        return defineQuantizer({ name: 'q', annotate: () => undefined });
      },
    });
    const one = new Map<string, Recipe>([['probe', probe]]);
    const read = (given: string): string => {
      expect(parseRecipe(given, one).quantizer.name).toBe('q');
      return seen;
    };
    expect(read('probe')).toBe('false 2 i8');
    expect(read('probe:fast, rate=0.25, kind=u8')).toBe('true 0.5 u8');
    expect(read('probe:fast=false')).toBe('false 2 i8');
  });

  test.each([
    ['w5', 'there is no recipe "w5" (the recipes are weight-only, dynamic-int8, static-int8, w4, 8da4w, embedding)'],
    ['', 'no recipe is named'],
    ['w4:size=3', 'recipe w4: there is no option "size" (its options are include, exclude, bits, group, mapping)'],
    ['w4:group', 'option "group" has no value, expected group=int >= 0'],
    ['w4:group=a', 'option "group" is "a", expected int >= 0'],
    ['w4:group=1.5', 'option "group" is "1.5", expected int >= 0'],
    ['w4:group=-1', 'option "group": expected int >= 0, found -1'],
    ['w4:group=', 'option "group" is "", expected int >= 0'],
    ['w4:mapping=odd', 'option "mapping" is "odd", expected one of "symmetric", "asymmetric", "symmetric-no-clipping"'],
    ['w4:', '"w4:" has an option without a name'],
    ['w4:group=32,group=64', 'option "group" is given twice'],
    ['weight-only:bits=5', 'weightBits is 5, expected 4 or 8'],
    ['w4:constructor=1', 'there is no option "constructor"'],
  ])('%s is refused', async (given, expected) => expect(await errorOf(() => parseRecipe(given, known))).toContain(expected));

  test('a recipe that makes no quantizer is a defect of its plugin', () => {
    const bad: Recipe = { name: 'bad', summary: '', options: {}, create: () => ({}) };
    expect(() => parseRecipe('bad', new Map([['bad', bad]]))).toThrow('does not make a quantizer');
  });

  test('what fails says whose defect it is, and what is refused stays as it is', async () => {
    const boom = (): never => {
      throw new TypeError('boom');
    };
    const refused = (): never => {
      throw new QfuseError('test/refused', 'share is 2');
    };
    const graph = graphOf('graph @main(%x: f32[2]) {\n  return %x\n}');
    const recipe = (create: () => Quantizer): Recipe => defineRecipe({ name: 'r', summary: '', create });
    expect(() => recipe(boom).create({})).toThrow(
      expect.objectContaining({ message: 'recipe r failed: boom', cause: expect.any(TypeError) }),
    );
    expect(() => recipe(refused).create({})).toThrow(new QfuseError('test/refused', 'share is 2'));
    for (const step of ['transformForAnnotation', 'annotate', 'validate']) {
      const of = (run: () => never): Quantizer => defineQuantizer({ name: 'q', annotate: () => undefined, [step]: run });
      expect(() => prepare(graph, of(boom)), step).toThrow('quantizer q failed: boom');
      expect(() => prepare(graph, of(refused)), step).toThrow(new QfuseError('test/refused', 'share is 2'));
    }
  });

  test('definitions are checked', () => {
    const create = () => defineQuantizer({ name: 'q', annotate: () => undefined });
    expect(() => defineRecipe({ name: 'My Recipe', summary: '', create })).toThrow('is not a recipe name');
    expect(() => defineRecipe({ name: 'r', summary: '', options: { bits: attr.int() }, create })).toThrow('option "bits" needs a default');
  });
});
