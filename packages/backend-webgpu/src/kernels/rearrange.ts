import { type Dim, intScalar, type Node, type Scalar, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type KernelSample, type SampleTensor, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { indexing, rowMajor } from '../wgsl/indexing.js';
import { mapDispatch } from '../wgsl/map.js';
import { literal } from './elementwise.js';
import { attrOf, axisOf, op } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * Ops whose result takes each element from another place of the operand, axis by axis: pads (positions before and after
 * the elements, with a constant, the mirror image, the border or the other end) and rolls.
 */
interface AxisMap {
  /** The axes that are mapped at all, counted from the front. */
  readonly axes: (node: Node, rank: number) => readonly number[];
  /**
   * For an axis of size `n` of the operand: its part that is used, of size `size` from `first` on, and the positions of
   * the result before that part.
   */
  readonly along: (node: Node, sizes: Sizes, axis: number, n: number) => Part;
  /** WGSL that brings the position `p` (i32) relative to a part of size `n` into it; `outside` marks a constant. */
  readonly place: string;
}

interface Part {
  readonly before: number;
  readonly first: number;
  readonly size: number;
}

const padsOf = (node: Node): readonly Dim[] => attrOf<readonly Dim[] | undefined>(node, 'pad') ?? attrOf<readonly Dim[]>(node, 'padding');

/** The positions to add before and after an axis; the first pair of numbers is for the last axis. */
function sidesOf(node: Node, sizes: Sizes, axis: number): readonly [before: number, after: number] {
  const at = 2 * (node.result.type.shape.length - 1 - axis);
  return [sizes.dim(padsOf(node)[at]!), sizes.dim(padsOf(node)[at + 1]!)];
}

const padding = (place: string): AxisMap => ({
  axes: (node, rank) => Array.from({ length: padsOf(node).length / 2 }, (_, i) => rank - 1 - i),
  along: (node, sizes, axis, size) => ({ before: sidesOf(node, sizes, axis)[0], first: 0, size }),
  place,
});

const circle: AxisMap = {
  ...padding('if (p < 0i) { p += n; } else if (p >= n) { p -= n; }'),
  // Negative pads are removed first; the circle goes around what they leave.
  along: (node, sizes, axis, n) => {
    const [before, after] = sidesOf(node, sizes, axis);
    return { before: Math.max(before, 0), first: Math.max(-before, 0), size: n + Math.min(before, 0) + Math.min(after, 0) };
  },
};

const rolledAxes = (node: Node, rank: number): readonly number[] => attrOf<readonly number[]>(node, 'dims').map((d) => axisOf(d, rank));
const wrap = (at: number, size: number): number => ((at % size) + size) % size;

const roll: AxisMap = {
  axes: (node, rank) => [...new Set(rolledAxes(node, rank))],
  along: (node, sizes, axis, size) => {
    const rolled = rolledAxes(node, node.result.type.shape.length);
    // An axis may be rolled several times.
    const shift = attrOf<readonly Dim[]>(node, 'shifts').reduce((sum: number, s, i) => sum + (rolled[i] === axis ? sizes.dim(s) : 0), 0);
    return { before: wrap(shift, size), first: 0, size };
  },
  place: 'if (p < 0i) { p += n; }',
};

const mirror = padding('if (p < 0i) { p = -p; } else if (p >= n) { p = 2i * n - 2i - p; }');
const border = padding('p = clamp(p, 0i, n - 1i);');
const maps: Readonly<Record<string, AxisMap>> = {
  constant_pad_nd: padding('if (p < 0i || p >= n) { outside = true; p = 0i; }'),
  reflection_pad1d: mirror,
  reflection_pad2d: mirror,
  reflection_pad3d: mirror,
  replication_pad1d: border,
  replication_pad2d: border,
  replication_pad3d: border,
  _pad_circular: circle,
  roll,
};

function emit(node: Node, map: AxisMap): Dispatch {
  const input = node.operands[0]!;
  const output = node.result;
  const axes = map.axes(node, output.type.shape.length);
  const index = indexing(output.type.shape, [{ strides: (sizes) => rowMajor(sizes.shape(input)) }]);
  const places = axes.flatMap((a) => [
    `var p${a} = i32(c${a}) - P.before${a};`,
    `let n${a} = P.size${a};`,
    map.place.replace(/\b[pn]\b/g, (name) => `${name}${a}`),
  ]);
  const at = axes.reduce((text, a) => text.replace(`c${a} * `, `u32(p${a} + P.first${a}) * `), index.at[0]!);
  const fill = literal(attrOf<Scalar | undefined>(node, 'value') ?? intScalar(0), knownLayout(output.type.dtype).scalar);
  const named = (a: number, part: Part) => Object.entries(part).map(([name, value]) => [`${name}${a}`, value] as const);
  return mapDispatch({
    label: 'rearrange',
    inputs: [['x', input]],
    output,
    parameters: {
      ...index.parameters,
      ...Object.fromEntries(axes.flatMap((a) => ['before', 'first', 'size'].map((name) => [`${name}${a}`, 'i32' as const]))),
    },
    values: (sizes) => {
      const shape = sizes.shape(input);
      return { ...index.values(sizes), ...Object.fromEntries(axes.flatMap((a) => named(a, map.along(node, sizes, a, shape[a]!)))) };
    },
    element: `${index.coordinates}
var outside = false;
${places.join('\n')}
if (outside) { return ${fill}; }
return load_x(${at});`,
  });
}

/** A roll over all elements in order is one along the only axis of the flat tensor. */
const flatRoll = (node: Node): Dispatch =>
  mapDispatch({
    label: 'rearrange',
    inputs: [['x', node.operands[0]!]],
    output: node.result,
    parameters: { start: 'u32' },
    values: (sizes) => ({ start: wrap(-sizes.dim(attrOf<readonly Dim[]>(node, 'shifts')[0]!), sizes.count(node.result)) }),
    element: 'return load_x((i + P.start) % P.n);',
  });

const on = (self: SampleTensor, attrs: KernelSample['attrs']): KernelSample => ({ operands: { self }, attrs });
const float = (value: number): Scalar => ({ kind: 'float', value });
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  constant_pad_nd: [
    on(f32(3, 5), { pad: [1, 2, 0, 1], value: float(2.5) }),
    on(f32(3, 5), { pad: [-1, 2], value: float(-Infinity) }),
    on(f32(2, 3, 5), { pad: [-3, -1, 4, -2] }),
    on(sample('i8', [5]), { pad: [2, 2], value: intScalar(-3) }),
    on(sample('bool', [2, 3]), { pad: [1, 0], value: { kind: 'bool', value: true } }),
    on(f32(0), { pad: [2, 0] }),
    on(f32(), { pad: [] }),
  ],
  reflection_pad1d: [on(f32(2, 5), { padding: [3, 2] }), on(f32(2, 5), { padding: [-1, 4] })],
  reflection_pad2d: [on(f32(2, 4, 5), { padding: [3, 2, 1, 3] }), on(sample('i64', [1, 2, 3, 3]), { padding: [0, -2, 2, 0] })],
  reflection_pad3d: [on(f32(2, 2, 3, 4), { padding: [3, 1, 2, 0, 1, 1] })],
  replication_pad1d: [on(f32(2, 5), { padding: [3, 7] }), on(f32(2, 5), { padding: [-2, 1] })],
  replication_pad2d: [on(f32(2, 4, 5), { padding: [3, 2, 1, 3] }), on(sample('u8', [1, 2, 2]), { padding: [1, 0, 5, 1] })],
  replication_pad3d: [on(f32(2, 2, 3, 4), { padding: [3, 1, 2, 9, 1, 1] })],
  _pad_circular: [on(f32(2, 5), { pad: [3, 2] }), on(f32(2, 5), { pad: [-2, 3] }), on(f32(2, 4, 5), { pad: [4, -1, -1, 3] })],
  roll: [
    on(f32(3, 5), { shifts: [2, -1], dims: [1, 0] }),
    on(f32(3, 5), { shifts: [-4] }),
    on(sample('bool', [7]), { shifts: [9], dims: [0] }),
    on(f32(4), { shifts: [1, 2], dims: [0, 0] }),
    on(f32(3, 0), { shifts: [1], dims: [1] }),
    on(f32(), { shifts: [3] }),
  ],
};

/** The kernels of this family. */
export const rearrangeKernels: readonly WebGPUKernel[] = Object.entries(maps).map(([name, map]) =>
  defineKernel({
    name: `rearrange/aten.${name}`,
    op: op(`aten.${name}`),
    error: exact,
    samples: samples[name] ?? [],
    supports: () => yes,
    emit: (node) => [name === 'roll' && attrOf<readonly number[]>(node, 'dims').length === 0 ? flatRoll(node) : emit(node, map)],
  }),
);
