import { expect, test } from 'vitest';
import { useDevice } from '../../test/device.js';
import { checkGemv, checkMatrix, gemvForms, matrixForms } from '../../test/half-forms.js';

const gpu = useDevice('maximum');

test.each(gemvForms)('the dot product form reads what it should: %d bits, zero points: %s, %j', async (...form) => {
  expect(await checkGemv(gpu.device, ...form)).toEqual([]);
});

test.each(matrixForms)('the matrix form reads what it should: tile %j, %d bits, zero points: %s, %j', async (...form) => {
  expect(await checkMatrix(gpu.device, ...form)).toEqual([]);
});
