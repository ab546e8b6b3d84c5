import { describeOrigin, QfuseError } from '@qfuse/plugin';
import { type MemoryItem, type MemoryPlan, planMemory } from './memory-plan.js';
import type { Schedule, Step } from './schedule.js';
import type { Sizes } from './kernel.js';
import type { WebGPUTarget } from './target.js';

/** The parameters of each dispatch lie at multiples of this in one uniform buffer. */
const SLOT_BYTES = 256;

/** Everything of a run that depends on the sizes of its inputs. */
export interface Frame {
  readonly sizes: Sizes;
  /** The parameter block: the slots of all steps. */
  readonly parameters: ArrayBuffer;
  /** Workgroups along x and y for each step; x is 0 for a step that is left out. */
  readonly grids: readonly (readonly [number, number])[];
  /** Bytes of each storage. */
  readonly bytes: readonly number[];
}

/** The offset of each step's slot in the parameter block, and the size of the block. */
export function parameterSlots(steps: readonly Step[], alignment: number): { readonly offsets: readonly number[]; readonly bytes: number } {
  const unit = Math.max(SLOT_BYTES, alignment);
  let at = 0;
  const offsets = steps.map(({ dispatch }) => {
    const offset = at;
    at += Math.ceil((dispatch.parameters.length * 4) / unit) * unit;
    return offset;
  });
  return { offsets, bytes: Math.max(at, unit) };
}

/**
 * Computes grids, parameters and sizes for one binding of the symbols.
 * @throws QfuseError `webgpu/too-large` naming the node when a size is beyond what a dispatch can address
 */
export function makeFrame(schedule: Schedule, sizes: Sizes, target: WebGPUTarget): Frame {
  const { steps, storages } = schedule;
  const slots = parameterSlots(steps, target.limits.minUniformBufferOffsetAlignment);
  const parameters = new ArrayBuffer(slots.bytes);
  const view = new DataView(parameters);
  const bytes = storages.map((s) => s.bytes(sizes));
  const limit = target.limits.maxStorageBufferBindingSize;
  const grids = steps.map((step, i): readonly [number, number] => {
    const launch = step.dispatch.launch(sizes);
    if (launch.groups === 0) return [0, 0];
    for (const { index, name } of step.storages)
      if (bytes[index]! > limit) throw tooLarge(step, `"${name}" takes ${bytes[index]} bytes, the device binds at most ${limit}`);
    const grid = foldGrid(launch.groups, target.limits.maxComputeWorkgroupsPerDimension);
    if (grid === undefined) throw tooLarge(step, `${launch.groups} workgroups are more than the device can start`);
    step.dispatch.parameters.forEach(([name, type], k) => {
      const value = name === 'grid' ? grid[0] : launch.parameters[name];
      if (value === undefined)
        throw new Error(`${step.lowered.kernel} (${step.dispatch.label}) gives no value for its parameter "${name}"`);
      const at = slots.offsets[i]! + 4 * k;
      if (type === 'f32') view.setFloat32(at, value, true);
      else {
        if (!Number.isInteger(value) || value > 0xffffffff || value < -0x80000000)
          throw tooLarge(step, `the size ${value} (${name}) is beyond 32-bit indices`);
        view.setUint32(at, value >>> 0, true);
      }
    });
    return grid;
  });
  return { sizes, parameters, grids, bytes };
}

/** `groups` workgroups as x × y within the limit of a dimension; undefined when that is impossible. */
function foldGrid(groups: number, limit: number): readonly [number, number] | undefined {
  if (groups <= limit) return [groups, 1];
  const y = Math.ceil(groups / limit);
  return y > limit ? undefined : [Math.ceil(groups / y), y];
}

const tooLarge = (step: Step, why: string): QfuseError =>
  new QfuseError('webgpu/too-large', `${step.lowered.node.op.name} at ${describeOrigin(step.lowered.node.origin)}: ${why}`, {
    help: 'use smaller inputs, or a device with larger limits',
  });

/** The activation storages as items of a memory plan, in the order of `storages`. */
export function planActivations(
  schedule: Schedule,
  bytes: readonly number[],
  target: WebGPUTarget,
): { readonly storages: readonly number[]; readonly plan: MemoryPlan } {
  const used = schedule.storages
    .filter((s) => s.kind === 'activation' && Number.isFinite(schedule.lifetimes[s.index]!.first))
    .map((s) => s.index);
  const item = new Map(used.map((storage, i) => [storage, i]));
  const apart = used.map(() => new Set<number>());
  for (const { dispatch, storages } of schedule.steps) {
    const at = (k: number): number => item.get(storages[k]!.index) ?? -1;
    dispatch.bindings.forEach((w, i) => {
      if (w.access !== 'read_write' || at(i) < 0) return;
      dispatch.bindings.forEach((r, k) => {
        if (r.access === 'read' && at(k) >= 0 && at(k) !== at(i)) apart[at(i)]!.add(at(k));
      });
    });
  }
  const items = used.map((storage, i): MemoryItem => ({ bytes: bytes[storage]!, ...schedule.lifetimes[storage]!, apart: apart[i]! }));
  return { storages: used, plan: planMemory(items, target.limits.minStorageBufferOffsetAlignment, target.limits.maxBufferSize) };
}
