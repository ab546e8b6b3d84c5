import { constantOf, type DType, tensorOf } from '@qfuse/plugin';
import { expect, test } from 'vitest';
import { deviceConstant, fromDevice, layoutOf, storageBytes, toDevice } from './storage.js';

test.each<[DType, number[]]>([
  ['f32', [1.5, -0, Infinity]],
  ['i32', [-2147483648, 2147483647, 0]],
  ['u32', [4294967295, 0]],
  ['i64', [-2147483648, 2147483647, -1]],
  ['bool', [1, 0, 1, 1, 0]],
  ['i8', [-128, 127, 0, -1, 5]],
  ['u8', [255, 0, 7]],
  ['i4', [-8, 7, 0, -1, 3]],
  ['u4', [15, 0, 7]],
])('%s goes to the device and back', (dtype, values) => {
  const tensor = tensorOf(dtype, [values.length], values);
  const bytes = toDevice(dtype, tensor.data, 'x');
  expect(bytes.byteLength).toBe(storageBytes(dtype, values.length));
  expect(bytes.byteLength % 4).toBe(0);
  expect(fromDevice(dtype, [values.length], bytes)).toEqual(tensor);
});

test('empty tensors take no bytes', () => {
  expect(toDevice('i8', new Int8Array(0), 'x').byteLength).toBe(0);
  expect(fromDevice('i64', [0, 3], new Uint8Array(0))).toEqual(tensorOf('i64', [0, 3], []));
});

test('refuses what does not fit into 32 bits, naming it', () => {
  for (const value of [2n ** 31n, -(2n ** 31n) - 1n, 2n ** 62n])
    expect(() => toDevice('i64', BigInt64Array.from([0n, value]), 'input "ids"')).toThrow(`input "ids" holds ${value} at element 1`);
});

test('packs four bytes to a word, lowest first', () => {
  expect([...new Uint32Array(toDevice('i8', Int8Array.from([1, -1, 2, 3, 4]), 'x').buffer)]).toEqual([0x0302ff01, 4]);
});

test('has no layout for dtypes that shaders lack', () => {
  for (const dtype of ['f64', 'f16', 'bf16', 'i16', 'u16', 'u64'] as const) expect(layoutOf(dtype)).toBeUndefined();
});

test('makes the device form of a constant once', () => {
  const c = constantOf(tensorOf('i64', [2], [1, -1]));
  expect(deviceConstant(c)).toBe(deviceConstant(c));
  expect([...new Int32Array(deviceConstant(c).bytes().slice().buffer)]).toEqual([1, -1]);
  const f = constantOf(tensorOf('f32', [1], [1]));
  expect(deviceConstant(f)).toBe(f);
});
