// What tools/check-node-versions.mjs runs on each release of Node, on the built packages: a shader in the main thread and
// in a worker, the loss of a device, the null backend. Prints one line; throws when anything is wrong.
import { strict as assert } from 'node:assert';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Worker, isMainThread } from 'node:worker_threads';
import { requestDevice } from '@qfuse/device-node';

const code = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> y: array<u32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) { y[id.x] = id.x * id.x; }`;
const elements = 4096;

/** @param {import('@qfuse/device-node').NodeDevice} opened */
async function squares({ device, globals, guard }) {
  const { GPUBufferUsage: usage, GPUMapMode: mode } = /** @type {typeof globalThis} */ (/** @type {unknown} */ (globals));
  const output = device.createBuffer({ size: elements * 4, usage: usage.STORAGE | usage.COPY_SRC });
  const read = device.createBuffer({ size: elements * 4, usage: usage.MAP_READ | usage.COPY_DST });
  const module = device.createShaderModule({ code });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  const layout = pipeline.getBindGroupLayout(0);
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout, entries: [{ binding: 0, resource: { buffer: output } }] }));
  pass.dispatchWorkgroups(elements / 64);
  pass.end();
  encoder.copyBufferToBuffer(output, 0, read, 0, elements * 4);
  device.queue.submit([encoder.finish()]);
  await guard(read.mapAsync(mode.READ));
  const result = new Uint32Array(read.getMappedRange().slice(0));
  result.forEach((value, i) => assert.equal(value, i * i));
}

const first = await requestDevice({ adapter: 'software' });
await squares(first);
if (isMainThread) {
  first.destroy();
  await assert.rejects(squares(first), { code: 'device-node/device-lost' });
  assert.equal((await first.lost).reason, 'destroyed');
  await squares(await requestDevice({ adapter: 'software' }));
  const { device } = await requestDevice({ backend: 'null', requiredFeatures: ['shader-f16'] });
  const info = await device.createShaderModule({ code: `enable f16;${code}` }).getCompilationInfo();
  assert.equal(info.messages.length, 0);
  const worker = new Worker(fileURLToPath(import.meta.url));
  // Rejects when the worker throws.
  assert.deepEqual(await once(worker, 'exit'), [0]);
  console.log(`ok: ${first.adapter.name} on Node ${process.versions.node}`);
}
