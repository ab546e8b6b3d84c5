import { existsSync, readFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

interface Manifest {
  exports: Record<string, string | Record<string, string>>;
}

/** Entry points are what package.json exports from sources, and `src/bin.ts` of a package that has a command. */
function entries(): string[] {
  const { exports } = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
  const exported = Object.values(exports).flatMap((target) =>
    typeof target === 'object' && target['@qfuse/source'] ? [target['@qfuse/source']] : [],
  );
  return existsSync('src/bin.ts') ? [...exported, './src/bin.ts'] : exported;
}

/** JavaScript only: declarations come from the native compiler, which is ten times faster (`declarations` in tools/nx). */
export default defineConfig({
  entry: entries(),
  format: ['esm'],
  target: 'node20',
  dts: false,
  sourcemap: true,
  // Cleaning must leave the declarations, which another target writes into the same folder.
  clean: ['!**/*.d.ts', '!**/*.d.ts.map'],
  treeshake: true,
});
