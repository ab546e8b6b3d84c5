import type { AnyOp, Constant, Dim, DType, Kernel, Node, OperandName, Value, Verdict } from '@qfuse/plugin';
import type { WebGPUTarget } from './target.js';

/** Memory that only the dispatches of one node share, e.g. attention scores. Told apart by identity. */
export interface Scratch {
  readonly scratch: string;
  /** Bytes for the sizes of a run. */
  readonly bytes: (sizes: Sizes) => number;
}

/** One storage buffer of a dispatch. */
export interface Binding {
  /** The WGSL variable. */
  readonly name: string;
  /** Its WGSL type, e.g. `array<vec4<u32>>`. */
  readonly type: string;
  readonly access: 'read' | 'read_write';
  /** A graph value in its device layout, a constant whose bytes are taken as they are (a packed weight), or scratch memory. */
  readonly from: Value | Constant | Scratch;
}

/** The type of a parameter: negative numbers and large indices wrap around as two's complement in `u32`. */
export type ParameterType = 'u32' | 'i32' | 'f32';

/** The sizes of a run: what symbolic dims are. */
export interface Sizes {
  dim(d: Dim): number;
  /** The shape of a value as numbers. */
  shape(value: Value): readonly number[];
  /** Number of elements of a value. */
  count(value: Value): number;
}

/** How often a dispatch runs, and with which parameters. */
export interface Launch {
  /** Number of workgroups; 0 leaves the dispatch out of the run. The host folds numbers beyond the limit of a dimension. */
  readonly groups: number;
  /** A value for each declared parameter but `grid`. */
  readonly parameters: Readonly<Record<string, number>>;
}

/** A compute shader with its memory and a rule for its sizes. */
export interface Dispatch {
  /** The variant, for profiles and plans, e.g. `gemv`. */
  readonly label: string;
  /** A whole WGSL module with the entry point `main`; it depends on ranks, dtypes and constants, never on symbolic sizes. */
  readonly code: string;
  readonly bindings: readonly Binding[];
  /** Fields of the uniform struct at binding 0 in order; `grid` (number of workgroups along x) comes first and is filled by the host. */
  readonly parameters: readonly (readonly [name: string, type: ParameterType])[];
  /** Pure. */
  readonly launch: (sizes: Sizes) => Launch;
}

/**
 * How far a result may lie from the float64 reference:
 * `|y - y64| <= absolute + relative · |y64|`, and for a sum of products (`sums`) `relative · Σ|terms|` in place of the latter.
 * Integer and boolean results are always exact.
 */
export interface ErrorBound {
  readonly absolute: number;
  readonly relative: number;
  /** The bound is relative to the sum of the magnitudes, not to the result: cancellation is nobody's fault. */
  readonly sums?: boolean;
  /** With `sums`: `relative` grows by this with each term of a sum. */
  readonly perTerm?: number;
}

/** What a run moves and computes at least; the roofline of a profile. */
export interface Cost {
  /** Bytes of all operands and results, each once. */
  readonly bytes: number;
  /** Arithmetic operations; a multiply-add counts as two. */
  readonly operations: number;
}

/** An operand of a {@link KernelSample}. */
export interface SampleTensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** Values in order, repeated; default: random numbers in [-2, 2), integers in [-7, 7), bools. */
  readonly values?: readonly number[] | undefined;
  /** Given as a graph constant, not as an input. */
  readonly constant?: boolean | undefined;
}

/** An entry of a kernel's shape list: a node that a test runs against the op's reference. */
export interface KernelSample {
  readonly operands: Readonly<Record<string, SampleTensor | readonly (SampleTensor | undefined)[]>>;
  readonly attrs?: Readonly<Record<string, unknown>> | undefined;
}

/** An implementation of an op in WGSL, or the statement that the op changes nothing in memory. */
export interface WebGPUKernel extends Kernel {
  readonly target: 'webgpu';
  readonly supports: (node: Node, target: WebGPUTarget) => Verdict;
  /** The dispatches in order. Pure: equal nodes and targets give equal text. Called only when `supports` says yes. */
  readonly emit?: ((node: Node, target: WebGPUTarget) => readonly Dispatch[]) | undefined;
  /** In place of `emit`: every result is the memory of this operand. */
  readonly alias?: string | undefined;
  /** Operands that the kernel takes in a form of its own when they are constants (weights, scales): these may have any dtype. */
  readonly packs: readonly string[];
  readonly error: ErrorBound;
  readonly cost: (node: Node, sizes: Sizes) => Cost;
  /** The shape list: a test runs these against the op's reference, guarded by canaries, inputs followed by NaNs. */
  readonly samples: readonly KernelSample[];
}

/** What {@link defineKernel} takes: as {@link WebGPUKernel}, with nodes of the op's own type. */
export interface KernelInit<D extends AnyOp> {
  /** Unique among kernels, e.g. `elementwise/aten.relu`. */
  readonly name: string;
  readonly op: D;
  readonly supports: (node: Node<D>, target: WebGPUTarget) => Verdict;
  readonly emit?: (node: Node<D>, target: WebGPUTarget) => readonly Dispatch[];
  readonly alias?: OperandName<D>;
  readonly packs?: readonly OperandName<D>[];
  /** Default: {@link oneRounding}. */
  readonly error?: ErrorBound;
  /** Default: {@link streamCost}. */
  readonly cost?: (node: Node<D>, sizes: Sizes) => Cost;
  readonly samples?: readonly KernelSample[];
}

/** The bound of kernels that round once. */
export const oneRounding: ErrorBound = Object.freeze({ absolute: 0, relative: 2 ** -22 });
/** The bound of kernels that move elements. */
export const exact: ErrorBound = Object.freeze({ absolute: 0, relative: 0 });

/**
 * Defines a kernel. Publish it in the `kernels` of a plugin, or give it to `compileProgram`.
 * @throws Error when it has both or none of `emit` and `alias`
 */
export function defineKernel<D extends AnyOp>(init: KernelInit<D>): WebGPUKernel {
  if ((init.emit === undefined) === (init.alias === undefined)) throw new Error(`kernel ${init.name}: expected either "emit" or "alias"`);
  if (init.alias !== undefined && !Object.hasOwn(init.op.operands, init.alias))
    throw new Error(`kernel ${init.name}: ${init.op.name} has no operand "${init.alias}"`);
  // The registry asks a kernel only about nodes of its own op, so the narrower parameter is safe.
  const functions = init as unknown as Pick<WebGPUKernel, 'supports' | 'emit' | 'cost'>;
  const { name, op, alias, packs = [], error = oneRounding, samples = [] } = init;
  return Object.freeze({
    target: 'webgpu',
    name,
    op,
    alias,
    packs,
    error,
    samples,
    supports: functions.supports,
    emit: functions.emit,
    cost: functions.cost ?? streamCost,
  });
}

/** Every operand and result once, an operation for each element of the results. */
export function streamCost(node: Node, sizes: Sizes): Cost {
  const results = node.results.reduce((sum, v) => sum + sizes.count(v), 0);
  const operands = node.operands.reduce((sum, v) => sum + (v === undefined ? 0 : sizes.count(v)), 0);
  return { bytes: 4 * (results + operands), operations: results };
}
