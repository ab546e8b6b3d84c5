import { type Frame, parameterSlots, planActivations } from './frame.js';
import { usage } from './gpu.js';
import type { MemoryPlan } from './memory-plan.js';
import { constantBytes, type Schedule, type Storage } from './schedule.js';
import type { WebGPUTarget } from './target.js';

/** A range of a buffer. */
export interface Range {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

const STORAGE = usage.storage | usage.copySrc | usage.copyDst;
/** Small constants are put together into buffers of about this size: a buffer has a cost of its own. */
const CONSTANT_CHUNK = 16 * 1024 * 1024;
const align = (bytes: number, to: number): number => Math.ceil(bytes / to) * to;

/** Buffers that live as long as the program: constants, state, parameters. */
export interface FixedMemory {
  readonly ranges: ReadonlyMap<Storage, Range>;
  readonly parameters: GPUBuffer;
  readonly buffers: readonly GPUBuffer[];
  readonly bytes: number;
}

/** Creates and fills the buffers of constants and state. Constants are read one after the other, so that host memory holds one at a time. */
export function allocateFixed(device: GPUDevice, schedule: Schedule, target: WebGPUTarget): FixedMemory {
  const alignment = target.limits.minStorageBufferOffsetAlignment;
  const slot = (storage: Storage): number => align(Math.max(16, constantBytes(storage.constant!)), 16);
  const chunks: { storages: Storage[]; size: number }[] = [];
  let open: (typeof chunks)[number] | undefined;
  const wanted = schedule.storages.filter((s) => s.kind === 'constant' && isUsed(schedule, s));
  for (const storage of wanted) {
    const size = align(slot(storage), alignment);
    if (open === undefined || open.size + size > Math.min(CONSTANT_CHUNK, target.limits.maxBufferSize)) {
      open = { storages: [], size: 0 };
      chunks.push(open);
    }
    open.storages.push(storage);
    open.size += size;
  }
  for (const storage of schedule.storages)
    if (storage.kind === 'state') chunks.push({ storages: [storage], size: align(slot(storage), alignment) });

  const ranges = new Map<Storage, Range>();
  const buffers: GPUBuffer[] = [];
  for (const { storages, size } of chunks) {
    const buffer = device.createBuffer({
      size,
      usage: STORAGE,
      label: storages[0]!.kind === 'state' ? `state ${storages[0]!.name}` : 'constants',
    });
    buffers.push(buffer);
    let offset = 0;
    for (const storage of storages) {
      ranges.set(storage, { buffer, offset, size: slot(storage) });
      fill(device, ranges.get(storage)!, storage);
      offset += align(slot(storage), alignment);
    }
  }
  const { bytes } = parameterSlots(schedule.steps, target.limits.minUniformBufferOffsetAlignment);
  const parameters = device.createBuffer({ size: bytes, usage: usage.uniform | usage.copyDst, label: 'parameters' });
  return { ranges, parameters, buffers: [...buffers, parameters], bytes: chunks.reduce((sum, c) => sum + c.size, bytes) };
}

const isUsed = (schedule: Schedule, storage: Storage): boolean => schedule.lifetimes[storage.index]!.last >= 0;

/** Writes the bytes of a constant or of a state's start. */
export function fill(device: GPUDevice, range: Range, storage: Storage): void {
  const bytes = storage.constant!.bytes();
  if (bytes.byteLength === 0) return;
  const whole = align(bytes.byteLength, 4);
  const source = whole === bytes.byteLength ? bytes : padTo(bytes, whole);
  device.queue.writeBuffer(range.buffer, range.offset, source as Uint8Array<ArrayBuffer>);
}

function padTo(bytes: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size);
  out.set(bytes);
  return out;
}

/** Buffers whose size follows from the sizes of a run: inputs and activations. */
export interface RunMemory {
  /** Bytes that each storage has room for. */
  readonly capacity: readonly number[];
  readonly ranges: ReadonlyMap<Storage, Range>;
  readonly groups: readonly GPUBindGroup[];
  readonly plan: MemoryPlan;
  readonly buffers: readonly GPUBuffer[];
  readonly bytes: number;
}

/** Plans and creates inputs and activations with room for `capacity` bytes each, and binds everything. */
export function allocateRun(
  device: GPUDevice,
  schedule: Schedule,
  capacity: readonly number[],
  fixed: FixedMemory,
  layouts: readonly GPUBindGroupLayout[],
  target: WebGPUTarget,
): RunMemory {
  const alignment = target.limits.minStorageBufferOffsetAlignment;
  const { storages, plan } = planActivations(schedule, capacity, target);
  const buffers: GPUBuffer[] = [];
  const ranges = new Map<Storage, Range>(fixed.ranges);
  // Inputs are only ever read by shaders, so they can share a buffer without being apart from anything.
  let open: { start: number; storages: Storage[] } | undefined;
  const inputChunks: { start: number; storages: Storage[] }[] = [];
  for (const storage of schedule.storages) {
    if (storage.kind !== 'input') continue;
    const size = align(capacity[storage.index]!, alignment);
    if (open === undefined || open.start + size > target.limits.maxBufferSize) inputChunks.push((open = { start: 0, storages: [] }));
    open.storages.push(storage);
    open.start += size;
  }
  for (const chunk of inputChunks) {
    const buffer = device.createBuffer({ size: chunk.start, usage: STORAGE, label: 'inputs' });
    buffers.push(buffer);
    let offset = 0;
    for (const storage of chunk.storages) {
      ranges.set(storage, { buffer, offset, size: capacity[storage.index]! });
      offset += align(capacity[storage.index]!, alignment);
    }
  }
  const arenas = plan.arenas.map((size, i) => device.createBuffer({ size, usage: STORAGE, label: `arena ${i}` }));
  buffers.push(...arenas);
  storages.forEach((index, i) => {
    const { arena, offset } = plan.placements[i]!;
    ranges.set(schedule.storages[index]!, { buffer: arenas[arena]!, offset, size: capacity[index]! });
  });
  return {
    capacity,
    ranges,
    groups: bindAll(device, schedule, fixed, ranges, layouts, target),
    plan,
    buffers,
    bytes: buffers.reduce((sum, b) => sum + b.size, 0),
  };
}

function bindAll(
  device: GPUDevice,
  schedule: Schedule,
  fixed: FixedMemory,
  ranges: ReadonlyMap<Storage, Range>,
  layouts: readonly GPUBindGroupLayout[],
  target: WebGPUTarget,
): GPUBindGroup[] {
  const { offsets } = parameterSlots(schedule.steps, target.limits.minUniformBufferOffsetAlignment);
  return schedule.steps.map(({ dispatch, storages }, i) => {
    const size = align(dispatch.parameters.length * 4, 16);
    const entries: GPUBindGroupEntry[] = [{ binding: 0, resource: { buffer: fixed.parameters, offset: offsets[i]!, size } }];
    storages.forEach((s, k) => entries.push({ binding: k + 1, resource: ranges.get(s)! }));
    return device.createBindGroup({ layout: layouts[i]!, entries });
  });
}

/** Whether `memory` has room for the sizes of `frame`. */
export const hasRoom = (memory: RunMemory | undefined, frame: Frame): memory is RunMemory =>
  memory !== undefined && frame.bytes.every((bytes, i) => bytes <= memory.capacity[i]!);

/** Room for `frame` and for all that there was room for before. */
export const grown = (memory: RunMemory | undefined, frame: Frame): readonly number[] =>
  memory === undefined ? frame.bytes : frame.bytes.map((bytes, i) => Math.max(bytes, memory.capacity[i]!));
