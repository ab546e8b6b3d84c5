import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, vi } from 'vitest';
import { main } from '../src/main.js';

/** What a command printed and how it ended. */
export interface Ended<J> {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  /** What `--json` printed. */
  readonly json: J;
}

/** Every test of the file runs in an empty folder of its own. */
export function useEmptyFolder(): void {
  const home = process.cwd();
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'qfuse-cli-'));
    process.chdir(folder);
  });
  afterAll(() => {
    process.chdir(home);
    rmSync(folder, { recursive: true, force: true });
  });
  afterEach(() => {
    vi.restoreAllMocks();
    process.exitCode = undefined;
  });
}

/** Runs the command line in this process. */
export async function runCommand<J>(...args: string[]): Promise<Ended<J>> {
  const parts = { out: '', err: '' };
  const catcher = (name: 'out' | 'err') => (text: string | Uint8Array) => {
    parts[name] += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(catcher('out') as never);
  vi.spyOn(process.stderr, 'write').mockImplementation(catcher('err') as never);
  vi.spyOn(console, 'log').mockImplementation((...words) => void (parts.out += `${words.join(' ')}\n`));
  await main(args);
  const code = Number(process.exitCode ?? 0);
  process.exitCode = undefined;
  vi.restoreAllMocks();
  return { code, ...parts, json: (args.includes('--json') ? JSON.parse(parts.out) : undefined) as J };
}
