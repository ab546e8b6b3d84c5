import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { requestDevice } from './device.js';
import type { DeviceOptions, NodeDevice } from './types.js';

const open: NodeDevice[] = [];
const request = async (options?: DeviceOptions): Promise<NodeDevice> => {
  const device = await requestDevice(options);
  open.push(device);
  return device;
};
afterEach(() => open.splice(0).forEach((device) => device.destroy()));

let usage: typeof GPUBufferUsage;
let mode: typeof GPUMapMode;
beforeAll(async () => {
  const { globals } = await request({ backend: 'null' });
  ({ GPUBufferUsage: usage, GPUMapMode: mode } = globals as unknown as typeof globalThis);
});

/** Runs `y = 2x + 1` over the input on the device. */
async function compute({ device, guard }: NodeDevice, input: Float32Array<ArrayBuffer>): Promise<Float32Array> {
  const code = /* wgsl */ `
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read_write> y: array<f32>;
    @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
      if (id.x < arrayLength(&x)) { y[id.x] = 2.0 * x[id.x] + 1.0; }
    }`;
  const x = device.createBuffer({ size: input.byteLength, usage: usage.STORAGE | usage.COPY_DST });
  const y = device.createBuffer({ size: input.byteLength, usage: usage.STORAGE | usage.COPY_SRC });
  const read = device.createBuffer({ size: input.byteLength, usage: usage.MAP_READ | usage.COPY_DST });
  device.queue.writeBuffer(x, 0, input);
  const pipeline = await guard(
    device.createComputePipelineAsync({ layout: 'auto', compute: { module: device.createShaderModule({ code }) } }),
  );
  const entries = [x, y].map((buffer, binding) => ({ binding, resource: { buffer } }));
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(input.length / 64));
  pass.end();
  encoder.copyBufferToBuffer(y, 0, read, 0, input.byteLength);
  device.queue.submit([encoder.finish()]);
  await guard(read.mapAsync(mode.READ));
  return new Float32Array(read.getMappedRange().slice(0));
}

const input = Float32Array.from({ length: 1001 }, (_, i) => i - 500);
const expected = input.map((x) => 2 * x + 1);

describe.runIf(process.platform === 'linux' && process.arch === 'x64')('the embedded SwiftShader', () => {
  test('computes', async () => {
    expect(await compute(await request({ adapter: 'software' }), input)).toEqual(expected);
  });

  test('says what it is, as plain data', async () => {
    const { adapter, origin } = await request({ adapter: 'software' });
    expect(origin).toBe('swiftshader');
    expect(adapter).toMatchObject({ origin, isSoftware: true, architecture: 'swiftshader', subgroupMaxSize: 4 });
    expect(adapter.name).toMatch(/^swiftshader-device/);
    expect(adapter.limits['maxStorageBufferBindingSize']).toBe(2 ** 30);
    expect(adapter.wgslLanguageFeatures).toContain('packed_4x8_integer_dot_product');
    expect(JSON.parse(JSON.stringify(adapter))).toEqual(adapter);
  });

  test('has the useful features and all of its limits', async () => {
    const { device, adapter } = await request({ adapter: 'software' });
    for (const feature of ['subgroups', 'subgroup-size-control', 'timestamp-query']) expect(device.features.has(feature)).toBe(true);
    for (const [name, value] of Object.entries(adapter.limits))
      expect([name, device.limits[name as keyof GPUSupportedLimits]]).toEqual([name, value]);
  });

  test('is found by a part of its name, in any spelling', async () => {
    for (const adapter of ['SwiftShader', 'swiftshader device (SUBZERO)', 'subzero'])
      expect((await request({ adapter })).origin).toBe('swiftshader');
  });

  test('computes on several devices at once', async () => {
    const devices = await Promise.all([1, 2, 3].map(() => request({ adapter: 'software' })));
    for (const result of await Promise.all(devices.map((device) => compute(device, input)))) expect(result).toEqual(expected);
  });

  test('computes without validation and robustness too', async () => {
    const device = await request({ adapter: 'software', validation: false, robustness: false });
    expect(await compute(device, input)).toEqual(expected);
  });

  test('reports a mistake in the use of the API, as validation is on', async () => {
    const { device } = await request({ adapter: 'software' });
    device.pushErrorScope('validation');
    device.createBuffer({ size: 4, usage: usage.MAP_READ | usage.STORAGE });
    expect((await device.popErrorScope())?.message).toContain('MapRead');
  });
});

