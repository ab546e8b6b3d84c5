// Checks and times qfuse on a real GPU, as one bundle for a bare machine; prints JSON lines.
//   node tools/gpu/bundle.mjs OUT_FOLDER     makes the bundle with the fixtures that it reads
//   node OUT_FOLDER/check.mjs [adapter]      runs it (npm `webgpu` must be found from there)
import { readdirSync, readFileSync } from 'node:fs';
import { compileProgram } from '@qfuse/backend-webgpu';
import { compareTensors, compileGraph, createCompilerRegistry, histogram, loadModel, readTensors } from '@qfuse/compiler';
import { diagnose, requestDevice, warmUp } from '@qfuse/device-node';
import { constantOf, Editor, Graph, tensorOf, tensorType } from '@qfuse/ir';
import { fused } from '@qfuse/ops';
import { presetWebGPU } from '@qfuse/preset-webgpu';

const say = (record) => console.log(JSON.stringify(record));
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];
const adapter = process.argv[2] ?? 'auto';
const fixtures = new URL('./fixtures/', import.meta.url);

say({ what: 'diagnosis', ...(await diagnose()) });
const node = await requestDevice({ adapter });
say({ what: 'adapter', ...node.adapter });
await checkModels();
await timeLinears();
await timeLinears({ reversed: true });
node.destroy();

/** Every case that is in the folder: fused, and within 1e-4 of the largest output. */
async function checkModels() {
  const registry = createCompilerRegistry(presetWebGPU());
  for (const file of readdirSync(fixtures).filter((f) => f.endsWith('.pt2'))) {
    const name = file.slice(0, -4);
    const { graph } = await loadModel(readFileSync(new URL(file, fixtures)), registry, file);
    await compileGraph(graph, registry);
    const start = performance.now();
    const program = await compileProgram(graph, { device: node.device });
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
    say({
      what: 'model',
      name,
      right: errors.every((e) => e.withinTolerance),
      worstShare: Math.max(...errors.map((e) => e.share)),
      dequantizeLeft: histogram(graph)['quant.dequantize'] ?? 0,
      compileMs,
      runMs: median(times),
    });
    program.dispose();
  }
}

/** A graph of one weight-only linear with made-up numbers. */
function linear(op, dtype, m, n, k) {
  const graph = new Graph('linear');
  const edit = new Editor(graph);
  const input = edit.addInput('x', tensorType('f32', [m, k]));
  const limit = dtype === 'i4' ? 8 : 128;
  const weight = edit.constant(
    constantOf(
      tensorOf(
        dtype,
        [n, k],
        Int8Array.from({ length: n * k }, (_, i) => ((i * 2654435761) % (2 * limit)) - limit),
      ),
    ),
    'w',
  );
  const scales = edit.constant(constantOf(tensorOf('f32', [n], new Float32Array(n).fill(0.01))), 's');
  edit.setOutputs([edit.create(op, { input, weight, scales }).result]);
  return graph;
}

/** GB/s of weights (M = 1) or GFLOP/s of the weight-only kernels, from timestamps around each dispatch. */
async function timeLinears({ reversed = false } = {}) {
  if (!node.device.features.has('timestamp-query')) return say({ what: 'linear', skipped: 'the device has no timestamps' });
  const small = node.adapter.isSoftware;
  const shapes = small
    ? [
        [1, 256, 256],
        [8, 256, 256],
      ]
    : [1, 4, 64, 512].flatMap((m) => [
        [m, 4096, 4096],
        [m, 14336, 4096],
        [m, 4096, 14336],
      ]);
  for (const [m, n, k] of reversed ? shapes.toReversed() : shapes)
    for (const [op, dtype] of [
      [fused.LinearQcs8w, 'i8'],
      [fused.LinearQcs4w, 'i4'],
    ]) {
      const program = await compileProgram(linear(op, dtype, m, n, k), { device: node.device });
      const x = tensorOf('f32', [m, k], new Float32Array(m * k).fill(1));
      await program.run([x]);
      await warmUp(node);
      const times = [];
      for (let i = 0; i < 20; i++) {
        const { timings } = await program.run([x], { profile: true });
        times.push(timings.reduce((sum, t) => sum + t.microseconds, 0));
      }
      const microseconds = median(times);
      const weightBytes = dtype === 'i8' ? n * k : (n * k) / 2;
      say({
        what: 'linear',
        op: op.name,
        m,
        n,
        k,
        reversed,
        microseconds,
        gigabytesPerSecond: weightBytes / microseconds / 1e3,
        gflops: (2 * m * n * k) / microseconds / 1e3,
      });
      program.dispose();
    }
}
