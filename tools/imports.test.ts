import { expect, test } from 'vitest';
import { importsOf } from './imports.mjs';

test('every form of import is found, and whether only its types are used', () => {
  const text = `
    import 'effect';
    import a, { type B } from 'values';
    import type { C } from 'types';
    export * from 'all';
    export type { D } from 'type-exports';
    const lazy = await import('lazy');
    const old = require('old');
    type E = import('inline').E;
    // import 'comment';
    const text = "import 'text'";
    export const own = import.meta.url;
  `;
  expect(importsOf('a.ts', text)).toEqual([
    { specifier: 'effect', typeOnly: false },
    { specifier: 'values', typeOnly: false },
    { specifier: 'types', typeOnly: true },
    { specifier: 'all', typeOnly: false },
    { specifier: 'type-exports', typeOnly: true },
    { specifier: 'lazy', typeOnly: false },
    { specifier: 'old', typeOnly: false },
    { specifier: 'inline', typeOnly: true },
  ]);
});
