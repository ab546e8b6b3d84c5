import type { Dim } from '@qfuse/plugin';
import type { ParameterType, Sizes } from '../kernel.js';

/** How one array is read along the axes of an output: element `offset + Σ coordinate · stride`. Strides may be negative. */
export interface Access {
  readonly strides: (sizes: Sizes) => readonly number[];
  readonly offset?: ((sizes: Sizes) => number) | undefined;
  /** The strides are those of the output itself: element `i` is at `i`. */
  readonly contiguous?: boolean;
}

/** WGSL for finding the elements of several arrays from the index of an output element. */
export interface Indexing {
  readonly parameters: Readonly<Record<string, ParameterType>>;
  /** Statements that compute the coordinates `c0`, `c1`, … from the u32 `i`. */
  readonly coordinates: string;
  /** Index expression of array `k`, valid after {@link coordinates}. */
  readonly at: readonly string[];
  readonly values: (sizes: Sizes) => Record<string, number>;
}

/** Row-major strides of a shape. */
export function rowMajor(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let i = shape.length - 2; i >= 0; i--) strides[i] = strides[i + 1]! * shape[i + 1]!;
  return strides;
}

/** Index arithmetic over an output of shape `shape` for several arrays. All sizes are parameters. */
export function indexing(shape: readonly Dim[], accesses: readonly Access[]): Indexing {
  const rank = shape.length;
  const parameters: Record<string, ParameterType> = {};
  const strided = accesses.map((a) => a.contiguous !== true);
  const any = strided.includes(true);
  // The outermost axis needs no size: what is left of the index is its coordinate.
  if (any) for (let axis = 1; axis < rank; axis++) parameters[`d${axis}`] = 'u32';
  accesses.forEach((access, k) => {
    if (!strided[k]) return;
    if (access.offset !== undefined) parameters[`o${k}`] = 'u32';
    for (let axis = 0; axis < rank; axis++) parameters[`s${k}_${axis}`] = 'u32';
  });
  const lines: string[] = [];
  let rest = 'i';
  if (any)
    for (let axis = rank - 1; axis >= 0; axis--) {
      if (axis === 0) lines.push(`let c0 = ${rest};`);
      else {
        lines.push(`let c${axis} = ${rest} % P.d${axis};`, `let r${axis} = ${rest} / P.d${axis};`);
        rest = `r${axis}`;
      }
    }
  const at = accesses.map((access, k) => {
    if (!strided[k]) return 'i';
    const terms = Array.from({ length: rank }, (_, axis) => `c${axis} * P.s${k}_${axis}`);
    if (access.offset !== undefined) terms.unshift(`P.o${k}`);
    return terms.join(' + ') || '0u';
  });
  const values = (sizes: Sizes): Record<string, number> => {
    const out: Record<string, number> = {};
    if (any) for (let axis = 1; axis < rank; axis++) out[`d${axis}`] = sizes.dim(shape[axis]!);
    accesses.forEach((access, k) => {
      if (!strided[k]) return;
      if (access.offset !== undefined) out[`o${k}`] = access.offset(sizes);
      access.strides(sizes).forEach((stride, axis) => (out[`s${k}_${axis}`] = stride));
    });
    return out;
  };
  return { parameters, coordinates: lines.join('\n'), at, values };
}

/** A run of output axes that every operand treats alike, as one axis. */
interface AxisRun {
  readonly dims: readonly Dim[];
  /** For each operand: its dims along this run (1 where it has none). */
  readonly operands: readonly (readonly Dim[])[];
}

/**
 * Index arithmetic for operands that broadcast to `shape`. Neighbouring axes that all operands either have whole
 * or lack are joined, so that equal shapes need no arithmetic at all. A symbolic size that may turn out to be 1 is
 * decided by its stride in each run.
 */
export function broadcastIndexing(shape: readonly Dim[], operands: readonly (readonly Dim[])[]): Indexing {
  const aligned = operands.map((dims) => [...new Array<Dim>(shape.length - dims.length).fill(1), ...dims]);
  const whole = aligned.map((dims) => dims.every((d, axis) => d === shape[axis]));
  const runs = joinAxes(shape, aligned);
  const accesses = aligned.map((_, k): Access => ({ contiguous: whole[k]!, strides: (sizes) => runStrides(runs, k, sizes) }));
  const base = indexing(
    runs.map(() => 0),
    accesses,
  );
  return {
    ...base,
    values: (sizes) => {
      const out = base.values(sizes);
      runs.forEach(({ dims }, axis) => {
        if (Object.hasOwn(out, `d${axis}`)) out[`d${axis}`] = dims.reduce((n: number, d) => n * sizes.dim(d), 1);
      });
      return out;
    },
  };
}

function joinAxes(shape: readonly Dim[], operands: readonly (readonly Dim[])[]): AxisRun[] {
  const runs: { dims: Dim[]; operands: Dim[][]; kinds: string }[] = [];
  shape.forEach((dim, axis) => {
    if (dim === 1) return;
    const kinds = operands.map((o) => (o[axis] === dim ? 'whole' : o[axis] === 1 ? 'none' : `axis ${axis}`)).join();
    const last = runs.at(-1);
    if (last?.kinds === kinds && !kinds.includes('axis')) {
      last.dims.push(dim);
      operands.forEach((o, k) => last.operands[k]!.push(o[axis]!));
    } else runs.push({ dims: [dim], operands: operands.map((o) => [o[axis]!]), kinds });
  });
  return runs;
}

function runStrides(runs: readonly AxisRun[], operand: number, sizes: Sizes): number[] {
  const counts = runs.map((run) => run.operands[operand]!.reduce((n: number, d) => n * sizes.dim(d), 1));
  const strides = rowMajor(counts);
  // A run of size 1 in an operand is read again and again.
  return strides.map((s, i) => (counts[i] === 1 ? 0 : s));
}
