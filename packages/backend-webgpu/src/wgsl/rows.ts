import type { Binding, Dispatch, ParameterType, Sizes } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { mathFor } from './math.js';
import { groupsFor, shader } from './shader.js';

/**
 * Kernels that reduce over rows. On a GPU a workgroup takes a row and its lanes take every n-th element of it; on a
 * software adapter, where barriers are slow, a thread takes a row and no workgroup memory is used. The body is the same.
 */
export interface RowsInit {
  readonly label: string;
  /** Lanes that share a row; 1 for none. */
  readonly lanes: number;
  readonly bindings: readonly Binding[];
  readonly parameters?: Readonly<Record<string, ParameterType>>;
  readonly declarations?: string;
  /**
   * Statements for one row, `row` (u32). Elements are visited by `for (var k = first; k < …; k += LANES)`; partial
   * results are joined by the functions `join_<name>(x)` of {@link joins}, which every lane must call; results are
   * written under `if (first == 0u)` or by the loop.
   */
  readonly body: string;
  /** The joins that the body uses. */
  readonly joins?: Readonly<Record<string, Join>>;
  readonly rows: (sizes: Sizes) => number;
  readonly values?: (sizes: Sizes) => Readonly<Record<string, number>>;
}

/** How two partial results become one. */
export interface Join {
  /** WGSL type of a partial result. */
  readonly type: string;
  /** An expression over `a` and `b`. */
  readonly combine: string;
}

/** Threads of a workgroup when each takes a row of its own. */
const THREADS = 64;

/** Lanes for rows of `length` elements (undefined when that is not known at compile time). */
export function lanesFor(target: WebGPUTarget, length: number | undefined): number {
  if (target.software) return 1;
  // Shorter rows than that keep more lanes idle than their reduction is worth.
  if (length !== undefined && length < 32) return 1;
  return length !== undefined && length >= 2048 ? Math.min(256, target.limits.maxComputeInvocationsPerWorkgroup) : 64;
}

/** Sum, largest, smallest of f32. */
export const joinSum: Join = Object.freeze({ type: 'f32', combine: 'a + b' });
export const joinLargest: Join = Object.freeze({ type: 'f32', combine: 'maximum(a, b)' });

/** A dispatch over rows; see {@link RowsInit}. */
export function rowsDispatch(init: RowsInit): Dispatch {
  const { lanes } = init;
  const single = lanes === 1;
  const joins = Object.entries(init.joins ?? {}).map(([name, join]) =>
    single ? `fn join_${name}(x: ${join.type}) -> ${join.type} { return x; }` : sharedJoin(name, join, lanes),
  );
  const text = [...joins, init.declarations ?? '', init.body].join('\n');
  return shader({
    label: init.label,
    threads: single ? THREADS : lanes,
    bindings: init.bindings,
    parameters: { rows: 'u32', ...init.parameters },
    declarations: [`const LANES = ${lanes}u;`, single ? '' : 'var<private> first: u32;', mathFor(text), ...joins, init.declarations ?? '']
      .filter((t) => t !== '')
      .join('\n'),
    body: `${single ? `let row = group * ${THREADS}u + lane;\nlet first = 0u;` : 'let row = group;\nfirst = lane;'}\nif (row >= P.rows) { return; }\n${init.body}`,
    launch: (sizes) => {
      const rows = init.rows(sizes);
      return { groups: single ? groupsFor(rows, THREADS) : rows, parameters: rows === 0 ? {} : { rows, ...init.values?.(sizes) } };
    },
  });
}

function sharedJoin(name: string, { type, combine }: Join, lanes: number): string {
  return `var<workgroup> shared_${name}: array<${type}, ${lanes}>;
fn combine_${name}(a: ${type}, b: ${type}) -> ${type} { return ${combine}; }
fn join_${name}(x: ${type}) -> ${type} {
  shared_${name}[first] = x;
  workgroupBarrier();
  for (var s = ${lanes / 2}u; s > 0u; s >>= 1u) {
    if (first < s) { shared_${name}[first] = combine_${name}(shared_${name}[first], shared_${name}[first + s]); }
    workgroupBarrier();
  }
  let joined = shared_${name}[0];
  workgroupBarrier();
  return joined;
}`;
}
