import { bindSymbols, type Graph, type HostTensor, QfuseError, type TensorType } from '@qfuse/plugin';
import { makeFrame, type Frame } from './frame.js';
import { DeviceWatch, scoped } from './gpu.js';
import { allocateFixed, allocateRun, fill, type FixedMemory, grown, hasRoom, type RunMemory } from './memory.js';
import { compilePipelines, type Pipelines } from './pipelines.js';
import { describePlan, type ProgramPlan, summarize } from './plan.js';
import { Profiler, type Timing } from './profile.js';
import { Readback, StagingPool, type Wanted } from './readback.js';
import { type Schedule, sizesFor, symbolsOf } from './schedule.js';
import { storageBytes, toDevice } from './storage.js';
import type { WebGPUTarget } from './target.js';

/** What a run on the device returns. */
export interface WebGPURunResult {
  /** The graph's outputs, in order. */
  readonly outputs: readonly HostTensor[];
  /** New contents of mutated graph inputs by name; with `readState` also those of mutated buffers. */
  readonly mutated: ReadonlyMap<string, HostTensor>;
  /** With `profile`: the time of each dispatch. */
  readonly timings: readonly Timing[] | undefined;
}

/** Options of {@link WebGPUProgram.run}. */
export interface RunOptions {
  /** Also read back the mutated buffers. Default false: they stay on the device. */
  readonly readState?: boolean;
  /** Time each dispatch. @throws QfuseError `webgpu/feature` when the device has no `timestamp-query` */
  readonly profile?: boolean;
}

/** What is left to wait for after a submit. */
interface Submitted {
  readonly outputs: Readback;
  readonly mutated: readonly string[];
  readonly timings: (() => Promise<Timing[]>) | undefined;
}

/** Frames kept for sizes seen before. */
const FRAMES_KEPT = 64;

/**
 * A graph compiled for one device: pipelines, constants and bind groups are made, a run only writes inputs, records
 * one compute pass and submits it. Several runs may be in flight; they take effect in the order of the calls.
 * Mutated buffers stay on the device between runs.
 */
export class WebGPUProgram {
  readonly graph: Graph;
  readonly target: WebGPUTarget;
  readonly #device: GPUDevice;
  readonly #schedule: Schedule;
  readonly #pipelines: Pipelines;
  readonly #fixed: FixedMemory;
  readonly #staging: StagingPool;
  readonly #watch: DeviceWatch;
  readonly #frames = new Map<string, Frame>();
  #memory: RunMemory | undefined;
  #uploaded: Frame | undefined;
  #disposed = false;

  private constructor(
    device: GPUDevice,
    target: WebGPUTarget,
    schedule: Schedule,
    source: Graph,
    made: { pipelines: Pipelines; fixed: FixedMemory; watch: DeviceWatch },
  ) {
    this.graph = source;
    this.target = target;
    this.#device = device;
    this.#schedule = schedule;
    this.#pipelines = made.pipelines;
    this.#fixed = made.fixed;
    this.#watch = made.watch;
    this.#staging = new StagingPool(device);
  }

  /** @internal use `compileProgram` */
  static async create(device: GPUDevice, target: WebGPUTarget, schedule: Schedule, source: Graph): Promise<WebGPUProgram> {
    const watch = DeviceWatch.of(device);
    const pipelines = await watch.guard(compilePipelines(device, schedule.steps));
    const fixed = await watch.guard(
      scoped(
        device,
        () => `constants of "${source.name}"`,
        () => allocateFixed(device, schedule, target),
      ),
    );
    const program = new WebGPUProgram(device, target, schedule, source, { pipelines, fixed, watch });
    // Sizes that need no input are known now, and so is everything else.
    if (symbolsOf(source).size === 0)
      await watch.guard(
        scoped(
          device,
          () => `memory of "${source.name}"`,
          () => program.#reserve(program.#frame(new Map())),
        ),
      );
    return program;
  }

