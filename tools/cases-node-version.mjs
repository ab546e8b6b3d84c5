// What tools/check-node-versions.mjs runs on each release of Node beside the smoke test, on the built packages: the models
// of fixtures/pt2 with weight-only linears through the command line, from the archive and from the compiled program, in
// the interpreter and on the software adapter. Usage: `node tools/cases-node-version.mjs RESULTS.json`.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { main } from '@qfuse/cli';
import { workspaceRoot } from './workspace.mjs';

/** The cases that have to be right; `packages/cli/src/cases.test.ts` looks at their graphs too. */
const wanted = /^(linear_qcs|mlp_qcs8w_tied$|digits_mlp_|hf_bert_w8_dyn$|hf_gpt2_w8$|hf_torch_encoder_w8)/;
/** There were so many; a fixture that got lost must not pass for a success. */
const LEAST = 17;
const places = [
  ['in the interpreter', '--device', 'reference'],
  ['on WebGPU', '--device', 'webgpu', '--adapter', 'software'],
];

const fixtures = join(workspaceRoot, 'fixtures', 'pt2');
const files = readdirSync(fixtures);
const names = JSON.parse(readFileSync(join(fixtures, 'cases.json'), 'utf8')).flatMap(({ name }) => (wanted.test(name) ? [name] : []));
const output = resolve(process.argv[2] ?? 'results.json');
const folder = mkdtempSync(join(tmpdir(), 'qfuse-cases-'));
process.chdir(folder);

/** @type {{ name: string, problem: string | undefined }[]} */
const results = [];

/**
 * Runs the command in this process.
 * @param {string} name what it is to prove
 * @param {string[]} args
 */
async function qfuse(name, ...args) {
  let text = '';
  const { stdout } = process;
  const { write } = stdout;
  stdout.write = /** @type {typeof write} */ (
    (/** @type {string | Uint8Array} */ part) =>
      ((text += part), true)
  );
  await main([...args, '--json']).finally(() => (stdout.write = write));
  const problem = process.exitCode ? `exit code ${process.exitCode}: ${text}` : undefined;
  process.exitCode = undefined;
  results.push({ name, problem });
}

for (const name of names) {
  const [archive, program] = [join(fixtures, `${name}.pt2`), join(folder, `${name}.qfuse`)];
  await qfuse(`${name}.pt2 compiles`, 'compile', archive, '-o', program);
  for (const data of files.filter((file) => file.startsWith(`${name}.`) && file.endsWith('.safetensors')))
    for (const model of [archive, program])
      for (const [where = '', ...device] of places) {
        const tensors = join(fixtures, data);
        const what = `${name}${model === archive ? '.pt2' : '.qfuse'} is right ${where}, ${data}`;
        await qfuse(what, 'run', model, ...device, '--inputs', tensors, '--expect', tensors);
      }
}
results.push({ name: `there are at least ${LEAST} cases`, problem: names.length < LEAST ? `there are ${names.length}` : undefined });

process.chdir(workspaceRoot);
rmSync(folder, { recursive: true, force: true });
writeFileSync(output, JSON.stringify(results));
console.log(`${results.length} checks of ${names.length} models on Node ${process.versions.node}`);
