// CPU cost of a dispatch, and whole models, on the adapter that is there.
import { readFileSync } from 'node:fs';
import { compileProgram, planProgram } from '@qfuse/backend-webgpu';
import { compileGraph, createCompilerRegistry, loadModel, readTensors } from '@qfuse/compiler';
import { requestDevice } from '@qfuse/compiler/node';
import { parseGraph } from '@qfuse/ir';
import { allOps, opTable } from '@qfuse/ops';
import { presetWebGPU } from '@qfuse/preset-webgpu';

const ops = opTable(allOps);
const fixtures = new URL('../../fixtures/pt2/', import.meta.url);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[numbers.length >> 1];

/** Median milliseconds of `runs` runs after one to warm up. */
async function timed(runs, run) {
  await run();
  const times = [];
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await run();
    times.push(performance.now() - start);
  }
  return median(times);
}

/** A chain of `count` elementwise ops on a few numbers: nothing but the cost of a dispatch. */
function chain(count) {
  const lines = Array.from(
    { length: count },
    (_, i) => `  %${i} = aten.${i % 2 === 0 ? 'neg' : 'abs'}(${i === 0 ? '%x' : `%${i - 1}`}) : f32[64]`,
  );
  return parseGraph(`graph @chain(%x: f32[64]) {\n${lines.join('\n')}\n  return %${count - 1}\n}`, { ops: (name) => ops.get(name) });
}

/**
 * Time per dispatch from the difference between a long and a short chain: what a run costs anyway drops out. Dawn's null
 * backend records and validates everything and computes nothing, so there it is the CPU's share alone.
 */
export async function benchDispatch() {
  const records = [];
  for (const options of [{ backend: 'null' }, {}]) {
    const node = await requestDevice(options);
    try {
      const input = { dtype: 'f32', shape: [64], data: new Float32Array(64) };
      const at = async (count) => {
        const program = await compileProgram(chain(count), { device: node.device });
        const ms = await timed(20, () => program.run([input]));
        program.dispose();
        return ms;
      };
      const [few, many] = [await at(20), await at(1020)];
      records.push({ adapter: node.adapter.name, microsecondsPerDispatch: many - few, runWith20Ms: few });
    } finally {
      node.destroy();
    }
  }
  return records;
}

/** Load, compile and run of the models in the fixtures. */
export async function benchModels() {
  const node = await requestDevice();
  try {
    const registry = createCompilerRegistry(presetWebGPU());
    const records = [];
    for (const name of ['digits_mlp_qcs8w', 'digits_mlp_qcs4w', 'hf_bert_w8_dyn', 'hf_gpt2_w8', 'hf_torch_encoder_w8']) {
      const start = performance.now();
      const { graph } = await loadModel(readFileSync(new URL(`${name}.pt2`, fixtures)), registry, name);
      const loaded = performance.now();
      await compileGraph(graph, registry);
      const fused = performance.now();
      const program = await compileProgram(graph, { device: node.device });
      const ready = performance.now();
      const data = readTensors(readFileSync(new URL(`${name}.safetensors`, fixtures)), name);
      const inputs = graph.inputs.map((_, i) => data.get(`in.${i}`));
      records.push({
        model: name,
        adapter: node.adapter.name,
        loadMs: loaded - start,
        passesMs: fused - loaded,
        kernelsMs: ready - fused,
        dispatches: planProgram(graph, program.target).dispatches.length,
        runMs: await timed(5, () => program.run(inputs)),
      });
      program.dispose();
    }
    return records;
  } finally {
    node.destroy();
  }
}
