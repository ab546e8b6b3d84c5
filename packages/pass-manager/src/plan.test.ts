import { QfuseError } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { attr } from '@qfuse/ir';
import { createPlan, definePass, defineProperty, explainPlan, parsePipeline, type Pass, pipelineText } from './index.js';

const property = (name: string) => defineProperty({ name, summary: `${name} holds`, check: () => ({ ok: true }) });
const shaped = property('shaped');
const folded = property('folded');

const pass = (name: string, more: Partial<Parameters<typeof definePass>[0]> = {}): Pass =>
  definePass({ name, summary: name, phase: 'fuse', run: () => ({ changed: false }), ...more } as never);

const names = (passes: readonly Pass[]) => passes.map((p) => p.name);
const codeOf = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    if (error instanceof QfuseError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'nothing thrown';
};

describe('order', () => {
  test('phases first, then the given order', () => {
    expect(names(createPlan([pass('c', { phase: 'lower' }), pass('b'), pass('a', { phase: 'normalize' }), pass('d')]).passes)).toEqual([
      'a',
      'b',
      'd',
      'c',
    ]);
  });

  test('after and before count only when both passes are there', () => {
    const a = pass('a', { after: ['b', 'missing'] });
    const c = pass('c', { before: ['b'] });
    expect(names(createPlan([a, pass('b'), c]).passes)).toEqual(['c', 'b', 'a']);
  });

  test('a provider runs before the pass that requires its property', () => {
    const plan = createPlan([pass('user', { requires: [shaped] }), pass('maker', { provides: [shaped] })]);
    expect(names(plan.passes)).toEqual(['maker', 'user']);
    expect(plan.edges).toEqual([{ from: 'maker', to: 'user', why: 'user requires shaped, maker provides it' }]);
    expect(explainPlan(plan)).toContain('after maker: user requires shaped, maker provides it');
  });

  test('a property of the imported graph needs no provider', () => {
    expect(names(createPlan([pass('user', { requires: [shaped] })], [shaped]).passes)).toEqual(['user']);
  });
});

describe('a plan that cannot hold is refused before anything runs', () => {
  test('the same pass twice', () => {
    expect(codeOf(() => createPlan([pass('a'), pass('a')]))).toBe('plan/duplicate: pass "a" is in the plan twice');
  });

  test('a cycle names each edge and who asked', () => {
    expect(codeOf(() => createPlan([pass('a', { after: ['b'] }), pass('b', { after: ['a'] })]))).toBe(
      'plan/cycle: no order satisfies all passes: b before a (a says after b); a before b (b says after a)',
    );
  });

  test('an order against the phases', () => {
    const early = pass('early', { phase: 'normalize', after: ['late'] });
    expect(codeOf(() => createPlan([early, pass('late', { phase: 'lower' })]))).toContain(
      'plan/phase: late (phase lower) would have to run before early (phase normalize)',
    );
  });

  test('a property that nobody provides', () => {
    expect(codeOf(() => createPlan([pass('a', { requires: [folded] })]))).toBe(
      'plan/missing: a requires "folded" (folded holds): no pass of the plan provides it',
    );
  });

  test('a property that is broken in between names the breaker', () => {
    const passes = [
      pass('maker', { provides: [folded] }),
      pass('breaker', { breaks: [folded], after: ['maker'] }),
      pass('user', { requires: [folded], after: ['breaker'] }),
    ];
    expect(codeOf(() => createPlan(passes))).toContain('breaker breaks it before');
  });
});

describe('pipeline text', () => {
  const limited = pass('fold', {
    phase: 'normalize',
    options: { limit: attr.optional(attr.int({ min: 0 }), 64), deep: attr.optional(attr.bool(), false) },
  } as never);
  const all = new Map([limited, pass('cse', { phase: 'normalize' }), pass('fuse-linear')].map((p) => [p.name, p] as const));
  const read = (text: string) => parsePipeline(text, (name) => all.get(name));

  test('options are shown where they differ from their defaults, and read back', () => {
    const text = 'normalize(fold{deep = true, limit = 8}, cse), fuse(fuse-linear)';
    const passes = read(text);
    expect(names(passes)).toEqual(['fold', 'cse', 'fuse-linear']);
    expect(passes[0]!.options).toEqual({ limit: 8, deep: true });
    expect(pipelineText(passes)).toBe(text);
    expect(pipelineText([limited])).toBe('normalize(fold)');
    expect(read('')).toEqual([]);
  });

  test.each([
    ['fuse(nothing)', 'pipeline/unknown-pass: there is no pass "nothing"'],
    ['later(cse)', 'pipeline/phase: "later" is not a phase'],
    ['normalize(fold{limit = -1})', 'pass/options: pass fold: option "limit": expected int >= 0, found -1'],
    ['normalize(fold{size = 1})', 'pass/options: pass fold has no option "size"; it has limit, deep'],
    ['normalize(cse', 'ir/parse: line 1, column 14: expected ")", found the end'],
  ])('%s is refused', (text, message) => {
    expect(codeOf(() => read(text))).toContain(message);
  });
});
