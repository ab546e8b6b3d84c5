import { fused } from '@qfuse/ops';
import { constantOf, Editor, Graph, symbol, tensorOf, tensorType } from '@qfuse/plugin';
import { createTarget, portableTarget, type WebGPUTarget, withLimits } from '../src/target.js';
import { randomNumbers } from './compare.js';

/** Targets that choose other kernels for packed layers, for the adapter at hand. */
export const targets: Record<string, (device: GPUDevice) => WebGPUTarget> = {
  software: (device) => createTarget(device),
  // The kernels of real GPUs, on the adapter at hand.
  'gpu, 16 KiB': (device) => ({ ...withLimits(createTarget(device), portableTarget.limits), software: false }),
  'gpu, 32 KiB': (device) => ({ ...createTarget(device), software: false }),
};

/** A graph with one fused linear layer; weights over the whole range of their dtype. */
export function layer(bits: 4 | 8, k: number, n: number, options: { bias?: boolean; rows?: number; scales?: 'f32' | 'f64' } = {}): Graph {
  const graph = new Graph('layer');
  const edit = new Editor(graph);
  const m = options.rows ?? symbol('m');
  const next = randomNumbers(k * 1000 + n);
  const half = 2 ** (bits - 1);
  const weight = tensorOf(
    bits === 8 ? 'i8' : 'i4',
    [n, k],
    Array.from({ length: n * k }, (_, i) => (i % 7 === 0 ? -half : Math.floor(next() * half))),
  );
  const scales = tensorOf(
    options.scales ?? 'f32',
    [n],
    Array.from({ length: n }, () => Math.fround((next() + 1.5) / half)),
  );
  const input = edit.addInput('x', tensorType('f32', [m, k]));
  const operands = {
    input,
    weight: edit.addConstant('w', 'parameter', constantOf(weight)),
    scales: edit.addConstant('s', 'parameter', constantOf(scales)),
    bias: options.bias === true ? edit.addInput('b', tensorType('f32', [n])) : undefined,
  };
  edit.setOutputs(edit.create(bits === 8 ? fused.LinearQcs8w : fused.LinearQcs4w, operands as never).results);
  return graph;
}
