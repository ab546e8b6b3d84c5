// `node tools/check-node-versions.mjs [VERSION …]`: opens devices and computes on several releases of Node (default: the
// oldest supported and all later even ones), each fetched with npx. The packages are bundled first. Exits 1 on a failure.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { workspaceRoot } from './workspace.mjs';

const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20.19', '22', '24', '26'];
const projects = ['ir', 'swiftshader-linux-x64', 'device-node'].map((name) => `@qfuse/${name}`);
// An empty cache, so that unpacking the driver is tried on each release too.
const cache = mkdtempSync(join(tmpdir(), 'qfuse-node-versions-'));
/** @param {string[]} args */
const npx = (args, env = {}) =>
  execFileSync('npx', args, {
    cwd: workspaceRoot,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    shell: process.platform === 'win32',
  });

try {
  npx(['nx', 'run-many', '-t', 'bundle', '-p', projects.join(',')]);
  for (const version of versions) {
    const args = ['-y', '-p', `node@${version}`, 'node', 'tools/smoke-node-version.mjs'];
    try {
      process.stdout.write(npx(args, { XDG_CACHE_HOME: join(cache, version) }));
    } catch (error) {
      const { message, stdout } = /** @type {Error & { stdout?: string }} */ (error);
      console.error(`failed on Node ${version}: ${message}\n${stdout ?? ''}`);
      process.exitCode = 1;
    }
  }
} finally {
  rmSync(cache, { recursive: true, force: true });
}
