import type { NodeDevice } from './types.js';

/** Long enough for a GPU to leave its idle clock: measured 0.3 s of unbroken load on a data-centre GPU. */
const defaultSeconds = 0.35;

/**
 * Brings a GPU to its full clock. An idle GPU computes three to five times slower until it was busy for about 0.3 s, and
 * a light load with gaps does not wake it: call this before measuring, or where the first answer has to be fast.
 * Returns at once on software adapters, which have no clock of their own.
 *
 * @param seconds - how long to keep the GPU busy
 * @throws QfuseError `device-node/device-lost` when the device gets lost meanwhile
 */
export async function warmUp(
  { device, adapter, guard }: Pick<NodeDevice, 'device' | 'adapter' | 'guard'>,
  seconds = defaultSeconds,
): Promise<void> {
  if (adapter.isSoftware) return;
  const storage = 0x80; // GPUBufferUsage.STORAGE
  const buffer = device.createBuffer({ size: 1 << 20, usage: storage });
  const module = device.createShaderModule({ code: shader });
  const pipeline = await guard(device.createComputePipelineAsync({ layout: 'auto', compute: { module, entryPoint: 'main' } }));
  const bindGroup = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const submit = (): Promise<undefined> => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, bindGroup);
    for (let i = 0; i < 8; i++) pass.dispatchWorkgroups(buffer.size / 4 / 64);
    pass.end();
    device.queue.submit([encoder.finish()]);
    return guard(device.queue.onSubmittedWorkDone());
  };
  const end = performance.now() + seconds * 1000;
  // Two submits in flight: the GPU never waits for the next one.
  let inFlight = submit();
  while (performance.now() < end) {
    const next = submit();
    await inFlight;
    inFlight = next;
  }
  await inFlight;
  buffer.destroy();
}

const shader = /* wgsl */ `
@group(0) @binding(0) var<storage, read_write> data: array<f32>;
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  var x = data[id.x];
  for (var i = 0u; i < 512u; i++) { x = fma(x, 0.999, 0.001); }
  data[id.x] = x;
}`;
