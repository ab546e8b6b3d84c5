import { describeOrigin } from '@qfuse/plugin';
import { MAP_READ, usage } from './gpu.js';
import type { Frame } from './frame.js';
import type { Cost } from './kernel.js';
import type { Step } from './schedule.js';

/** The time that one dispatch took on the device. */
export interface Timing {
  readonly kernel: string;
  readonly dispatch: string;
  readonly op: string;
  /** Origin of the node. */
  readonly node: string;
  readonly microseconds: number;
  /** What the node of the dispatch moves and computes at least, by its kernel's model. */
  readonly cost: Cost | undefined;
}

/** Timestamps around each dispatch of one run. Every dispatch gets a pass of its own, which costs some microseconds each. */
export class Profiler {
  readonly #device: GPUDevice;
  readonly #sets: GPUQuerySet[] = [];
  readonly #count: number;
  /** WebGPU allows 4096 queries in a set. */
  static readonly #perSet = 2048;

  constructor(device: GPUDevice, steps: number) {
    this.#device = device;
    this.#count = steps;
    for (let left = steps; left > 0; left -= Profiler.#perSet)
      this.#sets.push(device.createQuerySet({ type: 'timestamp', count: 2 * Math.min(left, Profiler.#perSet) }));
  }

  pass(encoder: GPUCommandEncoder, step: number): GPUComputePassEncoder {
    const at = step % Profiler.#perSet;
    const querySet = this.#sets[Math.floor(step / Profiler.#perSet)]!;
    return encoder.beginComputePass({ timestampWrites: { querySet, beginningOfPassWriteIndex: 2 * at, endOfPassWriteIndex: 2 * at + 1 } });
  }

  /** Records the resolution; the returned function reads the times after the submit. */
  finish(encoder: GPUCommandEncoder, steps: readonly Step[], frame: Frame): () => Promise<Timing[]> {
    const size = Math.max(16, this.#count * 16);
    const resolved = this.#device.createBuffer({ size: size + 256, usage: usage.queryResolve | usage.copySrc });
    const staging = this.#device.createBuffer({ size, usage: usage.mapRead | usage.copyDst });
    this.#sets.forEach((set, i) => encoder.resolveQuerySet(set, 0, set.count, resolved, i * Profiler.#perSet * 16));
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    return async () => {
      await staging.mapAsync(MAP_READ);
      const times = new BigUint64Array(staging.getMappedRange().slice(0));
      for (const buffer of [resolved, staging]) buffer.destroy();
      for (const set of this.#sets) set.destroy();
      return steps.flatMap(({ lowered, dispatch }, i): Timing[] =>
        frame.grids[i]![0] === 0
          ? []
          : [
              {
                kernel: lowered.kernel,
                dispatch: dispatch.label,
                op: lowered.node.op.name,
                node: describeOrigin(lowered.node.origin),
                microseconds: Number(times[2 * i + 1]! - times[2 * i]!) / 1000,
                cost: lowered.record?.cost(lowered.node, frame.sizes),
              },
            ],
      );
    };
  }
}
