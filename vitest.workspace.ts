import { playwright } from '@vitest/browser-playwright';
import { defaultClientConditions, defaultServerConditions } from 'vite';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { chromiumArgs, locateChromium } from './tools/browser/chromium.mjs';
import { listPackages } from './tools/workspace.mjs';

const root = import.meta.dirname;
/** Condition under which packages of this workspace resolve to their sources, so that tests need no build. */
const source = '@qfuse/source';
const seconds = 1000;

/** Packages whose tests start processes or a software GPU, which take tens of seconds on two slow cores. */
const slowPackages = new Set(['@qfuse/backend-webgpu', '@qfuse/cli', '@qfuse/compiler', '@qfuse/device-node']);

/**
 * The one test configuration: a project per package, one for `tools`, one for the browser.
 * `vitest run` is the fast suite; `vitest run --mode full` is the slow one, the files named `*.full.test.ts`.
 */
export default defineConfig(({ mode }) => {
  const full = mode === 'full';
  const timeout = (factor: number) => ({
    testTimeout: (full ? 600 : factor * 30) * seconds,
    hookTimeout: (full ? 600 : factor * 30) * seconds,
  });
  const pick = (folder: string) =>
    full
      ? { include: [`${folder}**/*.full.test.ts`] }
      : {
          include: [`${folder}**/*.test.ts`],
          exclude: ['**/node_modules/**', '**/*.full.test.ts', '**/*.browser.test.ts'],
        };

  const node: TestProjectConfiguration[] = listPackages(root).map(({ name, root: folder }) => ({
    extends: true,
    root: `${root}/${folder}`,
    test: {
      name,
      environment: 'node',
      setupFiles: [`${root}/tools/tests/fast-check.setup.ts`],
      ...pick('src/'),
      ...timeout(slowPackages.has(name) ? 4 : 1),
    },
  }));
  const tools: TestProjectConfiguration = {
    extends: true,
    root: `${root}/tools`,
    test: { name: 'tools', environment: 'node', ...pick(''), ...timeout(4) },
  };

  return {
    root,
    resolve: { conditions: [source, ...defaultClientConditions] },
    ssr: { resolve: { conditions: [source, ...defaultServerConditions] } },
    test: {
      projects: [...node, tools, ...(full ? [] : browser())],
      coverage: {
        provider: 'v8',
        include: ['packages/**/src/**/*.ts'],
        exclude: ['**/*.test.ts', '**/*.bench.ts', '**/src/testing/**', '**/src/test-support.ts'],
        reporter: ['text', 'json-summary'],
      },
    },
  };
});

/** The files named `*.browser.test.ts`, in headless Chromium with WebGPU. Left out only when QFUSE_BROWSER=0 asks for it. */
function browser(): TestProjectConfiguration[] {
  if (process.env.QFUSE_BROWSER === '0') {
    console.warn('QFUSE_BROWSER=0: the browser tests are left out of this run.');
    return [];
  }
  const { executablePath, env } = locateChromium();
  return [
    {
      extends: true,
      root,
      test: {
        name: 'browser',
        include: ['packages/**/src/**/*.browser.test.ts'],
        exclude: ['**/node_modules/**'],
        benchmark: { include: [] },
        testTimeout: 120 * seconds,
        hookTimeout: 120 * seconds,
        // Unpacks the packaged Chromium, or fails the run with a clear line; not reached when no browser test is selected.
        globalSetup: ['tools/browser/chromium.mjs'],
        browser: {
          enabled: true,
          headless: true,
          screenshotFailures: false,
          provider: playwright({
            launchOptions: { executablePath, args: chromiumArgs, env: { ...process.env, ...env } },
          }),
          instances: [{ browser: 'chromium' }],
        },
      },
    },
  ];
}
