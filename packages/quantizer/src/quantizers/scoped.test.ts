import type { Node } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { getSymmetricQuantizationConfig } from '../configs/symmetric.js';
import { getXNNPACKQuantizationConfig } from '../configs/xnnpack.js';
import { prepare } from '../prepare.js';
import { composeQuantizers, defineQuantizer, type Quantizer } from '../quantizer.js';
import { moduleNameFilter, moduleOf } from '../scopes.js';
import { errorOf, graphOf } from '../test-support.js';
import type { QuantizationScopes } from './scoped.js';
import { linearQuantizer } from './weights.js';
import { xnnpackQuantizer } from './xnnpack.js';

const text = `graph @main(%x: f32[2, 4]) {
  %blocks.0.fc.weight = parameter "blocks.0.fc.weight" : f32[4, 4] = splat<0.5>
  %blocks.1.fc.weight.t = constant "blocks.1.fc.weight.t" : f32[4, 4] = splat<0.25>
  %head.weight = parameter "head.weight" : f32[4, 4] = splat<0.125>
  %0 = aten.linear(%x, %blocks.0.fc.weight) : f32[2, 4] loc("linear" in "blocks.0.fc")
  %1 = aten.linear(%0, %blocks.1.fc.weight.t) : f32[2, 4] loc("canonicalize/addmm-to-linear"["view" in "blocks.1", "addmm" in "blocks.1.fc", "view_1" in "blocks"])
  %2 = aten.add.Tensor(%1, %x) : f32[2, 4] loc("add" in "blocks.1")
  %3 = aten.linear(%2, %head.weight) : f32[2, 4] loc("linear_2")
  return %3
}`;
const eight = getSymmetricQuantizationConfig();
const four = getSymmetricQuantizationConfig({ weightBits: 4 });

/** Bits of the weights of the linears in order; 0 for one that stays float. */
function bits(scopes: QuantizationScopes, make: (scopes: QuantizationScopes) => Quantizer = linearQuantizer): readonly number[] {
  const { graph, annotations } = prepare(graphOf(text), make(scopes));
  return [...graph.nodes()].flatMap((n) => {
    const spec = annotations.of(n)?.inputs.get(1);
    return n.op.name !== 'aten.linear' ? [] : [spec?.kind === 'own' ? Math.log2(spec.qmax! - spec.qmin! + 1) : 0];
  });
}

test('the module of a node is the one that owns its parameters, else that of its last source', () => {
  expect([...graphOf(text).nodes()].map(moduleOf)).toEqual(['blocks.0.fc', 'blocks.1.fc', 'blocks.1', '']);
});

test('a tied parameter does not make its owner the module', () => {
  const tied = graphOf(`graph @main(%x: f32[2, 4]) {
    %m.transformer.wte.weight = parameter "m.transformer.wte.weight" : f32[4, 4] = splat<0.5>
    %0 = aten.linear(%x, %m.transformer.wte.weight) : f32[2, 4] loc("canonicalize/linear-of-view"["view" in "m.transformer", "linear" in "m.lm_head"])
    return %0
  }`);
  expect([...tied.nodes()].map(moduleOf)).toEqual(['m.lm_head']);
});

describe('patterns of modules', () => {
  const matches = (pattern: string): string =>
    [...graphOf(text).nodes()].map((n: Node) => (moduleNameFilter(pattern)(n) ? '1' : '0')).join('');
  test.each([
    ['blocks', '1110'],
    ['blocks.1', '0110'],
    ['blocks.*.fc', '1100'],
    ['**.fc', '1100'],
    ['*.fc', '0000'],
    ['fc', '0000'],
    ['bl', '0000'],
    ['linear_2', '0001'],
    ['linear', '1000'],
    ['blocks.0.fc.weight', '0000'],
    ['blocks.(0|1)', '0000'],
  ])('%s', (pattern, expected) => expect(matches(pattern)).toBe(expected));
});

describe('scopes', () => {
  test.each<readonly [string, QuantizationScopes, readonly number[]]>([
    ['all', { global: eight }, [8, 8, 8]],
    ['none', {}, [0, 0, 0]],
    ['modules before all', { global: eight, moduleNames: { 'blocks.1': four } }, [8, 4, 8]],
    ['the first of two modules that fit', { moduleNames: { 'blocks.1.fc': four, blocks: eight } }, [8, 4, 0]],
    ['a module that stays float', { global: eight, moduleNames: { 'blocks.0': null } }, [0, 8, 8]],
    ['operator types before all', { global: eight, operatorTypes: { linear: four } }, [4, 4, 4]],
    ['an operator type that stays float', { global: eight, operatorTypes: { linear: null } }, [0, 0, 0]],
    ['excluded', { global: eight, exclude: ['blocks.*.fc'] }, [0, 0, 8]],
    ['included', { global: eight, include: ['blocks'], exclude: ['blocks.1'] }, [8, 0, 0]],
    ['a filter', { global: four, filter: (n) => moduleOf(n) !== '' }, [4, 4, 0]],
  ])('%s', (_, scopes, expected) => expect(bits(scopes)).toEqual(expected));

  test('operator types choose among the patterns of the static quantizer', () => {
    const config = getXNNPACKQuantizationConfig();
    const places = (scopes: QuantizationScopes): number => prepare(graphOf(text), xnnpackQuantizer(scopes)).groups.length;
    expect(places({ operatorTypes: { add: config } })).toBe(3);
    expect(places({ global: config, operatorTypes: { add: null } })).toBe(8);
    expect(places({ global: config, exclude: ['blocks'] })).toBe(3);
  });

  test('a pattern that names nothing lists the modules', async () => {
    expect(await errorOf(() => bits({ global: eight, exclude: ['block.0'] }))).toBe(
      'quantizer/scope: no node comes from a module "block.0" (its modules are blocks.0.fc, blocks.1.fc, blocks.1)',
    );
    expect(await errorOf(() => bits({ moduleNames: { nothing: eight } }))).toContain('no node comes from a module "nothing"');
  });
});

test('composed quantizers leave alone what an earlier one took', () => {
  const both = (): Quantizer =>
    composeQuantizers(linearQuantizer({ global: four, include: ['blocks.0'] }), linearQuantizer({ global: eight }));
  expect(bits({}, both)).toEqual([4, 8, 8]);
  expect(both().name).toBe('linear-and-linear');
});

test('a quantizer can refuse what it annotated', async () => {
  const strict = defineQuantizer({
    name: 'strict',
    annotate: () => undefined,
    validate: ({ graph }) => {
      if (graph.size > 3) throw new Error('too many nodes');
    },
  });
  expect(() => prepare(graphOf(text), strict)).toThrow('too many nodes');
  expect(() => defineQuantizer({ name: 'Not A Name', annotate: () => undefined })).toThrow('expected lower case');
});
