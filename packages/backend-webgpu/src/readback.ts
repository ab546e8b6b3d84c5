import { type HostTensor, hostTensor, type TensorType } from '@qfuse/plugin';
import { MAP_READ, usage } from './gpu.js';
import type { Range } from './memory.js';
import { fromDevice, storageBytes } from './storage.js';

/** Buffers for reading back, kept between runs; each run in flight has its own. */
export class StagingPool {
  readonly #device: GPUDevice;
  readonly #free: GPUBuffer[] = [];
  readonly #all = new Set<GPUBuffer>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** A buffer of at least `size` bytes that nobody uses. */
  take(size: number): GPUBuffer {
    const at = this.#free.findIndex((b) => b.size >= size);
    if (at >= 0) return this.#free.splice(at, 1)[0]!;
    // Too small ones will not be needed again: sizes of later runs are like those of this one.
    for (const small of this.#free.splice(0)) this.#drop(small);
    const made = this.#device.createBuffer({ size: Math.max(16, size), usage: usage.mapRead | usage.copyDst, label: 'readback' });
    this.#all.add(made);
    return made;
  }

  give(buffer: GPUBuffer): void {
    if (this.#all.has(buffer)) this.#free.push(buffer);
  }

  #drop(buffer: GPUBuffer): void {
    this.#all.delete(buffer);
    buffer.destroy();
  }

  destroy(): void {
    for (const buffer of this.#all) buffer.destroy();
    this.#all.clear();
    this.#free.length = 0;
  }
}

/** A tensor to read back. */
export interface Wanted {
  readonly dtype: TensorType['dtype'];
  readonly shape: readonly number[];
  readonly range: Range;
}

/** Tensors on their way from the device to the host. */
export class Readback {
  readonly #pool: StagingPool;
  readonly #wanted: readonly Wanted[];
  readonly #offsets: number[] = [];
  readonly #buffer: GPUBuffer | undefined;
  readonly #size: number;

  /** Records the copies into `encoder`. */
  constructor(pool: StagingPool, encoder: GPUCommandEncoder, wanted: readonly Wanted[]) {
    this.#pool = pool;
    this.#wanted = wanted;
    let at = 0;
    for (const { dtype, shape } of wanted) {
      this.#offsets.push(at);
      at += storageBytes(
        dtype,
        shape.reduce((a, b) => a * b, 1),
      );
    }
    this.#size = at;
    if (at === 0) return;
    this.#buffer = pool.take(at);
    wanted.forEach(({ range }, i) => {
      const size = (this.#offsets[i + 1] ?? at) - this.#offsets[i]!;
      if (size > 0) encoder.copyBufferToBuffer(range.buffer, range.offset, this.#buffer!, this.#offsets[i]!, size);
    });
  }

  /** The tensors, once the recorded commands were submitted and have run. */
  async read(): Promise<HostTensor[]> {
    const buffer = this.#buffer;
    if (buffer === undefined) return this.#wanted.map(({ dtype, shape }) => hostTensor(dtype, shape));
    await buffer.mapAsync(MAP_READ, 0, this.#size);
    const bytes = new Uint8Array(buffer.getMappedRange(0, this.#size));
    const tensors = this.#wanted.map(({ dtype, shape }, i) => fromDevice(dtype, shape, bytes.subarray(this.#offsets[i]!)));
    buffer.unmap();
    this.#pool.give(buffer);
    return tensors;
  }

  /** Gives the buffer back without reading, when the commands were never submitted. */
  cancel(): void {
    if (this.#buffer !== undefined) this.#pool.give(this.#buffer);
  }
}
