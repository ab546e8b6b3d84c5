// `node tools/gpu/bundle.mjs OUT_FOLDER`: bundles check.mjs with everything of this workspace into one file, beside the fixtures it reads.
// What a bare machine needs besides: Node, the npm package `webgpu`, and a Vulkan loader with the libEGL that NVIDIA's driver asks for.
import { cpSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { workspaceRoot } from '../workspace.mjs';

const [out] = process.argv.slice(2);
if (out === undefined) {
  console.error('usage: node tools/gpu/bundle.mjs OUT_FOLDER');
  process.exit(2);
}
/** The software driver stays at home: 6 MB that a machine with a GPU does not need. */
const withoutSoftwareDriver = {
  name: 'without-software-driver',
  setup(bundler) {
    bundler.onResolve({ filter: /^@qfuse\/swiftshader-linux-x64$/ }, ({ path }) => ({ path, namespace: 'left-out' }));
    bundler.onLoad({ filter: /.*/, namespace: 'left-out' }, () => ({
      contents:
        "export const driver = undefined;\nexport function readDriver() { throw new Error('the software driver is not in this bundle'); }",
    }));
  },
};
mkdirSync(join(out, 'fixtures'), { recursive: true });
await build({
  entryPoints: [join(workspaceRoot, 'tools/gpu/check.mjs')],
  outfile: join(out, 'check.mjs'),
  bundle: true,
  platform: 'node',
  format: 'esm',
  conditions: ['@qfuse/source'],
  external: ['webgpu'],
  plugins: [withoutSoftwareDriver],
});
const wanted = /(?<!\.float)\.(pt2|safetensors)$/;
const folder = join(workspaceRoot, 'fixtures/pt2');
cpSync(join(workspaceRoot, 'fixtures/opinfo.tar.gz'), join(out, 'fixtures/opinfo.tar.gz'));
for (const file of readdirSync(folder)) if (wanted.test(file)) cpSync(join(folder, file), join(out, 'fixtures', file));
