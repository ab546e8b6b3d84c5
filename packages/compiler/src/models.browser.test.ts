import { compileProgram } from '@qfuse/backend-webgpu';
import { presetWebGPU } from '@qfuse/preset-webgpu';
import { bufferSource, type Graph, type HostTensor } from '@qfuse/ir';
import { expect, test } from 'vitest';
import { compareTensors, compileGraph, createCompilerRegistry, histogram, loadModel, readTensors, writeProgram } from './index.js';

// The whole way in a browser: archive, passes, kernels, and the program file, on navigator.gpu.
const models = import.meta.glob<string>(
  '../../../fixtures/pt2/{digits_mlp_qcs*w*,q4gsw_g32,mlp_dyn8_qcs8w,dq8ca_q4gsw_g32,embedding_q4gsw_g32,q8ta_linear_relu,hf_llama_8da4w}.pt2',
  { query: '?url', import: 'default', eager: true },
);
const tensors = import.meta.glob<string>(
  '../../../fixtures/pt2/{digits_mlp_qcs*w*,q4gsw_g32,mlp_dyn8_qcs8w,dq8ca_q4gsw_g32,embedding_q4gsw_g32,q8ta_linear_relu,hf_llama_8da4w}.safetensors',
  { query: '?url', import: 'default', eager: true },
);

const download = async (url: string): Promise<Uint8Array> => new Uint8Array(await (await fetch(url)).arrayBuffer());

async function runOnGPU(graph: Graph, inputs: readonly HostTensor[]): Promise<readonly HostTensor[]> {
  const gpu = await navigator.gpu.requestAdapter();
  if (gpu === null) throw new Error('this browser offers no WebGPU adapter');
  const device = await gpu.requestDevice();
  try {
    const program = await compileProgram(graph, { device });
    return (await program.run(inputs)).outputs;
  } finally {
    device.destroy();
  }
}

const quantized = Object.keys(models).filter((path) => !path.includes('.float.'));
test('the models are there', () => expect(quantized.length).toBeGreaterThanOrEqual(9));

test.each(quantized)('%s', async (path) => {
  const registry = createCompilerRegistry(presetWebGPU());
  const data = readTensors(await download(tensors[path.replace('.pt2', '.safetensors')]!), path);
  const { graph } = await loadModel(await download(models[path]!), registry, path);
  const { info } = await compileGraph(graph, registry);
  // Static activations are dequantized where the program returns them, and nowhere else.
  expect(histogram(graph)['quant.dequantize'] ?? 0).toBe(path.includes('q8ta') ? 1 : 0);
  const file = new Blob([...writeProgram(graph, info)] as BlobPart[]);
  const program = await loadModel(bufferSource(new Uint8Array(await file.arrayBuffer())), registry, 'model.qfuse');

  const expected = data.get('out.0')!;
  const largest = Math.max(...Array.from(expected.data as ArrayLike<number>, Math.abs));
  for (const g of [graph, program.graph]) {
    const [actual] = await runOnGPU(g, [data.get('in.0')!]);
    expect(compareTensors(actual!, expected, { atol: 1e-4 * largest, rtol: 0 })).toMatchObject({ withinTolerance: true });
  }
});
