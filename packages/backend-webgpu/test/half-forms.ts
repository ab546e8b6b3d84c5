import { tensorOf } from '@qfuse/plugin';
import { defineKernel, type Dispatch } from '../src/kernel.js';
import { packedLayers } from '../src/kernels/linear-weight-only.js';
import { createTarget, type WebGPUTarget } from '../src/target.js';
import { packedGemvHalf } from '../src/wgsl/packed-gemv-half.js';
import type { Halves } from '../src/wgsl/packed-halves.js';
import { type MatrixTiles, type MatrixUnit, packedMatrix } from '../src/wgsl/packed-matrix.js';
import type { PackedLinear } from '../src/wgsl/packed-weights.js';
import { checkLayer, type LayerOptions, type LayerShape, linearOp } from './packed-layer.js';

/** Halves in f32, for adapters without f16: the same places in memory, no rounding of products. */
const floatHalves: Halves = {
  directives: '',
  declarations: 'alias half = f32;\nfn pair(word: u32) -> vec2<half> { return unpack2x16float(word); }',
};

/** Matrix units in software: 32 threads by their number in the workgroup hold 8 elements of a sum each. Operands are offsets. */
const softwareUnit: MatrixUnit = {
  directives: '',
  declarations: `${floatHalves.declarations}
fn multiply(sum: ptr<function, array<f32, 8>>, lane: u32, left: u32, right: u32) {
  for (var i = 0u; i < 8u; i++) {
    let e = lane % 32u + 32u * i;
    for (var k = 0u; k < 16u; k++) { (*sum)[i] += tile[left + e / 16u * 40u + k] * tile[right + e % 16u * 40u + k]; }
  }
}
fn put(sum: ptr<function, array<f32, 8>>, lane: u32, at: u32) {
  for (var i = 0u; i < 8u; i++) { strip[at + lane % 32u + 32u * i] = (*sum)[i]; }
}`,
  accumulator: (name) => `var ${name}: array<f32, 8>;`,
  left: (name, at) => `let ${name} = ${at};`,
  right: (name, at) => `let ${name} = ${at};`,
  multiply: (sum, left, right) => `multiply(&${sum}, lane, ${left}, ${right});`,
  store: (name, at) => `put(&${name}, lane, ${at});`,
};

/** Runs one form, whatever the target says, on inputs that halves hold exactly: only f32 rounds. */
function checkForm(
  device: GPUDevice,
  options: LayerOptions & { readonly rows: number },
  emit: (init: PackedLinear, target: WebGPUTarget) => readonly Dispatch[],
): Promise<string[]> {
  const { bits, groupSize, rows, k } = options;
  const x = tensorOf(
    'f32',
    [rows, k],
    Array.from({ length: rows * k }, (_, i) => ((i * 37) % 33) - 16 - (i % 5 === 0 ? 512 : 0)),
  );
  const kernel = defineKernel({
    name: 'form',
    op: linearOp({ bits, groupSize }),
    packs: ['weight', 'scales', 'zero_points', 'bias'],
    supports: () => ({ ok: true }),
    emit: (node, target) => packedLayers(node, bits, target).flatMap((init) => emit(init, target)),
  });
  return checkLayer(device, options, { ...createTarget(device), software: false }, x, [kernel]);
}

/** Weights, zero points, sizes. */
type Form = readonly [bits: 4 | 8, zeros: boolean, shape: LayerShape];

export const gemvForms: readonly Form[] = [
  [4, true, [1, 37, 19, undefined]],
  [8, true, [1, 96, 33, 32]],
  [4, false, [1, 640, 9, 128]],
  [8, false, [1, 37, 19, undefined]],
  [4, true, [1, 96, 33, 32]],
  [8, false, [1, 640, 9, 128]],
  [4, false, [1, 2080, 3100, 32]],
  [8, true, [1, 48, 6200, 16]],
];

/** The dot product form of half precision, in f32 on software adapters. */
export const checkGemv = (device: GPUDevice, bits: 4 | 8, zeros: boolean, [rows, k, n, groupSize]: LayerShape): Promise<string[]> =>
  checkForm(device, { bits, rows, k, n, groupSize, zeros, bias: 'f32' }, (init, target) => [
    packedGemvHalf(init, target, () => true, floatHalves),
  ]);

const tile = (m: number, n: number, along: readonly [number, number], enough = 512): MatrixTiles => ({ m, n, along, enough });

export const matrixForms: readonly (readonly [tiles: MatrixTiles, ...form: Form])[] = [
  [tile(16, 64, [1, 4]), 4, true, [5, 37, 19, undefined]],
  [tile(16, 64, [1, 4]), 8, false, [16, 256, 70, 16]],
  [tile(32, 64, [1, 4]), 4, false, [20, 640, 65, 32]],
  [tile(64, 64, [2, 2]), 8, true, [70, 96, 65, 8]],
  [tile(64, 64, [2, 2]), 4, true, [33, 64, 130, 8]],
  // As many matrices along one side of a subgroup as the largest tile has; all of it does not fit into a software adapter's memory.
  [tile(128, 32, [2, 1], 1), 4, true, [130, 104, 40, 8]],
  [tile(32, 128, [1, 2], 1), 8, false, [40, 64, 200, 64]],
];

/** The matrix form, with matrix units in software. */
export const checkMatrix = (
  device: GPUDevice,
  tiles: MatrixTiles,
  bits: 4 | 8,
  zeros: boolean,
  [rows, k, n, groupSize]: LayerShape,
): Promise<string[]> =>
  checkForm(device, { bits, rows, k, n, groupSize, zeros, bias: 'f32', weight: (row, i) => ((row * 7 + i * 3) % 15) - 7 }, (init) =>
    packedMatrix(init, tiles, () => true, softwareUnit),
  );
