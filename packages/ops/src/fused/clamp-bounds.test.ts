import { constantOf, Editor, floatScalar, Graph, type HostTensor, type Node, tensorOf, tensorType, type Value } from '@qfuse/ir';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aten, clampedAgain, clampedBounds, clampOps, limitsRange, quant } from '../index.js';

type Quantize = Node<typeof quant.Quantize>;

const grid = { granularity: 'tensor', qmin: -128, qmax: 127, dtype: 'i8' } as const;

interface Made {
  readonly quantize: Quantize;
  readonly clamps: readonly Node[];
}

/** quantize(clamps(x)) with a constant grid. */
function program(clamps: readonly (readonly [number, number])[], scale: HostTensor, zero: number): Made {
  const edit = new Editor(new Graph('main'));
  const x = edit.addInput('x', tensorType('f32', [3]));
  const nodes: Node[] = [];
  let value: Value = x;
  for (const [min, max] of clamps) {
    nodes.push(edit.create(aten.Clamp, { self: value }, { min: floatScalar(min), max: floatScalar(max) }));
    value = nodes.at(-1)!.result;
  }
  const operands = {
    scale: edit.constant(constantOf(scale), 's'),
    zero_point: edit.constant(constantOf(tensorOf('i32', [], [zero])), 'z'),
  };
  return { quantize: edit.create(quant.Quantize, { input: value, ...operands }, grid), clamps: nodes };
}

const fail = (why: string): never => {
  throw new Error(why);
};

/** What a quantize makes of numbers. */
const quantized = (node: Quantize, x: readonly number[], scale: HostTensor, zero: number): number[] => {
  const operands = { input: tensorOf('f32', [x.length], x), scale, zero_point: tensorOf('i32', [], [zero]) };
  const [out] = quant.Quantize.reference!({ operands, attrs: node.attrs as never, results: [{ dtype: 'i8', shape: [x.length] }], fail });
  return Array.from(out!.data, Number);
};

const bound = fc.oneof(fc.double({ min: -50, max: 50, noNaN: true }), fc.constantFrom(0, 6, 0.125, -0.375, Infinity, -Infinity));
const range = fc.tuple(bound, bound).map(([a, b]): readonly [number, number] => (a <= b ? [a, b] : [b, a]));
const scales = fc.oneof(fc.constantFrom(0.25, 0.1, 1 / 3, 1e-3), fc.double({ min: 1e-6, max: 10, noNaN: true }));

describe('clampedBounds', () => {
  test('quantizing what was clamped is clamping what was quantized, bit for bit', () => {
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 3 }),
        scales,
        fc.constantFrom('f32' as const, 'f64' as const, 'f16' as const),
        fc.integer({ min: -128, max: 127 }),
        fc.array(fc.double({ min: -100, max: 100, noNaN: true }), { minLength: 1, maxLength: 20 }),
        (ranges, s, dtype, zero, numbers) => {
          const scale = tensorOf(dtype, [], [s]);
          fc.pre(Number(scale.data[0]) > 0);
          const { quantize, clamps } = program(ranges, scale, zero);
          const bounds = clampedBounds(quantize, clamps);
          if (!bounds.ok) throw new Error(bounds.why);
          // Bounds themselves, and what lies around the borders between integers.
          const x = [...numbers, ...ranges.flat(), ...numbers.map((_, i) => (i - 3.5) * s)].map(Math.fround).filter(Number.isFinite);
          const limited = x.map((v) => ranges.reduce((y, [a, b]) => Math.min(Math.max(y, Math.fround(a)), Math.fround(b)), v));
          const expected = quantized(quantize, limited, scale, zero);
          expect(quantized(quantize, x, scale, zero).map((q) => Math.min(Math.max(q, bounds.qmin), bounds.qmax))).toEqual(expected);
        },
      ),
      { numRuns: 500 },
    );
  });

  test.each([
    ['a scale of 0', program([], tensorOf('f32', [], [0]), 0), 'the scale of the result is 0, expected a positive number'],
    ['a scale below 0', program([], tensorOf('f32', [], [-1]), 0), 'the scale of the result is -1'],
  ])('%s', (_, { quantize, clamps }, why) => {
    expect(clampedBounds(quantize, clamps)).toEqual({ ok: false, why: expect.stringContaining(why) });
  });
});

describe('limitsRange', () => {
  test('knows every op that only clamps', () => {
    expect(clampOps.map((op) => op.name)).toEqual(
      expect.arrayContaining(['aten.relu', 'aten.relu6', 'aten.hardtanh', 'aten.clamp', 'aten.clamp_min', 'aten.clamp_max']),
    );
    const edit = new Editor(new Graph('main'));
    const self = edit.addInput('x', tensorType('f32', [3]));
    for (const op of clampOps.filter((o) => o.operandNames.length === 1)) {
      const attrs =
        op === aten.Clamp || op === aten.ClampMin ? { min: floatScalar(0) } : op === aten.ClampMax ? { max: floatScalar(0) } : {};
      expect(limitsRange(edit.createFromSlots(op, [self], attrs)), op.name).toEqual({ ok: true });
    }
  });
  test.each([
    [[2, 1], 'aten.clamp has the bounds 2 and 1, expected the lower one first'],
    [[NaN, 1], 'aten.clamp has a bound that is not one constant number'],
  ] as const)('refuses %s', (bounds, why) =>
    expect(limitsRange(program([bounds], tensorOf('f32', [], [1]), 0).clamps[0]!)).toEqual({ ok: false, why }),
  );
});

describe('clampedAgain', () => {
  const again = (bounds: readonly [number, number], first: number, second: number, zero: number) => {
    const edit = new Editor(new Graph('main'));
    const q = edit.addInput('q', tensorType('i8', [3]));
    const constant = (t: HostTensor, name: string): Value => edit.constant(constantOf(t), name);
    const z = constant(tensorOf('i32', [], [zero]), 'z');
    const from = { scale: constant(tensorOf('f32', [], [first]), 's'), zero_point: z };
    const dequantize = edit.create(quant.Dequantize, { input: q, ...from }, { ...grid, dtype: 'f32' });
    const clamp = edit.create(aten.Clamp, { self: dequantize.result }, { min: floatScalar(bounds[0]), max: floatScalar(bounds[1]) });
    const to = { scale: constant(tensorOf('f32', [], [second]), 't'), zero_point: z };
    return clampedAgain(dequantize, [clamp], edit.create(quant.Quantize, { input: clamp.result, ...to }, grid), [-128, 127]);
  };
  test('a clamp on one grid clamps integers', () => expect(again([-1, 2], 0.05, 0.05, 3)).toEqual({ ok: true, qmin: -17, qmax: 43 }));
  test('on another grid it does not', () =>
    expect(again([-1, 2], 0.05, 0.06, 3)).toEqual({ ok: false, why: 'the integer -16 becomes -13: it is quantized to another grid' }));
});
