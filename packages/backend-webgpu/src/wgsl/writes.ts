import type { Dim, Node, Value } from '@qfuse/plugin';
import type { Dispatch, ParameterType, Sizes } from '../kernel.js';
import { knownLayout, type Layout, type ScalarType } from '../storage.js';
import { convert } from './elements.js';
import { indexing } from './indexing.js';
import { mapDispatch } from './map.js';

/** How values that are written to one element are joined. */
export type Joining = 'last' | 'sum' | 'prod' | 'mean' | 'amax' | 'amin';

/** How a tensor is read for an output element and a write: strides along the axes of the output and of the writes. */
export interface Reading {
  readonly value: Value;
  readonly output: (sizes: Sizes) => readonly number[];
  readonly writes: (sizes: Sizes) => readonly number[];
}

/**
 * Writes into a copy of a tensor at places that index tensors say. Each element of the result asks all writes whether they
 * mean it, in order: what is written last stays, sums are the same in each run, and no atomics are needed.
 */
export interface Writes {
  readonly self: Value;
  /** Shape of the output as the writes see it. */
  readonly shape: readonly Dim[];
  /** Shape over which the writes are numbered, row-major. */
  readonly writes: readonly Dim[];
  /** For each index tensor the axis of the output of which it gives the coordinate; `all` for the position in row-major order. */
  readonly targets: readonly (Reading & { readonly axis: number | 'all' })[];
  /** Negative positions count from the end. */
  readonly wrap?: boolean;
  /** Axes of the output on which only coordinates below a size are written. */
  readonly limits?: readonly (readonly [axis: number, size: Dim])[];
  /** What is written. */
  readonly source: Reading | { readonly literal: string };
  /** A factor of what is written. */
  readonly factor?: string | undefined;
  readonly joining: Joining;
  /** Whether the element that is there takes part; default true. */
  readonly includeSelf?: boolean;
}

/** The joined value of `y` and `v`. */
function joined(joining: Joining, type: ScalarType): string {
  if (joining === 'last') return 'v';
  if (joining === 'amax') return type === 'f32' ? 'maximum(y, v)' : type === 'bool' ? 'y || v' : 'max(y, v)';
  if (joining === 'amin') return type === 'f32' ? 'minimum(y, v)' : type === 'bool' ? 'y && v' : 'min(y, v)';
  if (joining === 'prod') return type === 'bool' ? 'y && v' : 'y * v';
  return type === 'bool' ? 'y || v' : 'y + v';
}

/** The sum `y` of `count` elements divided, in the layout's type; sums of packed integers wrap to their width before. */
function average({ scalar, perWord }: Layout): string {
  if (scalar === 'f32') return 'y / f32(count)';
  const unused = 32 - 32 / perWord;
  const wrapped = unused === 0 ? 'y' : `((y << ${unused}u) >> ${unused}u)`;
  return scalar === 'i32' ? `floor_divide(${wrapped}, i32(count))` : `${wrapped} / count`;
}

/** The dispatch of {@link Writes}; the label is for profiles. */
export function writesDispatch(node: Node, label: string, init: Writes): Dispatch {
  const { shape, writes, targets, source, joining, limits = [], includeSelf = true } = init;
  const layout = knownLayout(node.result.type.dtype);
  const type = layout.scalar;
  const readings: readonly Reading[] = 'literal' in source ? targets : [...targets, source];
  const names = readings.map((_, k) => (k < targets.length ? `index${k}` : 'source'));
  const output = indexing(
    shape,
    readings.map((r) => ({ strides: r.output })),
  );
  const inner = indexing(
    writes,
    readings.map((r) => ({ strides: r.writes })),
  );
  // Both index computations have parameters of the same names.
  const own = (text: string): string => text.replace(/\bP\.(\w+)/g, 'P.w_$1');
  const place = names.map((name, k) => `fn along_${name}(i: u32) -> u32 {\n  ${own(inner.coordinates)}\n  return ${own(inner.at[k]!)};\n}`);
  const load = (k: number): string => `load_${names[k]}(${output.at[k]} + along_${names[k]}(k))`;
  const tests = targets.flatMap(({ axis }, k) => [
    `var j${k} = ${load(k)};`,
    ...(init.wrap === true ? [`if (j${k} < 0) { j${k} += i32(P.size${k}); }`] : []),
    `if (j${k} != i32(${axis === 'all' ? 'i' : `c${axis}`})) { continue; }`,
  ]);
  const written = 'literal' in source ? source.literal : convert(load(targets.length), knownLayout(source.value.type.dtype).scalar, type);
  const value = joined(joining, type);
  const lines = [
    output.coordinates,
    'var y = load_x(i);',
    ...limits.map(([axis], k) => `if (c${axis} >= P.limit${k}) { return y; }`),
    'var met = 0u;',
    'for (var k = 0u; k < P.writes; k++) {',
    ...tests.map((line) => `  ${line}`),
    `  let v = ${init.factor === undefined ? written : `${written} * ${init.factor}`};`,
    includeSelf ? `  y = ${value};` : `  if (met == 0u) { y = v; } else { y = ${value}; }`,
    '  met++;',
    '}',
    ...(joining === 'mean' ? [`let count = max(met${includeSelf ? ' + 1u' : ''}, 1u);`, `return ${average(layout)};`] : ['return y;']),
  ];
  const parameters: Record<string, ParameterType> = { writes: 'u32', ...output.parameters };
  for (const name of Object.keys(inner.parameters)) parameters[`w_${name}`] = 'u32';
  targets.forEach((_, k) => (parameters[`size${k}`] = 'u32'));
  limits.forEach((_, k) => (parameters[`limit${k}`] = 'u32'));
  return mapDispatch({
    label,
    inputs: [['x', init.self], ...readings.map(({ value: v }, k) => [names[k]!, v] as const)],
    output: node.result,
    parameters,
    declarations: place.join('\n'),
    values: (sizes) => ({
      writes: writes.reduce((n: number, d) => n * sizes.dim(d), 1),
      ...output.values(sizes),
      ...Object.fromEntries(Object.entries(inner.values(sizes)).map(([name, v]) => [`w_${name}`, v])),
      ...Object.fromEntries(
        targets.map(({ axis }, k) => [`size${k}`, axis === 'all' ? sizes.count(node.result) : sizes.dim(shape[axis]!)]),
      ),
      ...Object.fromEntries(limits.map(([, size], k) => [`limit${k}`, sizes.dim(size)])),
    }),
    element: lines.filter((l) => l !== '').join('\n'),
  });
}
