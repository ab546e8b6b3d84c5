import { existsSync, lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';

/**
 * Folders that may hold what is unpacked once per user, best first: `$XDG_CACHE_HOME/qfuse`, `~/.cache/qfuse`,
 * `<temporary folder>/qfuse-<user>`. None has to exist or be writable.
 */
export function cacheFolders(env: NodeJS.ProcessEnv = process.env): string[] {
  const folders: string[] = [];
  // By the XDG specification a relative path is to be ignored.
  if (env['XDG_CACHE_HOME'] && isAbsolute(env['XDG_CACHE_HOME'])) folders.push(join(env['XDG_CACHE_HOME'], 'qfuse'));
  try {
    if (isAbsolute(homedir())) folders.push(join(homedir(), '.cache', 'qfuse'));
  } catch {
    // A user without an entry in the user database and without $HOME has no home.
  }
  folders.push(join(tmpdir(), `qfuse-${process.getuid?.() ?? 'user'}`));
  return [...new Set(folders)];
}

/**
 * Makes sure that `<base>/<name>` holds what `write` writes, for any number of processes that ask at once: the files are
 * written aside and renamed into place, so nobody ever sees a part of them.
 *
 * @param isIntact - decides from the files whether a folder that is already there can be used
 * @param write - fills an empty folder
 * @returns the folder, intact
 * @throws Error when the folder cannot be written, or belongs to somebody else
 */
export function installOnce(base: string, name: string, isIntact: (folder: string) => boolean, write: (folder: string) => void): string {
  const target = join(base, name);
  makeFolders(base);
  requireOwn(base);
  // Another process may replace a damaged folder between two steps here; each such process leaves an intact one.
  for (let attempt = 0; attempt < 3; attempt++) {
    if (isIntact(target)) return target;
    const work = mkdtempSync(`${target}.`);
    try {
      const fresh = join(work, 'new');
      mkdirSync(fresh);
      write(fresh);
      if (!isIntact(fresh)) throw new Error(`${fresh} is not intact after it was written; is the disk full?`);
      replace(target, fresh, join(work, 'old'));
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  if (isIntact(target)) return target;
  throw new Error(`${target} does not stay intact`);
}

/** `mkdir` with `recursive` never returns for a path in `/proc` (Node 20), which a broken $HOME may name. */
function makeFolders(folder: string): void {
  if (existsSync(folder)) return;
  makeFolders(dirname(folder));
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}

/** A folder cannot be renamed onto a folder with files in it, so a damaged one is moved away first. */
function replace(target: string, fresh: string, old: string): void {
  try {
    renameSync(target, old);
  } catch {
    // Nothing there yet, or another process was faster.
  }
  try {
    renameSync(fresh, target);
  } catch (error) {
    if (!['EEXIST', 'ENOTEMPTY'].includes(String((error as NodeJS.ErrnoException).code))) throw error;
  }
}

/** What lies in the folder is going to be loaded as code, so it must not be writable for anybody else. */
function requireOwn(folder: string): void {
  if (!process.getuid) return;
  const stat = lstatSync(folder);
  if (!stat.isDirectory()) throw new Error(`${folder} is not a folder`);
  if (stat.uid !== process.getuid()) throw new Error(`${folder} belongs to another user`);
  if (stat.mode & 0o002) throw new Error(`${folder} is writable for everybody`);
}