  /** Dispatches, arenas and bytes; for the sizes of the last run, or the smallest ones before the first. */
  get plan(): ProgramPlan {
    const frame = this.#uploaded ?? this.#frames.values().next().value;
    return summarize(this.#schedule, this.target, frame, this.#memory?.plan, this.#pipelines.count);
  }

  /** {@link plan} as text. */
  describe(): string {
    return describePlan(this.plan);
  }

  /**
   * Runs the program on `inputs`, one for each graph input in order.
   * @throws QfuseError `run/inputs`, `ir/dim-range`, `webgpu/value-range` for inputs that do not fit; `webgpu/too-large`,
   *   `webgpu/out-of-memory` for sizes that the device cannot take; `webgpu/device-lost`; `webgpu/disposed`
   */
  async run(inputs: readonly HostTensor[], options: RunOptions = {}): Promise<WebGPURunResult> {
    this.#alive();
    if (options.profile === true && !this.#device.features.has('timestamp-query'))
      throw new QfuseError('webgpu/feature', `${this.target.name} cannot time dispatches: the device has no feature "timestamp-query"`, {
        help: 'request the feature with the device',
      });
    const frame = this.#frame(bindSymbols(this.graph, inputs));
    const bytes = this.#schedule.graph.inputs.map((v, i) => toDevice(v.type.dtype, inputs[i]!.data, `input "${v.name}"`));
    let submitted: Submitted | undefined;
    const submit = scoped(
      this.#device,
      () => `run of "${this.graph.name}"`,
      () => {
        submitted = this.#submit(frame, bytes, options);
      },
    );
    // The work is submitted by now; reading its results need not wait for the report that it was valid.
    const [results, times] = await this.#watch.guard(Promise.all([submitted?.outputs.read() ?? [], submitted?.timings?.(), submit]));
    const mutated = submitted?.mutated ?? [];
    const count = this.graph.outputs.length;
    return { outputs: results.slice(0, count), mutated: new Map(mutated.map((name, i) => [name, results[count + i]!])), timings: times };
  }

  /** The contents of the mutated buffers, by name, after all runs that were started. */
  async readState(): Promise<ReadonlyMap<string, HostTensor>> {
    this.#alive();
    const states = this.#schedule.mutations.filter((m) => m.target.kind === 'state');
    const encoder = this.#device.createCommandEncoder();
    const wanted = states.map(({ mutation: { target }, target: storage }) => ({
      ...concrete(target.type),
      range: this.#fixed.ranges.get(storage)!,
    }));
    const readback = new Readback(this.#staging, encoder, wanted);
    this.#device.queue.submit([encoder.finish()]);
    const tensors = await this.#watch.guard(readback.read());
    return new Map(states.map(({ mutation }, i) => [mutation.target.name!, tensors[i]!]));
  }

  /** Puts mutated buffers (those named, else all) back to what the graph says. Runs that were started before are not affected. */
  resetState(names?: readonly string[]): void {
    this.#alive();
    for (const { mutation, target } of this.#schedule.mutations)
      if (target.kind === 'state' && (names === undefined || names.includes(mutation.target.name!)))
        fill(this.#device, this.#fixed.ranges.get(target)!, target);
  }

  /** Frees the device memory. Runs in flight are not affected; a later run is an error. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    void this.#device.queue.onSubmittedWorkDone().then(
      () => this.#staging.destroy(),
      () => this.#staging.destroy(),
    );
    for (const buffer of this.#fixed.buffers) buffer.destroy();
    this.#release();
    this.#frames.clear();
  }

  #alive(): void {
    if (this.#disposed)
      throw new QfuseError('webgpu/disposed', `the program "${this.graph.name}" was disposed`, { help: 'compile it again' });
    this.#watch.check();
  }

  #frame(bindings: ReadonlyMap<string, number>): Frame {
    const key = [...bindings].map(([name, size]) => `${name}=${size}`).join();
    let frame = this.#frames.get(key);
    if (frame === undefined) {
      frame = makeFrame(this.#schedule, sizesFor(bindings), this.target);
      if (this.#frames.size >= FRAMES_KEPT) this.#frames.delete(this.#frames.keys().next().value!);
      this.#frames.set(key, frame);
    }
    return frame;
  }

  #release(): void {
    for (const buffer of this.#memory?.buffers ?? []) buffer.destroy();
    this.#memory = undefined;
  }

  /** Memory with room for `frame`; planned again only when something outgrew its place. */
  #reserve(frame: Frame): RunMemory {
    const old = this.#memory;
    if (hasRoom(old, frame)) return old;
    const memory = allocateRun(this.#device, this.#schedule, grown(old, frame), this.#fixed, this.#pipelines.layouts, this.target);
    // Work that was submitted keeps what it uses.
    this.#release();
    this.#memory = memory;
    return memory;
  }

  #submit(frame: Frame, inputs: readonly Uint8Array[], options: RunOptions): Submitted {
    const device = this.#device;
    const memory = this.#reserve(frame);
    if (this.#uploaded !== frame) device.queue.writeBuffer(this.#fixed.parameters, 0, frame.parameters);
    this.#uploaded = frame;
    inputs.forEach((bytes, i) => {
      const range = memory.ranges.get(this.#schedule.inputs[i]!)!;
      if (bytes.byteLength > 0) device.queue.writeBuffer(range.buffer, range.offset, bytes as Uint8Array<ArrayBuffer>);
    });
    const encoder = device.createCommandEncoder({ label: this.graph.name });
    const profiler = options.profile === true ? new Profiler(device, this.#schedule.steps.length) : undefined;
    if (profiler === undefined) this.#record(encoder.beginComputePass(), frame, memory, 0, this.#schedule.steps.length);
    else this.#schedule.steps.forEach((_, i) => this.#record(profiler.pass(encoder, i), frame, memory, i, i + 1));
    const { wanted, mutated } = this.#results(frame, memory, options);
    const outputs = new Readback(this.#staging, encoder, wanted);
    this.#updateState(encoder, frame, memory);
    const timings = profiler?.finish(encoder, this.#schedule.steps, frame);
    device.queue.submit([encoder.finish()]);
    return { outputs, mutated, timings };
  }

  /** The whole cost of a run on the CPU lies here: nothing but calls that changed something. */
  #record(pass: GPUComputePassEncoder, frame: Frame, memory: RunMemory, from: number, to: number): void {
    const { pipelines } = this.#pipelines;
    let current: GPUComputePipeline | undefined;
    for (let i = from; i < to; i++) {
      const [x, y] = frame.grids[i]!;
      if (x === 0) continue;
      const pipeline = pipelines[i]!;
      if (pipeline !== current) pass.setPipeline((current = pipeline));
      pass.setBindGroup(0, memory.groups[i]!);
      pass.dispatchWorkgroups(x, y);
    }
    pass.end();
  }

  #results(frame: Frame, memory: RunMemory, { readState }: RunOptions): { wanted: Wanted[]; mutated: string[] } {
    const { graph, outputs, mutations } = this.#schedule;
    const wanted: Wanted[] = graph.outputs.map((v, i) => ({
      dtype: v.type.dtype,
      shape: frame.sizes.shape(v),
      range: memory.ranges.get(outputs[i]!)!,
    }));
    const mutated: string[] = [];
    for (const { mutation, value, target } of mutations) {
      if (target.kind === 'state' && readState !== true) continue;
      mutated.push(mutation.target.name!);
      wanted.push({ dtype: mutation.value.type.dtype, shape: frame.sizes.shape(mutation.value), range: memory.ranges.get(value)! });
    }
    return { wanted, mutated };
  }

  /** State takes its new contents after everything of the run was read. */
  #updateState(encoder: GPUCommandEncoder, frame: Frame, memory: RunMemory): void {
    const updates = this.#schedule.mutations.filter((m) => m.target.kind === 'state' && m.value !== m.target);
    const temporary: GPUBuffer[] = [];
    const copies = updates.map(({ mutation, value, target }) => {
      const size = storageBytes(mutation.value.type.dtype, frame.sizes.count(mutation.value));
      let from = memory.ranges.get(value)!;
      // The old contents of one buffer become those of another: keep them from being overwritten first.
      if (value.kind === 'state' && size > 0) {
        const copy = this.#device.createBuffer({ size, usage: 0x4 | 0x8, label: 'state copy' });
        temporary.push(copy);
        encoder.copyBufferToBuffer(from.buffer, from.offset, copy, 0, size);
        from = { buffer: copy, offset: 0, size };
      }
      return { from, to: memory.ranges.get(target)!, size };
    });
    for (const { from, to, size } of copies) if (size > 0) encoder.copyBufferToBuffer(from.buffer, from.offset, to.buffer, to.offset, size);
    if (temporary.length > 0) void this.#device.queue.onSubmittedWorkDone().then(() => temporary.forEach((b) => b.destroy()));
  }
}

const concrete = ({ dtype, shape }: TensorType): { readonly dtype: TensorType['dtype']; readonly shape: readonly number[] } => ({
  dtype,
  shape: shape as readonly number[],
});
