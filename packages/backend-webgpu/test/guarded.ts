import { type AttrValue, constantOf, Editor, Graph, type HostTensor, tensorOf, tensorType, type Value } from '@qfuse/plugin';
import { makeFrame, parameterSlots } from '../src/frame.js';
import { MAP_READ, usage } from '../src/gpu.js';
import type { KernelSample, SampleTensor, WebGPUKernel } from '../src/kernel.js';
import { lower } from '../src/lower.js';
import { compilePipelines } from '../src/pipelines.js';
import { createKernelRegistry } from '../src/registry.js';
import { schedule, sizesFor } from '../src/schedule.js';
import { fromDevice, storageBytes, toDevice } from '../src/storage.js';
import type { WebGPUTarget } from '../src/target.js';
import { randomNumbers } from './compare.js';

/** The host tensor that a sample operand stands for. */
function tensorOfSample({ dtype, shape, values }: SampleTensor, seed: number): HostTensor {
  const next = randomNumbers(seed);
  const count = shape.reduce((a, b) => a * b, 1);
  const random = (): number =>
    dtype === 'bool' ? Number(next() > 0) : dtype === 'f32' ? next() * 2 : Math.floor(next() * 7) + (dtype.startsWith('u') ? 7 : 0);
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: count }, (_, i) => (values === undefined ? random() : values[i % values.length]!)),
  );
}

/** A graph with one node, and its inputs. */
export function graphOfSample(
  kernel: WebGPUKernel,
  { operands, attrs = {} }: KernelSample,
): { readonly graph: Graph; readonly inputs: readonly HostTensor[] } {
  const graph = new Graph(kernel.name);
  const edit = new Editor(graph);
  const inputs: HostTensor[] = [];
  let seed = 1;
  const add = (name: string, given: SampleTensor): Value => {
    const tensor = tensorOfSample(given, seed++);
    if (given.constant === true) return edit.addConstant(name, 'constant', constantOf(tensor));
    inputs.push(tensor);
    return edit.addInput(name, tensorType(tensor.dtype, tensor.shape));
  };
  const slots: (Value | undefined)[] = [];
  for (const name of kernel.op.operandNames) {
    const given = operands[name];
    if (Array.isArray(given))
      given.forEach((one: SampleTensor | undefined, i) => slots.push(one === undefined ? undefined : add(`${name}${i}`, one)));
    else slots.push(given === undefined ? undefined : add(name, given as SampleTensor));
  }
  while (slots.length > 0 && slots.at(-1) === undefined && kernel.op.variadic < 0) slots.pop();
  const node = edit.createFromSlots(kernel.op, slots, attrs as Record<string, AttrValue>);
  edit.setOutputs(node.results);
  return { graph, inputs };
}

const GUARD = 256;
/** Fills what no kernel may write: a NaN, so that reading it shows too. */
const CANARY = 0x7fc0dead;

/**
 * Runs a graph with every tensor in a buffer of its own, between guard bands that its bindings include: a read
 * beyond the end gives NaN, a write changes a canary.
 * @throws Error naming the tensor whose guard band was written
 */
export async function runGuarded(
  device: GPUDevice,
  graph: Graph,
  inputs: readonly HostTensor[],
  kernels: readonly WebGPUKernel[],
  target: WebGPUTarget,
): Promise<readonly HostTensor[]> {
  const plan = schedule(lower(graph, createKernelRegistry(kernels, target)));
  const frame = makeFrame(plan, sizesFor(new Map()), target);
  const { pipelines, layouts } = await compilePipelines(device, plan.steps);
  const exactBytes = plan.storages.map((s) => s.bytes(frame.sizes));
  const logical = new Map<number, number>();
  for (const v of [...plan.graph.inputs, ...plan.graph.outputs]) {
    const storage = plan.graph.inputs.includes(v)
      ? plan.inputs[plan.graph.inputs.indexOf(v)]!
      : plan.outputs[plan.graph.outputs.indexOf(v)]!;
    logical.set(storage.index, storageBytes(v.type.dtype, frame.sizes.count(v)));
  }
  const buffers = plan.storages.map((s) => {
    const size = exactBytes[s.index]! + 2 * GUARD;
    const buffer = device.createBuffer({ size, usage: usage.storage | usage.copySrc | usage.copyDst });
    device.queue.writeBuffer(buffer, 0, new Uint32Array(size / 4).fill(CANARY));
    if (s.constant !== undefined) device.queue.writeBuffer(buffer, GUARD, words(s.constant.bytes()));
    return buffer;
  });
  inputs.forEach((t, i) => device.queue.writeBuffer(buffers[plan.inputs[i]!.index]!, GUARD, words(toDevice(t.dtype, t.data, 'input'))));
  const { offsets, bytes } = parameterSlots(plan.steps, target.limits.minUniformBufferOffsetAlignment);
  const parameters = device.createBuffer({ size: bytes, usage: usage.uniform | usage.copyDst });
  device.queue.writeBuffer(parameters, 0, frame.parameters);

  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  plan.steps.forEach((step, i) => {
    const [x, y] = frame.grids[i]!;
    if (x === 0) return;
    const own = step.storages.map((s, k) => ({
      binding: k + 1,
      resource: { buffer: buffers[s.index]!, offset: GUARD, size: exactBytes[s.index]! + GUARD },
    }));
    const entries = [
      {
        binding: 0,
        resource: { buffer: parameters, offset: offsets[i]!, size: Math.ceil((step.dispatch.parameters.length * 4) / 16) * 16 },
      },
      ...own,
    ];
    pass.setPipeline(pipelines[i]!);
    pass.setBindGroup(0, device.createBindGroup({ layout: layouts[i]!, entries }));
    pass.dispatchWorkgroups(x, y);
  });
  pass.end();
  const staging = buffers.map((b) => device.createBuffer({ size: b.size, usage: usage.mapRead | usage.copyDst }));
  buffers.forEach((b, i) => encoder.copyBufferToBuffer(b, 0, staging[i]!, 0, b.size));
  device.pushErrorScope('validation');
  device.queue.submit([encoder.finish()]);
  const error = await device.popErrorScope();
  if (error !== null) throw new Error(error.message);
  const contents = await Promise.all(
    staging.map(async (b) => {
      await b.mapAsync(MAP_READ);
      const copy = new Uint8Array(b.getMappedRange().slice(0));
      b.destroy();
      return copy;
    }),
  );
  for (const s of plan.storages) checkGuards(s.name, contents[s.index]!, logical.get(s.index) ?? exactBytes[s.index]!);
  for (const b of [...buffers, parameters]) b.destroy();
  return plan.graph.outputs.map((v, i) =>
    fromDevice(v.type.dtype, frame.sizes.shape(v), contents[plan.outputs[i]!.index]!.subarray(GUARD)),
  );
}

function checkGuards(name: string, bytes: Uint8Array, logical: number): void {
  const all = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4);
  const end = (GUARD + Math.ceil(logical / 4) * 4) / 4;
  for (let i = 0; i < all.length; i++)
    if ((i < GUARD / 4 || i >= end) && all[i] !== CANARY)
      throw new Error(`the guard band of "${name}" was written at word ${i - GUARD / 4} of ${logical / 4}`);
}

const words = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => {
  const out = new Uint8Array(Math.ceil(bytes.byteLength / 4) * 4);
  out.set(bytes);
  return out;
};
