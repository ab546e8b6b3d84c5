import { tensorOf } from '@qfuse/plugin';
import { expect, test } from 'vitest';
import { compileProgram } from './compile.js';
import { graphOf } from '../test/compare.js';
import { useDevice } from '../test/device.js';

const gpu = useDevice();

test('lists everything that has no kernel', async () => {
  const graph = graphOf(`(%x: f32[s0, 2]) where s0 in [1, 8] {
  %y = aten.linear(%x, %x) : f32[s0, s0]
  return %y
}`);
  const program = compileProgram(graph, { device: gpu.device, kernels: [] });
  await expect(program).rejects.toThrow(/1 node has no kernel on google swiftshader:\n {2}aten.linear at/);
});

test('runs', async () => {
  const graph = graphOf(`(%x: f32[s0, 2]) where s0 in [1, 8] {
  return %x, %x
}`);
  const program = await compileProgram(graph, { device: gpu.device });
  const x = tensorOf('f32', [2, 2], [1, 2, 3, 4]);
  const { outputs } = await program.run([x]);
  expect(outputs).toEqual([x, x]);
  program.dispose();
});
