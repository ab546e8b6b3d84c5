import { expect, test } from 'vitest';
import { randomNumbers } from '../../test/compare.js';
import { useDevice } from '../../test/device.js';
import { runShader } from '../../test/run-shader.js';
import { exactArithmetic, f32Bits } from './exact.js';

const gpu = useDevice();

/** Bits of magnitudes: all kinds of exponents, near ones, mantissas with few ones, and the special numbers. */
function magnitudes(count: number, seed: number): Uint32Array {
  const next = randomNumbers(seed);
  const pick = (n: number): number => Math.floor(((next() + 1) / 2) * n);
  const special = [0, 1, 0x7fffff, 0x800000, 0x7f7fffff, 0x7f800000, f32Bits(1), f32Bits(255), f32Bits(2 ** -60), 3, 0x400000];
  return Uint32Array.from({ length: count }, (_, i) => {
    if (i % 7 === 0) return special[pick(special.length)]!;
    const exponent = i % 3 === 0 ? pick(255) : i % 3 === 1 ? 120 + pick(12) : pick(4);
    const mantissa = i % 5 === 0 ? (1 << pick(23)) - (i % 2) : pick(0x800000);
    return ((exponent << 23) | (mantissa & 0x7fffff)) >>> 0;
  });
}

const numbers = (bits: Uint32Array): Float32Array => new Float32Array(bits.buffer);

test('sums, quotients and reciprocals are those of IEEE 754', async () => {
  const count = 1 << 15;
  const [a, b] = [magnitudes(count, 1), magnitudes(count, 2)];
  const code = `@group(0) @binding(0) var<storage, read> a: array<u32>;
@group(0) @binding(1) var<storage, read> b: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<u32>;
${exactArithmetic}
@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let i = id.x;
  y[3u * i] = sum_of(a[i], b[i]);
  y[3u * i + 1u] = select(quotient_of(a[i], max(b[i], 1u)), 0u, b[i] == 0u);
  y[3u * i + 2u] = reciprocal_of(b[i] | 0x80000000u);
}`;
  const y = numbers(await runShader(gpu.device, code, [a, b], 3 * count, count / 64));
  const [x, d] = [numbers(a), numbers(b)];
  const wrong: string[] = [];
  for (let i = 0; i < count; i++) {
    const expected = [Math.fround(x[i]! + d[i]!), d[i] === 0 ? 0 : Math.fround(x[i]! / d[i]!), Math.fround(-1 / d[i]!)];
    expected.forEach((e, k) => {
      if (!Object.is(y[3 * i + k], e))
        wrong.push(`${['sum', 'quotient', 'reciprocal'][k]} of ${x[i]}, ${d[i]} is ${y[3 * i + k]}, expected ${e}`);
    });
  }
  expect(wrong.slice(0, 5)).toEqual([]);
});
