// `node tools/check-node-versions.mjs [--report FILE] [VERSION …]`: qfuse on several releases of Node (default: the oldest
// supported one and the newest), each fetched with npx: devices, and the models of fixtures/pt2. The packages are bundled
// first. --report writes a report in the form of vitest's. Exits 1 on a failure, also when a release cannot be fetched.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { addReports } from './tests/report.mjs';
import { workspaceRoot } from './workspace.mjs';

const { values, positionals } = parseArgs({ options: { report: { type: 'string' } }, allowPositionals: true });
const oldest = JSON.parse(readFileSync(join(workspaceRoot, 'package.json'), 'utf8')).engines.node.replace(/^>=(\d+\.\d+)$/, '$1.0');
const versions = positionals.length > 0 ? positionals : [oldest, 'latest'];
const folder = mkdtempSync(join(tmpdir(), 'qfuse-node-versions-'));
/**
 * @param {string[]} args
 * @param {Record<string, string>} env
 */
const npx = (args, env = {}) =>
  execFileSync('npx', args, {
    cwd: workspaceRoot,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });

/**
 * The results on one release; one that cannot be run has one failure.
 * @param {string} version
 * @returns {import('./tests/report.mjs').FileResult}
 */
function check(version) {
  const name = `Node ${version}`;
  const results = join(folder, `${version}.json`);
  // An empty cache, so that unpacking the driver is tried on each release too.
  const env = { XDG_CACHE_HOME: join(folder, version) };
  try {
    for (const script of [['tools/smoke-node-version.mjs'], ['tools/cases-node-version.mjs', results]])
      npx(['-y', '-p', `node@${version}`, 'node', ...script], env);
  } catch (error) {
    console.error(`failed on ${name}: ${/** @type {Error} */ (error).message}`);
    return { name, status: 'failed', assertionResults: [] };
  }
  /** @type {{ name: string, problem?: string }[]} */
  const checks = JSON.parse(readFileSync(results, 'utf8'));
  for (const { name: what, problem } of checks) if (problem !== undefined) console.error(`failed on ${name}: ${what}: ${problem}`);
  const assertionResults = [{ name: 'devices' }, ...checks].map((c) => ({
    fullName: c.name,
    status: 'problem' in c ? 'failed' : 'passed',
  }));
  return { name, status: assertionResults.some((r) => r.status === 'failed') ? 'failed' : 'passed', assertionResults };
}

try {
  npx(['nx', 'run-many', '-t', 'bundle']);
  const testResults = versions.map(check);
  const report = { success: testResults.every((r) => r.status === 'passed'), testResults };
  if (values.report !== undefined) writeFileSync(values.report, JSON.stringify(report));
  const { passed, failures } = addReports([report]);
  console.log(`${passed} passed, ${failures.length} failed`);
  process.exitCode = report.success ? 0 : 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
