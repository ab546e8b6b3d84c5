import { QfuseError } from '@qfuse/ir';
import { any, defineRule, op, type Rule } from '@qfuse/rewrite';
import { expect, test } from 'vitest';
import { createRegistry, defineConfig, definePass, definePlugin, flattenPlugins, override, type Plugin } from './index.js';
import { Abs, Neg } from './test-support.js';

const pass = (name: string) => definePass({ name, summary: name, phase: 'fuse', run: () => ({ changed: false }) });
const plugin = (name: string, more: Partial<Plugin> = {}): Plugin => definePlugin({ name, version: '1.2.3', api: 1, ...more });

const failure = (run: () => unknown): QfuseError => {
  try {
    run();
  } catch (error) {
    if (error instanceof QfuseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

test('nested and conditional plugins are flattened in order', () => {
  const [a, b, c] = [plugin('a'), plugin('b'), plugin('c')];
  expect(flattenPlugins([a, false, [b, [null, c]], undefined])).toEqual([a, b, c]);
  expect(defineConfig({ plugins: [a] }).plugins).toEqual([a]);
});

test('a registry knows everything that its plugins bring, and who brought it', () => {
  const fuse = plugin('fuse', {
    ops: [Neg],
    passes: [pass('fuse-neg')],
    importers: [{ name: 'x', extensions: ['.x'], sniff: () => false, load: () => Promise.reject(new Error('unused')) }],
  });
  const registry = createRegistry([fuse, fuse, plugin('other', { ops: [Neg, Abs] })]);
  expect([...registry.ops.keys()]).toEqual(['test.neg', 'test.abs']);
  expect([...registry.passes.keys()]).toEqual(['fuse-neg']);
  expect(registry.importers.map((i) => i.name)).toEqual(['x']);
  expect(registry.ownerOf('pass', 'fuse-neg')).toBe(fuse);
  expect(registry.ownerOf('pass', 'unknown')).toBeUndefined();
  expect(Object.isFrozen(registry)).toBe(true);
});

test('two plugins that claim one name are both named', () => {
  const error = failure(() => createRegistry([plugin('one', { passes: [pass('same')] }), plugin('two', { passes: [pass('same')] })]));
  expect(error.code).toBe('registry/duplicate');
  expect(error.message).toBe('pass "same" is brought by one@1.2.3 and by two@1.2.3');
});

test('two definitions of one op are an error, one object twice is not', () => {
  const copy = { ...Neg };
  expect(failure(() => createRegistry([plugin('one', { ops: [Neg] }), plugin('two', { ops: [copy] })])).message).toContain(
    'op "test.neg" is brought by one@1.2.3 and by two@1.2.3',
  );
});

test('two passes of a plugin may share a rule, two plugins may not', () => {
  const rule = (summary: string) =>
    defineRule({ name: 'test/neg', summary, root: op(Neg, { x: any().as('x') }), numerics: 'exact', rewrite: ({ x }) => x });
  const shared = rule('a');
  const withRule = (name: string, r: Rule) => definePass({ name, summary: name, phase: 'fuse', rules: [r] });
  const one = plugin('one', { passes: [withRule('first', shared), withRule('again', shared)] });
  expect(createRegistry([one]).ownerOf('rule', 'test/neg')).toBe(one);
  expect(failure(() => createRegistry([one, plugin('two', { passes: [withRule('third', shared)] })])).message).toContain(
    'rule "test/neg" is brought by one@1.2.3 and by two@1.2.3',
  );
  expect(failure(() => createRegistry([plugin('one', { passes: [withRule('first', shared), withRule('again', rule('b'))] })])).code).toBe(
    'registry/duplicate',
  );
});

test('two copies of a package are told apart from two packages', () => {
  expect(failure(() => createRegistry([plugin('one'), plugin('one')])).help).toContain('two copies of the package');
});

test('a plugin for another api is refused', () => {
  const error = failure(() => createRegistry([plugin('new', { api: 2 })]));
  expect(error.code).toBe('registry/api');
  expect(error.message).toBe('new@1.2.3 is written for plugin api 2, this qfuse has api 1');
});

test('override replaces and removes passes by name', () => {
  const preset = [plugin('p', { passes: [pass('a'), pass('b')] })];
  const other = pass('c');
  expect(override(preset, { a: false, b: other }).flatMap((p) => p.passes)).toEqual([other]);
  expect(() => override(preset, { x: false })).toThrow('there is no pass "x"; the passes are a, b');
});
