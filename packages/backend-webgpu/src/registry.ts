import { type AnyOp, dtypeInfo, type Kernel, type Node, no, QfuseError, type Value, type Verdict, yes } from '@qfuse/plugin';
import type { Dispatch, WebGPUKernel } from './kernel.js';
import { layoutOf, storageBytes } from './storage.js';
import type { WebGPUTarget } from './target.js';

/** The kernels for one target: the only place that says what is supported. */
export interface KernelRegistry {
  readonly target: WebGPUTarget;
  readonly kernels: readonly WebGPUKernel[];
  /** The first kernel that takes `node`, or why each one refuses. */
  select(node: Node): Selection;
  /** Whether any kernel for `op` exists. */
  has(op: AnyOp): boolean;
}

/** A kernel with its dispatches (none for an alias), or the reasons for there being none. */
export type Selection =
  | { readonly kernel: WebGPUKernel; readonly dispatches: readonly Dispatch[] }
  | { readonly kernel?: undefined; readonly reasons: readonly string[] };

/**
 * Joins kernels; earlier ones are asked first. Kernels of other targets are left out.
 * @throws QfuseError `webgpu/kernel` when two kernels have one name
 */
export function createKernelRegistry(kernels: Iterable<Kernel>, target: WebGPUTarget): KernelRegistry {
  const own = [...new Set(kernels)].filter((k): k is WebGPUKernel => k.target === 'webgpu');
  const names = new Set<string>();
  const byOp = new Map<AnyOp, WebGPUKernel[]>();
  for (const kernel of own) {
    if (names.has(kernel.name))
      throw new QfuseError('webgpu/kernel', `two kernels are called "${kernel.name}"`, { help: 'leave one of them out, or rename it' });
    names.add(kernel.name);
    byOp.set(kernel.op, [...(byOp.get(kernel.op) ?? []), kernel]);
  }
  return Object.freeze({
    target,
    kernels: Object.freeze(own),
    has: (op: AnyOp) => byOp.has(op),
    select: (node: Node): Selection => {
      const reasons: string[] = [];
      for (const kernel of byOp.get(node.op) ?? []) {
        const dtypes = checkDtypes(node, kernel.packs);
        const verdict = dtypes.ok ? kernel.supports(node, target) : dtypes;
        const dispatches = verdict.ok ? (kernel.emit?.(node, target) ?? []) : [];
        const fits = verdict.ok ? checkBindings(dispatches, target) : verdict;
        if (fits.ok) return { kernel, dispatches };
        reasons.push(`${kernel.name}: ${fits.why}`);
      }
      return { reasons: reasons.length > 0 ? reasons : ['there is no kernel for this op'] };
    },
  });
}

/** What holds for all kernels: the device can hold every operand and result. */
function checkDtypes(node: Node, packs: readonly string[]): Verdict {
  const packed = packs.map((name) => node.operandOrNone(name as never)).filter((v) => v?.constant !== undefined);
  for (const value of [...node.operands, ...node.results]) {
    if (value === undefined || layoutOf(value.type.dtype) !== undefined || packed.includes(value)) continue;
    const { dtype } = value.type;
    return no(
      `${dtype} values are not supported: a device buffer holds f32, i32, u32, i64 within 32 bits, bool, and packed i8, u8, i4, u4${dtypeInfo(dtype).kind === 'float' ? '; convert the model to f32' : ''}`,
    );
  }
  return yes;
}

/** Values of known size that are bound as they are must fit into a binding. */
function checkBindings(dispatches: readonly Dispatch[], target: WebGPUTarget): Verdict {
  const limit = target.limits.maxStorageBufferBindingSize;
  for (const { bindings } of dispatches) {
    if (bindings.length > target.limits.maxStorageBuffersPerShaderStage)
      return no(`it binds ${bindings.length} storage buffers, the device takes ${target.limits.maxStorageBuffersPerShaderStage}`);
    for (const { from } of bindings) {
      if ('scratch' in from) continue;
      const bytes = staticBytes(from);
      if (bytes !== undefined && bytes > limit) return no(`a buffer of ${bytes} bytes is beyond the binding limit of ${limit} bytes`);
    }
  }
  return yes;
}

function staticBytes(from: { readonly type: Value['type'] }): number | undefined {
  const { dtype, shape } = from.type;
  let count = 1;
  for (const d of shape) {
    if (typeof d !== 'number') return undefined;
    count *= d;
  }
  return storageBytes(dtype, count);
}
