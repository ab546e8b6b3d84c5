import { readFileSync } from 'node:fs';
import { aten } from '@qfuse/ops';
import { type Elements, type HostTensor, tensorOf, tensorType } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { Evaluator, Float32Evaluator, fma32 } from './index.js';

interface Case {
  readonly op: 'linear' | 'convolution';
  readonly attrs: Readonly<Record<string, number | readonly number[]>>;
  /** Of input, weight and result. */
  readonly shapes: readonly [number[], number[], number[]];
  /** Of input, weight, bias and result. */
  readonly data: readonly [string, string, string, string];
}

// Recorded by tools/fixtures/float32_cases.py.
const text = readFileSync(new URL('../test/float32-cases.jsonl', import.meta.url)).toString();
const cases = text
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Case);
const floats = (base64: string): Float32Array => new Float32Array(Uint8Array.from(Buffer.from(base64, 'base64')).buffer);

function evaluated({ op, attrs, shapes, data }: Case, evaluator: Evaluator, bias = true): Elements {
  const [x, w, b] = data.map(floats) as [Float32Array, Float32Array, Float32Array];
  const slots: HostTensor[] = [tensorOf('f32', shapes[0], x), tensorOf('f32', shapes[1], w)];
  if (bias) slots.push(tensorOf('f32', [b.length], b));
  const all = op === 'linear' ? {} : { ...attrs, transposed: false, output_padding: [0] };
  const def = op === 'linear' ? aten.Linear : aten.Convolution;
  return evaluator.evaluate(def, slots, all, [tensorType('f32', shapes[2])])[0]!.data;
}

describe('sums in the order of torch', () => {
  test.each(cases.map((c) => [`${c.op} ${c.shapes.map((s) => s.join('×')).join(' ')} ${JSON.stringify(c.attrs)}`, c] as const))(
    '%s',
    (_, c) => {
      const wanted = floats(c.data[3]);
      const here = evaluated(c, new Float32Evaluator());
      expect(Array.from(here as Float32Array)).toEqual(Array.from(wanted));
      // What the definition gives differs in last bits only.
      (evaluated(c, new Evaluator()) as Float32Array).forEach((y, i) => expect(Math.abs(y - wanted[i]!)).toBeLessThan(1e-4));
    },
  );

  test('without a bias nothing is added', () => {
    const [c] = cases;
    const bias = floats(c!.data[2]);
    const wanted = Array.from(evaluated(c!, new Float32Evaluator(), false) as Float32Array, (y, i) =>
      Math.fround(y + bias[i % bias.length]!),
    );
    expect(wanted).toEqual(Array.from(floats(c!.data[3])));
  });

  test('other dtypes and operators are evaluated from their definition', () => {
    const x = tensorOf('f64', [1, 2], [1, 2]);
    const w = tensorOf('f64', [1, 2], [3, 4]);
    const [y] = new Float32Evaluator().evaluate(aten.Linear, [x, w], {}, [tensorType('f64', [1, 1])]);
    expect(y!.data).toEqual(Float64Array.of(11));
    const [z] = new Float32Evaluator().evaluate(aten.Neg, [x], {}, [tensorType('f64', [1, 2])]);
    expect(z!.data).toEqual(Float64Array.of(-1, -2));
  });

  test('padding by name: even ends as numbers, others from the definition', () => {
    const x = tensorOf('f32', [2, 1, 5], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    for (const size of [2, 3]) {
      const w = tensorOf('f32', [1, 1, size], [1, 10, 100].slice(0, size));
      const attrs = { stride: [1], padding: 'same', dilation: [1], groups: 1 };
      const [mine, defined] = [new Float32Evaluator(), new Evaluator()].map(
        (e) => e.evaluate(aten.Conv1dPadding, [x, w], attrs, [tensorType('f32', [2, 1, 5])])[0]!.data,
      );
      expect(mine).toEqual(defined);
    }
  });
});

test('a fused multiply-add rounds once', () => {
  // In units of 2^-120 everything here is an integer.
  const units = (f: number): bigint => BigInt(f * 2 ** 100) * 2n ** 20n;
  const exact = (a: number, b: number, c: number): number => {
    const sum = BigInt(a * 2 ** 60) * BigInt(b * 2 ** 60) + units(c);
    const near = Math.fround(Number(sum) / 2 ** 120);
    const distance = (f: number): bigint => {
      const d = units(f) - sum;
      return d < 0n ? -d : d;
    };
    return [nextFloat(near, 1), nextFloat(near, -1)].reduce((best, f) => {
      const [d, e] = near === 0 ? [1n, 0n] : [distance(f), distance(best)];
      return d < e || (d === e && isEven(f)) ? f : best;
    }, near);
  };
  const random = randomFloats(3000);
  for (let i = 0; i < random.length; i += 3) {
    const [a, b, c] = [random[i]!, random[i + 1]!, random[i + 2]!];
    expect(fma32(a, b, c)).toBe(exact(a, b, c));
    // Products that cancel, and sums that lie near the middle of two numbers.
    const back = -Math.fround(a * b);
    expect(fma32(a, b, back)).toBe(exact(a, b, back));
  }
  // 1 + 2^-24 + 2^-48: f64 drops the last term, which decides.
  expect(fma32(1 + 2 ** -23, 2 ** -24, 1)).toBe(1 + 2 ** -23);
  expect(fma32(1, 2 ** -24, 1)).toBe(1);
  expect([fma32(1, 2, Infinity), fma32(3e38, 10, 0), fma32(Number.NaN, 1, 1)]).toEqual([Infinity, Infinity, Number.NaN]);
});

const bits = new DataView(new ArrayBuffer(4));
function nextFloat(x: number, by: number): number {
  bits.setFloat32(0, x);
  bits.setInt32(0, bits.getInt32(0) + by);
  return bits.getFloat32(0);
}
const isEven = (x: number): boolean => {
  bits.setFloat32(0, x);
  return (bits.getInt32(0) & 1) === 0;
};

/** Numbers of few bits and of all, whose products and sums are often near ties. */
function randomFloats(count: number): readonly number[] {
  let state = 12345;
  const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff);
  return Array.from({ length: count }, () => {
    const mantissa = next() % 3 === 0 ? 1 + 2 ** -(1 + (next() % 23)) : 1 + (next() & 0x7fffff) / 2 ** 23;
    return (next() & 1 ? 1 : -1) * mantissa * 2 ** ((next() % 5) - 2);
  });
}