describe('requirements', () => {
  test.each<[string, DeviceOptions, string, RegExp]>([
    ['a feature', { requiredFeatures: ['shader-f16'] }, 'missing-feature', /lacks: shader-f16/],
    ['a limit that is too high', { requiredLimits: { maxBufferSize: 2 ** 50 } }, 'limit-exceeded', /is \d+, but \d+ is required/],
    ['an alignment that is too fine', { requiredLimits: { minStorageBufferOffsetAlignment: 1 } }, 'limit-exceeded', /but 1 is/],
    ['a limit that does not exist', { requiredLimits: { maxFoo: 1 } }, 'limit-exceeded', /no limit named "maxFoo"/],
    ['an adapter that does not exist', { adapter: 'voodoo2' }, 'unknown-adapter', /"voodoo2"; there are: swiftshader-device/],
    ['an adapter without a name', { adapter: '' }, 'unknown-adapter', /there are/],
  ])('%s that is not there is an error', async (_, options, code, message) => {
    const error = { name: 'QfuseError', code: `device-node/${code}`, message: expect.stringMatching(message) };
    await expect(request({ adapter: 'software', ...options })).rejects.toMatchObject(error);
  });

  test('limits that are there are granted, and the rest is what WebGPU guarantees', async () => {
    const some = await request({ adapter: 'software', requiredLimits: { maxBufferSize: 2 ** 29 } });
    expect(some.device.limits.maxBufferSize).toBe(2 ** 29);
    const none = await request({ adapter: 'software', requiredLimits: 'default' });
    expect(none.device.limits.maxStorageBuffersPerShaderStage).toBe(8);
  });
});

describe('the null backend', () => {
  const compile = async (code: string): Promise<string[]> => {
    const { device } = await request({ backend: 'null', requiredFeatures: ['shader-f16'] });
    device.pushErrorScope('validation');
    const info = await device.createShaderModule({ code }).getCompilationInfo();
    await device.popErrorScope();
    return info.messages.map(({ message }) => message);
  };

  test('compiles f16 shaders on a machine without f16', async () => {
    expect(await compile('enable f16; @compute @workgroup_size(1) fn main() { _ = 1h; }')).toEqual([]);
  });

  test('reports the mistakes of a shader', async () => {
    expect(await compile('@compute @workgroup_size(1) fn main() { let x: u32 = 1.5; }')).toHaveLength(1);
  });

  test('needs no driver and says that it is none', async () => {
    const { origin, adapter } = await request({ backend: 'null', adapter: 'voodoo2' });
    expect(origin).toBe('null');
    expect(adapter.isSoftware).toBe(true);
  });
});

describe('the loss of a device', () => {
  const lossError = { name: 'QfuseError', code: 'device-node/device-lost', message: expect.stringContaining('was destroyed') };

  test.each<[string, (device: NodeDevice) => void]>([
    ['destroy() of ours', (device) => device.destroy()],
    ["destroy() of WebGPU's device", ({ device }) => device.destroy()],
  ])('by %s rejects pending and later work; the next device works', async (_, lose) => {
    const first = await request({ adapter: 'software' });
    const buffer = first.device.createBuffer({ size: 1 << 20, usage: usage.MAP_READ | usage.COPY_DST });
    const pending = first.guard(buffer.mapAsync(mode.READ));
    const never = first.guard(new Promise(() => undefined));
    const outcomes = Promise.all([pending, never].map((work) => expect(work).rejects.toMatchObject(lossError)));
    lose(first);
    await outcomes;
    expect(await first.lost).toMatchObject({ reason: 'destroyed' });
    // WebGPU itself resolves this on a lost device.
    await expect(first.guard(first.device.queue.onSubmittedWorkDone())).rejects.toMatchObject(lossError);
    await expect(compute(first, input)).rejects.toMatchObject(lossError);
    expect(await compute(await request({ adapter: 'software' }), input)).toEqual(expected);
  });

  test('twice is the same as once, and other devices go on', async () => {
    const [first, second] = [await request({ adapter: 'software' }), await request({ adapter: 'software' })];
    first.destroy();
    first.destroy();
    await first.lost;
    expect(await compute(second, input)).toEqual(expected);
  });

  test('guarded work passes on its own result or error while the device lives', async () => {
    const { guard } = await request({ backend: 'null' });
    expect(await guard(Promise.resolve(3))).toBe(3);
    const error = new Error('own');
    await expect(guard(Promise.reject(error))).rejects.toBe(error);
  });
});
