import { MAP_READ, usage } from '../src/gpu.js';

/** Runs a shader with `inputs` at bindings 0 … and `words` u32 of results at the next one; returns these. */
export async function runShader(
  device: GPUDevice,
  code: string,
  inputs: readonly Uint32Array[],
  words: number,
  groups: number,
): Promise<Uint32Array> {
  const module = device.createShaderModule({ code });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } });
  const buffers = [...inputs.map((i) => i.byteLength), words * 4].map((size) =>
    device.createBuffer({ size, usage: usage.storage | usage.copySrc | usage.copyDst }),
  );
  inputs.forEach((data, i) => device.queue.writeBuffer(buffers[i]!, 0, data as Uint32Array<ArrayBuffer>));
  const staging = device.createBuffer({ size: words * 4, usage: usage.mapRead | usage.copyDst });
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  const entries = buffers.map((buffer, binding) => ({ binding, resource: { buffer } }));
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(groups);
  pass.end();
  encoder.copyBufferToBuffer(buffers.at(-1)!, 0, staging, 0, words * 4);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(MAP_READ);
  const result = new Uint32Array(staging.getMappedRange().slice(0));
  for (const b of [...buffers, staging]) b.destroy();
  return result;
}
