import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fileSource, writeAtomically } from './node.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(realpathSync(tmpdir()), 'qfuse-node-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);
const parts = (...texts: string[]): Uint8Array[] => texts.map((t) => new TextEncoder().encode(t));
const failing = function* (): Generator<Uint8Array> {
  yield new Uint8Array(3);
  throw new Error('no more');
};

describe('writeAtomically', () => {
  test('writes all parts, also over a file that is there', () => {
    expect(writeAtomically(at('a'), parts('one', ' two'))).toBe(7);
    expect(writeAtomically(at('a'), parts('three'))).toBe(5);
    expect(readFileSync(at('a'), 'utf8')).toBe('three');
    expect(readdirSync(folder)).toEqual(['a']);
  });

  test('leaves the old file, and nothing else, when it fails', () => {
    writeFileSync(at('a'), 'old');
    expect(() => writeAtomically(at('a'), failing())).toThrow('no more');
    expect(() => writeAtomically(at('b'), failing())).toThrow('no more');
    expect(readdirSync(folder)).toEqual(['a']);
    expect(readFileSync(at('a'), 'utf8')).toBe('old');
  });

  test('writes what a link leads to', () => {
    mkdirSync(at('deep'));
    writeFileSync(at('deep/real'), 'old');
    symlinkSync(at('deep/real'), at('link'));
    writeAtomically(at('link'), parts('new'));
    expect(readFileSync(at('deep/real'), 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['deep', 'link']);
    expect(readdirSync(at('deep'))).toEqual(['real']);
  });

  test('writes a device as it is', () => {
    symlinkSync('/dev/null', at('nothing'));
    expect(writeAtomically(at('nothing'), parts('gone'))).toBe(4);
    expect(statSync(at('nothing')).isCharacterDevice()).toBe(true);
    expect(readdirSync(folder)).toEqual(['nothing']);
  });

  test.each([
    ['a folder', '.', 'is a folder'],
    ['no name', undefined, 'is a folder'],
    ['a folder that is not there', 'no/a', 'ENOENT'],
    ['a file as a folder', 'file/a', 'ENOTDIR'],
  ])('refuses %s, naming what was asked for', (_, name, message) => {
    writeFileSync(at('file'), '');
    const path = name === undefined ? '' : at(name);
    let error: unknown;
    try {
      writeAtomically(path, parts('x'));
    } catch (caught) {
      error = caught;
    }
    expect((error as Error).message).toContain(message);
    if ('syscall' in (error as Error)) expect((error as NodeJS.ErrnoException).path).toBe(path);
    expect(readdirSync(folder)).toEqual(['file']);
  });
});

describe('fileSource', () => {
  test('reads where it is asked to, and not behind the end', () => {
    writeFileSync(at('a'), 'abcdef');
    const source = fileSource(at('a'));
    expect(source.size).toBe(6);
    expect(new TextDecoder().decode(source.read(2, 3) as Uint8Array)).toBe('cde');
    expect(() => source.read(4, 3)).toThrow('ends at byte 6');
  });

  test('refuses a folder', () => expect(() => fileSource(folder)).toThrow('is not a file'));
});
