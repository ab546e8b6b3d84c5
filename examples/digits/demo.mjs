// Two trained digit classifiers, quantized by PyTorch to 8 and to 4 bits, fused by qfuse and run on WebGPU.
// usage: npm run demo [-- --adapter software|native|NAME]
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { compileProgram } from '@qfuse/backend-webgpu';
import { compileGraph, createCompilerRegistry, histogram, loadModel, readTensors } from '@qfuse/compiler';
import { requestDevice } from '@qfuse/device-node';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { accuracyOf, constantBytes, drawDigits, median, sideBySide } from './show.mjs';

const { values: options } = parseArgs({ options: { adapter: { type: 'string', default: 'auto' } } });
const fixtures = new URL('../../fixtures/pt2/', import.meta.url);
const models = JSON.parse(readFileSync(new URL('cases.json', fixtures), 'utf8')).filter((c) => /^digits_mlp_qcs[48]w$/.test(c.name));

const { device, adapter, destroy } = await requestDevice({ adapter: options.adapter });
console.log(`WebGPU adapter: ${adapter.name}\n`);

const registry = createCompilerRegistry(presetWebGPU());
let wrong = 0;
for (const { name, recipe, accuracy } of models) {
  const { graph } = await loadModel(readFileSync(new URL(`${name}.pt2`, fixtures)), registry, `${name}.pt2`);
  const before = { ops: histogram(graph), bytes: constantBytes(graph) };
  const start = performance.now();
  await compileGraph(graph, registry);
  const fused = performance.now();
  const program = await compileProgram(graph, { device });
  const ready = performance.now();

  const data = readTensors(readFileSync(new URL(`${name}.safetensors`, fixtures)), name);
  const [inputs, labels, expected] = [data.get('in.0'), data.get('labels'), data.get('out.0')];
  const { outputs } = await program.run([inputs]);
  const times = [];
  for (let i = 0; i < 10; i++) {
    const t = performance.now();
    await program.run([inputs]);
    times.push(performance.now() - t);
  }

  const found = accuracyOf(outputs[0], labels);
  const torch = accuracyOf(expected, labels);
  console.log(`${name}: ${recipe}`);
  console.log(sideBySide(before.ops, histogram(graph)));
  console.log(`  weights            ${before.bytes} B → ${constantBytes(graph)} B`);
  console.log(
    `  accuracy           ${found.share.toFixed(4)} on WebGPU, ${torch.share.toFixed(4)} in PyTorch (${labels.data.length} held-out digits; float model ${accuracy.float.toFixed(4)})`,
  );
  console.log(
    `  time               passes ${(fused - start).toFixed(0)} ms, kernels ${(ready - fused).toFixed(0)} ms, ${labels.data.length} digits ${median(times).toFixed(2)} ms\n`,
  );
  console.log(drawDigits(inputs, found.predicted, labels, 6));
  if (Math.abs(found.share - torch.share) > 1e-9 || found.predicted.some((p, i) => p !== torch.predicted[i])) {
    console.log(`  WRONG: the predictions differ from PyTorch's`);
    wrong++;
  }
  program.dispose();
}
destroy();
process.exitCode = wrong === 0 ? 0 : 1;
