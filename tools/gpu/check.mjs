// Checks and times qfuse on a real GPU, as one bundle for a bare machine; prints JSON lines.
//   node tools/gpu/bundle.mjs OUT_FOLDER                            makes the bundle with the fixtures that it reads
//   node OUT_FOLDER/check.mjs [adapter] [--parts=models,samples,shapes,forms,kernels]    runs it (npm `webgpu` must be found from there)
// Samples are the operator samples of torch, shapes the shape lists of all kernels; both are checked, not timed.
// The options of `npm run bench -- kernels` hold for the kernels; see tools/bench/kernels.mjs.
import { readdirSync, readFileSync } from 'node:fs';
import { compileProgram, createTarget, webgpuKernels } from '@qfuse/backend-webgpu';
import { compareTensors, compileGraph, createCompilerRegistry, histogram, loadModel, readTensors } from '@qfuse/compiler';
import { diagnose, requestDevice, warmUp } from '@qfuse/device-node';
import { runGraph } from '@qfuse/interp';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { difference } from '../../packages/backend-webgpu/test/compare.js';
import { graphOfSample, runGuarded } from '../../packages/backend-webgpu/test/guarded.js';
import { readSamples, tryOnDevice } from '../../packages/compiler/test/opinfo.js';
import { benchKernels, kernelOptions } from '../bench/kernels.mjs';
import { checkForms } from './forms.mjs';

const say = (record) => console.log(JSON.stringify(record));
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const args = process.argv.slice(2);
const adapter = args.find((a) => !a.startsWith('--')) ?? 'auto';
const parts = (args.find((a) => a.startsWith('--parts='))?.slice('--parts='.length) ?? 'models,samples,shapes,forms,kernels').split(',');
const fixtures = new URL('./fixtures/', import.meta.url);

say({ what: 'diagnosis', ...(await diagnose()) });
const node = await requestDevice({ adapter });
say({ what: 'adapter', ...node.adapter });
if (parts.includes('models')) await checkModels();
if (parts.includes('samples')) await checkSamples();
if (parts.includes('shapes')) await checkShapes();
if (parts.includes('forms')) await sayForms();
node.destroy();
if (parts.includes('kernels'))
  for await (const record of benchKernels({ ...kernelOptions(args), adapter })) say({ what: 'kernel', ...record });

/** The forms of the packed linears that are wrong, and of each form how many were checked and the largest error. */
async function sayForms() {
  const forms = new Map();
  for await (const record of checkForms(node.device, { quick: node.adapter.isSoftware })) {
    if (!record.right) say({ what: 'form', ...record });
    const key = `${record.forms.join(' + ')}, accuracy ${record.accuracy}`;
    const sum = forms.get(key) ?? { checked: 0, wrong: 0, worst: 0, error: 0 };
    forms.set(key, {
      checked: sum.checked + 1,
      wrong: sum.wrong + (record.right ? 0 : 1),
      worst: Math.max(sum.worst, record.worst ?? Infinity),
      error: Math.max(sum.error, record.error ?? 0),
    });
  }
  for (const [form, sum] of forms) say({ what: 'forms', form, ...sum });
}

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

/** Every archive of operator samples in the folder: a line for each sample that is wrong, then the counts. */
async function checkSamples() {
  for (const file of readdirSync(fixtures).filter((f) => f.endsWith('.tar.gz'))) {
    const counts = {};
    for (const sample of readSamples(new URL(file, fixtures))) {
      const outcome = await tryOnDevice(sample, node.device);
      counts[outcome.kind] = (counts[outcome.kind] ?? 0) + 1;
      if (outcome.kind === 'wrong' || outcome.kind === 'defect')
        say({ what: 'sample', file, id: sample.id, kind: outcome.kind, why: outcome.why ?? String(outcome.error) });
    }
    say({ what: 'samples', file, ...counts });
  }
}

/** The shape list of every kernel against the float64 reference, within the kernel's stated error. */
async function checkShapes() {
  const target = createTarget(node.device);
  const counts = { right: 0, refused: 0, wrong: 0 };
  for (const kernel of webgpuKernels)
    for (const [i, given] of kernel.samples.entries()) {
      const { graph, inputs } = graphOfSample(kernel, given);
      if (!kernel.supports(graph.nodes().next().value, target).ok) {
        counts.refused++;
        continue;
      }
      let why;
      try {
        const actual = await runGuarded(node.device, graph, inputs, [kernel], target);
        const expected = runGraph(graph, inputs).outputs;
        why = actual.flatMap((a, k) => difference(a, expected[k], kernel.error) ?? [])[0];
      } catch (error) {
        why = error.message;
      }
      counts[why === undefined ? 'right' : 'wrong']++;
      if (why !== undefined) say({ what: 'shape', kernel: kernel.name, sample: i, why });
    }
  say({ what: 'shapes', kernels: webgpuKernels.length, ...counts });
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
