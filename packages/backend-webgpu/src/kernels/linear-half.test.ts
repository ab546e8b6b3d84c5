import { requestDevice } from '@qfuse/device-node';
import { describe, expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { checkGemv, checkMatrix, gemvForms, matrixForms } from '../../test/half-forms.js';
import { layer, type LayerOptions } from '../../test/packed-layer.js';
import { compileProgram, planProgram } from '../compile.js';
import { lower } from '../lower.js';
import { compilePipelines } from '../pipelines.js';
import { createKernelRegistry } from '../registry.js';
import { schedule, type Step } from '../schedule.js';
import { createTarget, portableTarget, type WebGPUTarget, withLimits } from '../target.js';
import { takesGemvHalf } from '../wgsl/packed-gemv-half.js';
import { takesHalves } from '../wgsl/packed-halves.js';
import type { PackedLinear } from '../wgsl/packed-weights.js';
import { weightOnlyLinearKernels } from './linear-weight-only.js';

const gpu = useDevice('maximum');

/** What a device with f16 and matrix units would be, for the adapter at hand. */
const capable = (target: WebGPUTarget, accuracy: 'f16' | 'f32' = 'f16'): WebGPUTarget => ({
  ...target,
  software: false,
  accuracy,
  features: ['chromium-experimental-subgroup-matrix', 'shader-f16', 'subgroups'],
  subgroupSize: [32, 32],
  subgroupMatrices: [{ componentType: 'f16', resultComponentType: 'f32', M: 16, N: 16, K: 16 }],
});

// Each takes a software adapter seconds to compile: all in the full suite.
test.each(gemvForms.slice(0, 3))('the dot product form reads what it should: %d bits, zero points: %s, %j', async (...form) => {
  expect(await checkGemv(gpu.device, ...form)).toEqual([]);
});

test.each(matrixForms.slice(0, 1))('the matrix form reads what it should: tile %j, %d bits, zero points: %s, %j', async (...form) => {
  expect(await checkMatrix(gpu.device, ...form)).toEqual([]);
});

describe('who takes halves', () => {
  const labels = (options: LayerOptions, target: WebGPUTarget) => planProgram(layer(options), target).dispatches.map((d) => d.dispatch);
  const options = { bits: 4, k: 4096, n: 64, groupSize: 32 } as const;

  test('only who asks for it, on a device that has them', () => {
    const target = capable(portableTarget);
    expect(labels({ ...options, rows: 1 }, target)).toEqual(['gemv f16']);
    expect(labels({ ...options, rows: 1 }, capable(portableTarget, 'f32'))).toEqual(['gemv']);
    expect(labels({ ...options, rows: 1 }, { ...target, features: [] })).toEqual(['gemv']);
    expect(labels({ ...options, rows: 40 }, target)).toEqual(['x as halves', 'matrix 64×64', 'parts of K']);
    expect(labels({ ...options, rows: 40 }, { ...target, subgroupSize: [16, 32] })).toEqual(['gemm 64×64', 'parts of K']);
    expect(labels({ ...options, rows: 40 }, { ...target, subgroupMatrices: [] })).toEqual(['gemm 64×64', 'parts of K']);
    expect(labels({ ...options, rows: 40 }, { ...target, accuracy: undefined })).toEqual(['gemm 64×64', 'parts of K']);
  });

  test('a program says how exactly it computes', async () => {
    const program = await compileProgram(layer({ bits: 8, k: 8, n: 4, rows: 1 }), { device: gpu.device, accuracy: 'f16' });
    expect(program.target.accuracy).toBe('f16');
    program.dispose();
    expect(createTarget(gpu.device).accuracy).toBeUndefined();
  });

  test('no group that begins within eight K, no zero point beyond halves, no x beyond workgroup memory', () => {
    const target = capable(portableTarget);
    expect(labels({ ...options, groupSize: 4, rows: 40 }, target)[0]).toBe('gemm 64×64');
    expect(labels({ ...options, groupSize: 8, rows: 40 }, target)[1]).toBe('matrix 64×64');
    expect(labels({ ...options, groupSize: 8, rows: 1 }, target)).toEqual(['gemv']);
    expect(labels({ ...options, k: 32768, rows: 1 }, target)).toEqual(['gemv']);
    const init = (zeros: number) => ({ format: { bits: 4, perCell: 32 }, largestZero: zeros, groups: 1, k: 64 }) as PackedLinear;
    expect(takesHalves(init(512), target, 8)).toBe(true);
    expect(takesHalves(init(513), target, 8)).toBe(false);
    expect(takesGemvHalf(init(513), target)).toBe(false);
  });
});

test('all forms compile where f16 and matrix units are', async () => {
  const node = await requestDevice({ backend: 'null', requiredFeatures: ['shader-f16'] });
  try {
    for (const memory of [16384, 49152])
      for (const accuracy of ['f16', 'f32'] as const)
        for (const bits of [4, 8] as const)
          for (const [k, groupSize] of [
            [128, undefined],
            [37, undefined],
            [128, 32],
            [128, 8],
            [40, 4],
            [35, 7],
          ] as const)
            for (const zeros of [false, true]) {
              const target = capable(withLimits(createTarget(node.device), { maxComputeWorkgroupStorageSize: memory }), accuracy);
              const graph = layer({ bits, k, n: 70, groupSize, zeros, bias: 'f32' });
              const { steps } = schedule(lower(graph, createKernelRegistry(weightOnlyLinearKernels, target)));
              expect(steps.some((s) => s.dispatch.label.startsWith('matrix'))).toBe(accuracy === 'f16' && (groupSize ?? 8) % 8 === 0);
              // Pipelines with more workgroup memory than the null backend has are checked up to their text.
              if (memory === 16384) await compilePipelines(node.device, steps);
              else expect(await errorsIn(node.device, steps)).toEqual([]);
            }
  } finally {
    node.destroy();
  }
});

async function errorsIn(device: GPUDevice, steps: readonly Step[]): Promise<string[]> {
  const found = steps.map(async ({ dispatch }) => {
    const { messages } = await device.createShaderModule({ code: dispatch.code }).getCompilationInfo();
    return messages.filter((m) => m.type === 'error').map((m) => `${dispatch.label}: ${m.message}`);
  });
  return (await Promise.all(found)).flat();
}
