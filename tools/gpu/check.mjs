// Checks and times qfuse on a real GPU, as one bundle for a bare machine; prints JSON lines.
//   node tools/gpu/bundle.mjs OUT_FOLDER                            makes the bundle with the fixtures that it reads
//   node OUT_FOLDER/check.mjs [adapter] [--parts=models,kernels]    runs it (npm `webgpu` must be found from there)
// The options of `npm run bench -- kernels` hold for the kernels; see tools/bench/kernels.mjs.
import { readdirSync, readFileSync } from 'node:fs';
import { compileProgram } from '@qfuse/backend-webgpu';
import { compareTensors, compileGraph, createCompilerRegistry, histogram, loadModel, readTensors } from '@qfuse/compiler';
import { diagnose, requestDevice, warmUp } from '@qfuse/device-node';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { benchKernels, kernelOptions } from '../bench/kernels.mjs';

const say = (record) => console.log(JSON.stringify(record));
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const args = process.argv.slice(2);
const adapter = args.find((a) => !a.startsWith('--')) ?? 'auto';
const parts = (args.find((a) => a.startsWith('--parts='))?.slice('--parts='.length) ?? 'models,kernels').split(',');
const fixtures = new URL('./fixtures/', import.meta.url);

say({ what: 'diagnosis', ...(await diagnose()) });
const node = await requestDevice({ adapter });
say({ what: 'adapter', ...node.adapter });
if (parts.includes('models')) await checkModels();
node.destroy();
if (parts.includes('kernels'))
  for await (const record of benchKernels({ ...kernelOptions(args), adapter })) say({ what: 'kernel', ...record });

/** Every case that is in the folder: fused, and within 1e-4 of the largest output. Those that have no kernel say so. */
async function checkModels() {
  const registry = createCompilerRegistry(presetWebGPU());
  for (const file of readdirSync(fixtures).filter((f) => f.endsWith('.pt2'))) {
    const name = file.slice(0, -4);
    try {
      say({ what: 'model', name, ...(await checkModel(registry, file, name)) });
    } catch (error) {
      say({ what: 'model', name, right: false, error: `${error.code ?? ''} ${error.message}`.trim() });
    }
  }
}

async function checkModel(registry, file, name) {
  const { graph } = await loadModel(readFileSync(new URL(file, fixtures)), registry, file);
  await compileGraph(graph, registry);
  const start = performance.now();
  const program = await compileProgram(graph, { device: node.device });
  try {
    const compileMs = performance.now() - start;
    const data = readTensors(readFileSync(new URL(`${name}.safetensors`, fixtures)), name);
    const inputs = graph.inputs.map((_, i) => data.get(`in.${i}`));
    const { outputs } = await program.run(inputs);
    const errors = outputs.map((actual, i) => {
      const wanted = data.get(`out.${i}`);
      const largest = wanted.data.reduce((a, b) => Math.max(a, Math.abs(Number(b))), 0);
      const { maxAbsError, withinTolerance } = compareTensors(actual, wanted, { atol: 1e-4 * largest, rtol: 0 });
      return { share: maxAbsError / largest, withinTolerance };
    });
    await warmUp(node);
    const times = [];
    for (let i = 0; i < 50; i++) {
      const t = performance.now();
      await program.run(inputs);
      times.push(performance.now() - t);
    }
    return {
      right: errors.every((e) => e.withinTolerance),
      worstShare: Math.max(...errors.map((e) => e.share)),
      dequantizeLeft: histogram(graph)['quant.dequantize'] ?? 0,
      compileMs,
      runMs: median(times),
    };
  } finally {
    program.dispose();
  }
}
