import { type Node, yes } from '@qfuse/plugin';
import {
  type Cost,
  defineKernel,
  type Dispatch,
  type ErrorBound,
  exact,
  type KernelSample,
  type Sizes,
  type WebGPUKernel,
} from '../kernel.js';
import { indexing, rowMajor } from '../wgsl/indexing.js';
import { mapDispatch } from '../wgsl/map.js';
import { attrOf, op } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * Resampling of the last axes (interpolate, upsample): an output element is a sum of input elements, one, two or four
 * along each axis, times the weights of the axes. Positions are computed as torch computes them, in f32.
 */
type Mode = 'nearest' | 'nearest-exact' | 'linear' | 'cubic';

const smooth: ErrorBound = { absolute: 1e-6, relative: 2 ** -19, sums: true };
const taps: Readonly<Record<Mode, number>> = { nearest: 1, 'nearest-exact': 1, linear: 2, cubic: 4 };

/** WGSL: the elements and weights for the coordinate `c` of an output axis, as the arrays `at<a>` and `weight<a>`. */
function sources(mode: Mode, axis: string, c: string, aligned: boolean): string {
  const last = `(i32(P.size${axis}) - 1)`;
  const clamped = (at: string): string => `clamp(${at}, 0, ${last})`;
  const start = `var at${axis}: array<i32, ${taps[mode]}>;\nvar weight${axis}: array<f32, ${taps[mode]}>;`;
  if (mode === 'nearest' || mode === 'nearest-exact')
    return `${start}
at${axis}[0] = ${clamped(`i32(floor(${mode === 'nearest' ? `f32(${c})` : `(f32(${c}) + 0.5)`} * P.step${axis}))`)};`;
  const position = `let p${axis} = ${aligned ? `f32(${c}) * P.step${axis}` : `P.step${axis} * (f32(${c}) + 0.5) - 0.5`};`;
  if (mode === 'linear')
    return `${start}
${position}
at${axis}[0] = ${clamped(`i32(floor(p${axis}))`)};
at${axis}[1] = ${clamped(`at${axis}[0] + 1`)};
weight${axis}[1] = clamp(p${axis} - f32(at${axis}[0]), 0.0, 1.0);
weight${axis}[0] = 1.0 - weight${axis}[1];`;
  return `${start}
${position}
let from${axis} = min(i32(floor(p${axis})), ${last});
let t${axis} = clamp(p${axis} - f32(from${axis}), 0.0, 1.0);
for (var k = 0; k < 4; k++) { at${axis}[k] = ${clamped(`from${axis} + k - 1`)}; }
weight${axis} = array(far(t${axis} + 1.0), near(t${axis}), near(1.0 - t${axis}), far(2.0 - t${axis}));`;
}

/** Cubic convolution with a = -3/4. */
const cubic = `fn near(x: f32) -> f32 { return (1.25 * x - 2.25) * x * x + 1.0; }
fn far(x: f32) -> f32 { return ((-0.75 * x + 3.75) * x - 6.0) * x + 3.0; }`;

/** Distance of the positions of neighbouring output elements along an axis. */
function stepOf(size: number, out: number, aligned: boolean, scale: number | undefined): number {
  if (aligned) return out > 1 ? (size - 1) / (out - 1) : 0;
  return scale !== undefined && scale > 0 ? 1 / scale : size / out;
}

