// A trained digit classifier from PyTorch, in float: qfuse quantizes it three ways, fuses what came of it and runs it on WebGPU. Then the archives
// that PyTorch itself quantized. usage: npm run demo [-- --adapter software|native|NAME]
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compileProgram } from '@qfuse/backend-webgpu';
import { compileGraph, createCompilerRegistry, histogram, loadModel, quantizeGraph, readTensors } from '@qfuse/compiler';
import { requestDevice } from '@qfuse/device-node';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { accuracyOf, constantBytes, drawDigits, median, rowsOf, sideBySide, tableOf } from './show.mjs';

const { values: options } = parseArgs({ options: { adapter: { type: 'string', default: 'auto' } } });
const fixtures = new URL('../../fixtures/pt2/', import.meta.url);
const read = (name) => readFileSync(new URL(name, fixtures));

/** The float model, and how it is quantized; 256 of the digits are what static activations are calibrated with, as in PyTorch's archives. */
const float = 'digits_mlp_qcs4w.float.pt2';
const recipes = ['weight-only:bits=4', 'dynamic-int8', 'static-int8'];
/** What PyTorch quantized. */
const archives = JSON.parse(read('cases.json').toString()).filter((c) => /^digits_mlp_qcs[48]w$/.test(c.name));

const { device, adapter, destroy } = await requestDevice({ adapter: options.adapter });
console.log(`WebGPU adapter: ${adapter.name}\n`);
const registry = createCompilerRegistry(presetWebGPU());
const load = async (name) => (await loadModel(read(name), registry, name)).graph;
const data = readTensors(read('digits_mlp_qcs4w.safetensors'), 'digits_mlp_qcs4w.safetensors');
const [digits, labels] = [data.get('in.0'), data.get('labels')];
const calibration = Array.from({ length: 8 }, (_, i) => [rowsOf(digits, 32 * i, 32)]);

/** Fuses a graph, runs all digits, and says how it went. */
async function measure(graph) {
  const before = histogram(graph);
  const start = performance.now();
  await compileGraph(graph, registry);
  const fused = performance.now();
  const program = await compileProgram(graph, { device });
  const ready = performance.now();
  const { outputs } = await program.run([digits]);
  const times = [];
  for (let i = 0; i < 10; i++) {
    const t = performance.now();
    await program.run([digits]);
    times.push(performance.now() - t);
  }
  program.dispose();
  const ms = { passes: fused - start, kernels: ready - fused, run: median(times) };
  return { before, after: histogram(graph), bytes: constantBytes(graph), ms, ...accuracyOf(outputs[0], labels) };
}

const row = (name, r) => [
  name,
  r.share.toFixed(4),
  `${r.bytes} B`,
  `${r.ms.run.toFixed(2)} ms`,
  `${r.ms.passes.toFixed(0)} + ${r.ms.kernels.toFixed(0)} ms`,
];
const head = ['', 'accuracy', 'weights', `${labels.data.length} digits`, 'passes + kernels'];

const rows = [row('float', await measure(await load(float)))];
let shown;
for (const recipe of recipes) {
  const { graph } = await quantizeGraph(await load(float), registry, { recipe, batches: calibration });
  const result = await measure(graph);
  rows.push(row(recipe, result));
  shown = { recipe, result };
}
console.log(`quantized here, from the float model:\n${tableOf(head, rows)}\n`);
console.log(`${shown.recipe}, before and after fusing:\n${sideBySide(shown.result.before, shown.result.after)}\n`);
console.log(drawDigits(digits, shown.result.predicted, labels, 6));

let wrong = 0;
const torchRows = [];
for (const { name } of archives) {
  const expected = accuracyOf(readTensors(read(`${name}.safetensors`), name).get('out.0'), labels);
  const result = await measure(await load(`${name}.pt2`));
  torchRows.push([...row(name, result), expected.share.toFixed(4)]);
  if (result.predicted.some((p, i) => p !== expected.predicted[i])) wrong++;
}
console.log(`quantized by PyTorch, fused and run here:\n${tableOf([...head, 'in PyTorch'], torchRows)}`);
if (wrong > 0) console.log(`\nWRONG: ${wrong} of the models predict other digits than in PyTorch`);
destroy();
process.exitCode = wrong === 0 ? 0 : 1;
