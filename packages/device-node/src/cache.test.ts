import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { cacheFolders, installOnce } from './cache.js';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'qfuse-cache-test-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const intact = (folder: string) => existsSync(join(folder, 'file')) && readFileSync(join(folder, 'file'), 'utf8') === 'whole';
const write = (folder: string) => writeFileSync(join(folder, 'file'), 'whole');
const install = (base: string, writer = write) => installOnce(base, 'thing', intact, writer);

describe('installOnce', () => {
  test('writes once, and leaves nothing beside what it wrote', () => {
    const base = join(root, 'a/b');
    const folder = install(base);
    expect(folder).toBe(join(base, 'thing'));
    expect(install(base, () => expect.unreachable())).toBe(folder);
    expect(readdirSync(base)).toEqual(['thing']);
  });

  test.each(['half', ''])('replaces a damaged folder (%j)', (contents) => {
    mkdirSync(join(root, 'thing'));
    writeFileSync(join(root, 'thing/file'), contents);
    expect(intact(install(root))).toBe(true);
    expect(readdirSync(root)).toEqual(['thing']);
  });

  test('replaces a file where the folder should be', () => {
    writeFileSync(join(root, 'thing'), 'x');
    expect(intact(install(root))).toBe(true);
  });

  test('accepts what another process put there meanwhile', () => {
    const folder = install(root, (work) => {
      write(work);
      mkdirSync(join(root, 'thing'));
      write(join(root, 'thing'));
    });
    expect(intact(folder)).toBe(true);
    expect(readdirSync(root)).toEqual(['thing']);
  });

  test('repairs what another process damaged meanwhile', () => {
    let times = 0;
    const flaky = (folder: string) => (folder.endsWith('thing') && times++ < 3 ? false : intact(folder));
    expect(installOnce(root, 'thing', flaky, write)).toBe(join(root, 'thing'));
  });

  test('a writer that fails leaves nothing behind', () => {
    const fail = () => {
      throw new Error('disk full');
    };
    expect(() => install(root, fail)).toThrow('disk full');
    expect(() => install(root, () => undefined)).toThrow('not intact after it was written');
    expect(readdirSync(root)).toEqual([]);
  });

  test('refuses a folder that others could put code into', () => {
    const base = join(root, 'open');
    mkdirSync(base);
    chmodSync(base, 0o777);
    expect(() => install(base)).toThrow('writable for everybody');
    symlinkSync(root, join(root, 'link'));
    expect(() => install(join(root, 'link'))).toThrow('not a folder');
  });
});

describe('cacheFolders', () => {
  test('prefers XDG_CACHE_HOME, then the home, then a private temporary folder', () => {
    const folders = cacheFolders({ XDG_CACHE_HOME: '/x' });
    expect(folders[0]).toBe(join('/x', 'qfuse'));
    expect(folders.slice(1)).toEqual(cacheFolders({}));
    expect(folders.at(-1)).toBe(join(tmpdir(), `qfuse-${process.getuid?.() ?? 'user'}`));
  });

  test('ignores a relative XDG_CACHE_HOME, as the specification says', () => {
    expect(cacheFolders({ XDG_CACHE_HOME: 'x' })).toEqual(cacheFolders({}));
  });
});