function emit(node: Node, mode: Mode): Dispatch {
  const input = node.operands[0]!;
  const output = node.result;
  const aligned = node.op.attrNames.includes('align_corners') && attrOf<boolean>(node, 'align_corners');
  const scales = node.op.attrNames.filter((name) => name.startsWith('scales'));
  const axes = scales.map((_, i) => i + 2);
  const index = indexing(output.type.shape, [{ strides: (sizes) => rowMajor(sizes.shape(input)).fill(0, 2) }]);
  const count = taps[mode];
  const place = axes.map((a) => `u32(at${a}[k${a}]) * P.stride${a}`).join(' + ');
  const weight = axes.map((a) => `weight${a}[k${a}]`).join(' * ');
  const body =
    count === 1
      ? [...axes.map((a) => `let k${a} = 0;`), `return load_x(base + ${place});`]
      : [
          'var sum = 0.0;',
          ...axes.map((a) => `for (var k${a} = 0; k${a} < ${count}; k${a}++) {`),
          `sum += ${weight} * load_x(base + ${place});`,
          ...axes.map(() => '}'),
          'return sum;',
        ];
  return mapDispatch({
    label: `resample ${mode}`,
    inputs: [['x', input]],
    output,
    parameters: {
      ...index.parameters,
      ...Object.fromEntries(
        axes.flatMap((a) => [
          [`size${a}`, 'u32' as const],
          [`stride${a}`, 'u32' as const],
          [`step${a}`, 'f32' as const],
        ]),
      ),
    },
    declarations: mode === 'cubic' ? cubic : '',
    values: (sizes) => {
      const [shape, out] = [sizes.shape(input), sizes.shape(output)];
      const strides = rowMajor(shape);
      const along = axes.flatMap((a, i) => [
        [`size${a}`, shape[a]!] as const,
        [`stride${a}`, strides[a]!] as const,
        [`step${a}`, stepOf(shape[a]!, out[a]!, aligned, attrOf<number | undefined>(node, scales[i]!))] as const,
      ]);
      return { ...index.values(sizes), ...Object.fromEntries(along) };
    },
    element: [index.coordinates, `let base = ${index.at[0]};`, ...axes.map((a) => sources(mode, `${a}`, `c${a}`, aligned)), ...body].join(
      '\n',
    ),
  });
}

const cost =
  (mode: Mode, axes: number) =>
  (node: Node, sizes: Sizes): Cost => {
    const [input, output] = [sizes.count(node.operands[0]!), sizes.count(node.result)];
    return { bytes: 4 * (input + output), operations: 2 * output * taps[mode] ** axes };
  };

const modes: Readonly<Record<string, readonly [mode: Mode, axes: number]>> = {
  upsample_nearest1d: ['nearest', 1],
  upsample_nearest2d: ['nearest', 2],
  upsample_nearest3d: ['nearest', 3],
  _upsample_nearest_exact1d: ['nearest-exact', 1],
  _upsample_nearest_exact2d: ['nearest-exact', 2],
  _upsample_nearest_exact3d: ['nearest-exact', 3],
  upsample_linear1d: ['linear', 1],
  upsample_bilinear2d: ['linear', 2],
  upsample_trilinear3d: ['linear', 3],
  upsample_bicubic2d: ['cubic', 2],
};

/** Larger, smaller and equal sizes, one element, stated scales, both ways to place corners. */
function samplesFor([mode, axes]: readonly [Mode, number]): readonly KernelSample[] {
  const names = axes === 1 ? ['scales'] : ['scales_d', 'scales_h', 'scales_w'].slice(-axes);
  const shape = [2, 3, 5, 4, 3].slice(0, 2 + axes);
  const plain = [7, 2, 9, 3, 1].map((size) => ({ output_size: Array.from({ length: axes }, (_, i) => size + i) }));
  const scaled = { output_size: shape.slice(2).map((d) => 2 * d), ...Object.fromEntries(names.map((n) => [n, 2.1])) };
  const corners = mode === 'linear' || mode === 'cubic' ? [{ align_corners: false }, { align_corners: true }] : [{}];
  const floats = corners.flatMap((c) =>
    [...plain, scaled].map((a): KernelSample => ({ operands: { self: f32(...shape) }, attrs: { ...a, ...c } })),
  );
  return taps[mode] > 1 ? floats : [...floats, { operands: { self: sample('u8', shape) }, attrs: plain[0] }];
}

/** The kernels of this family. */
export const resampleKernels: readonly WebGPUKernel[] = Object.entries(modes).map(([name, form]) =>
  defineKernel({
    name: `resample/aten.${name}`,
    op: op(`aten.${name}`),
    error: taps[form[0]] === 1 ? exact : smooth,
    samples: samplesFor(form),
    supports: () => yes,
    emit: (node) => [emit(node, form[0])],
    cost: cost(...form),
  }),
);
