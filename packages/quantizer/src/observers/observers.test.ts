import { type DType, hostTensor, type HostTensor, tensorOf } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import type { Grid, ObserverFactory, SpecGranularity } from '../observer.js';
import {
  affineMinMaxObserver,
  fixedQParamsObserver,
  histogramObserver,
  minMaxObserver,
  movingAverageMinMaxObserver,
  mseObserver,
  perChannelMinMaxObserver,
  placeholderObserver,
  qparamsOf,
  quantizeTensor,
  quantRange,
} from './index.js';

const f32 = (shape: readonly number[], ...values: readonly number[]): HostTensor => tensorOf('f32', shape, values);
const grid = (kind: SpecGranularity, more: Partial<Grid> = {}): Grid => ({
  dtype: 'i8',
  qmin: -128,
  qmax: 127,
  mapping: 'affine',
  granularity: kind,
  ...more,
});
const whole: SpecGranularity = { kind: 'tensor' };
const code = (name: string) => expect.objectContaining({ code: `quantizer/${name}` });

function parametersOf(factory: ObserverFactory, g: Grid, ...tensors: readonly HostTensor[]) {
  const observer = factory.create(g);
  for (const t of tensors) observer.observe(t);
  const { scale, zeroPoint } = observer.qparams();
  return { shape: scale.shape, dtype: scale.dtype, scale: Array.from(scale.data, Number), zero: Array.from(zeroPoint.data, Number) };
}

describe('shapes of scales', () => {
  const x = tensorOf(
    'f32',
    [2, 4, 3],
    Array.from({ length: 24 }, (_, i) => i),
  );

  it.each([
    [whole, [], [23]],
    [{ kind: 'axis', axis: 1 }, [4], [14, 17, 20, 23]],
    [{ kind: 'axis', axis: -1 }, [3], [21, 22, 23]],
    [{ kind: 'row' }, [2, 4, 1], [2, 5, 8, 11, 14, 17, 20, 23]],
    [{ kind: 'group', axis: -1, size: 3 }, [2, 4, 1], [2, 5, 8, 11, 14, 17, 20, 23]],
    [{ kind: 'group', axis: 1, size: 2 }, [2, 2, 3], [3, 4, 5, 9, 10, 11, 15, 16, 17, 21, 22, 23]],
  ] as const)('%o', (granularity, shape, largest) => {
    const g = grid(granularity, { mapping: 'symmetric', qmin: -2, qmax: 2 });
    const found = parametersOf(affineMinMaxObserver(), g, x);
    expect(found).toEqual({ shape, dtype: 'f32', scale: largest.map((m) => Math.fround(m / 2)), zero: largest.map(() => 0) });
    const codes = quantizeTensor(x, affineQParamsOf(g, x), g);
    expect(Math.max(...(codes.data as Int8Array))).toBe(2);
  });

  const affineQParamsOf = (g: Grid, t: HostTensor) => {
    const observer = affineMinMaxObserver().create(g);
    observer.observe(t);
    return observer.qparams();
  };

  it('of a tensor of rank 1 along its axis', () => {
    const found = parametersOf(
      perChannelMinMaxObserver(),
      grid({ kind: 'axis', axis: 0 }, { mapping: 'symmetric', qmin: -2, qmax: 2 }),
      f32([2], 4, -6),
    );
    expect(found).toEqual({ shape: [2], dtype: 'f32', scale: [2, 3], zero: [0, 0] });
  });

  it.each([
    ['an axis that is not there', { kind: 'axis', axis: 3 }, /\[2, 4, 3\] has no axis 3/],
    ['groups that do not divide', { kind: 'group', axis: 1, size: 3 }, /groups of 3 do not divide axis 1 of shape \[2, 4, 3\]/],
    ['rows of a scalar', { kind: 'row' }, /shape \[\] has no axis -1/],
  ] as const)('%s are refused', (_name, granularity, message) => {
    const given = granularity.kind === 'row' ? f32([], 1) : x;
    expect(() => affineMinMaxObserver().create(grid(granularity)).observe(given)).toThrow(message);
    expect(() => affineMinMaxObserver().create(grid(granularity)).observe(given)).toThrow(code('observer'));
  });
});

describe('what observers look at', () => {
  it('is nothing in tensors without elements', () => {
    for (const factory of [minMaxObserver(), movingAverageMinMaxObserver(), histogramObserver(), affineMinMaxObserver(), mseObserver()]) {
      const observer = factory.create(grid(whole));
      observer.observe(f32([0, 3]));
      expect(() => observer.qparams(), factory.name).toThrow(code('unobserved'));
      observer.observe(f32([1], 2));
      observer.observe(f32([0]));
      expect(observer.qparams().scale.data, factory.name).toHaveLength(1);
    }
  });

  it.each(['f16', 'bf16', 'f64', 'i64', 'u8', 'bool'] as const)('is f32 for %s', (dtype) => {
    const values = [0, 1, 1, 0];
    const t = tensorOf(dtype, [4], dtype === 'i64' ? values.map(BigInt) : values);
    const wanted = f32([4], ...values);
    for (const factory of [minMaxObserver(), movingAverageMinMaxObserver(), mseObserver()])
      expect(parametersOf(factory, grid(whole), t)).toEqual(parametersOf(factory, grid(whole), wanted));
    const histogram = histogramObserver().create(grid(whole));
    if (['i64', 'u8', 'bool'].includes(dtype))
      expect(() => histogram.observe(t)).toThrow(`was given a tensor of ${dtype}, expected floats`);
    else expect(parametersOf(histogramObserver(), grid(whole), t)).toEqual(parametersOf(histogramObserver(), grid(whole), wanted));
  });

  it('rounds integers that f64 does not hold to f32 once', () => {
    // just above the middle of two f32 numbers, which f64 rounds to that middle
    const big = 2n ** 62n + 2n ** 38n + 1n;
    const found = parametersOf(minMaxObserver(), grid(whole, { qmin: 0, qmax: 1 }), tensorOf('i64', [2], [0n, big]));
    expect(found.scale).toEqual([2 ** 62 + 2 ** 39]);
    expect(parametersOf(minMaxObserver(), grid(whole, { qmin: 0, qmax: 1 }), tensorOf('i64', [1], [-big])).scale).toEqual([
      2 ** 62 + 2 ** 39,
    ]);
  });

  it('has no NaN', () => {
    const nan = f32([2], 1, Number.NaN);
    for (const factory of [minMaxObserver(), movingAverageMinMaxObserver(), affineMinMaxObserver(), mseObserver()])
      expect(() => parametersOf(factory, grid(whole), f32([1], 1), nan), factory.name).toThrow(code('nan'));
    expect(() => histogramObserver().create(grid(whole)).observe(nan)).toThrow(/given a tensor with NaN/);
  });

  it('keeps 16-bit floats in the affine family, and does not mix them', () => {
    const half = tensorOf('f16', [2], [1, -3.3]);
    expect(parametersOf(affineMinMaxObserver(), grid(whole, { mapping: 'symmetric' }), half).dtype).toBe('f16');
    expect(() => parametersOf(affineMinMaxObserver(), grid(whole), half, f32([1], 1))).toThrow(
      /observer of f16 tensors was given one of f32/,
    );
  });

  it('must have one number of channels', () => {
    const g = grid({ kind: 'axis', axis: 0 });
    expect(() => parametersOf(perChannelMinMaxObserver(), g, f32([2, 1], 1, 2), f32([1, 1], 1))).toThrow(code('shape'));
  });

  it('is a histogram that f32 holds', () => {
    expect(() => parametersOf(histogramObserver(), grid(whole), f32([2], -3e38, 3e38))).toThrow(
      /range \[-3.0+\S*e\+38, 3.0+\S*e\+38\] is wider than f32 holds/,
    );
  });
});

describe('grids and options that no observer takes', () => {
  it.each<readonly [string, Partial<Grid>, RegExp]>([
    ['a float', { dtype: 'f32' as DType }, /stored as f32, expected an integer dtype/],
    ['64 bits', { dtype: 'i64' }, /stored as i64/],
    ['a range that does not fit', { qmax: 128 }, /\[-128, 128\] does not fit i8, which holds \[-128, 127\]/],
    ['a range without 0', { qmin: 1 }, /\[1, 127\] does not contain 0/],
    ['an empty range', { qmin: 0, qmax: 0 }, /qmin 0 is not below qmax 0/],
    ['fractions', { qmin: -0.5 }, /not of integers/],
  ])('%s', (_name, more, message) => {
    expect(() => minMaxObserver().create(grid(whole, more))).toThrow(message);
    expect(() => minMaxObserver().create(grid(whole, more))).toThrow(code('range'));
  });

  it.each<readonly [string, () => unknown, RegExp]>([
    ['granularity', () => minMaxObserver().create(grid({ kind: 'row' })), /"min-max" observer has no granularity "row", expected "tensor"/],
    ['of an axis', () => histogramObserver().create(grid({ kind: 'axis', axis: 0 })), /"histogram" observer has no granularity "axis"/],
    ['group size', () => mseObserver().create(grid({ kind: 'group', axis: 0, size: 0 })), /a group has 0 elements/],
    ['eps', () => perChannelMinMaxObserver({ eps: 0 }), /eps of a "per-channel-min-max" observer is 0, expected a positive number/],
    ['averaging constant', () => movingAverageMinMaxObserver({ averagingConstant: 2 }), /averagingConstant is 2/],
    ['bins', () => histogramObserver({ bins: 1 }), /bins is 1, expected an integer from 2 on/],
    ['steps', () => mseObserver({ steps: 1.5 }), /steps is 1.5, expected a positive integer/],
    ['fixed scale', () => fixedQParamsObserver({ scale: 0 }), /the fixed scale is 0/],
    ['fixed scale below f32', () => fixedQParamsObserver({ scale: 1e-60 }), /the fixed scale is 1e-60/],
    [
      'fixed zero point',
      () => fixedQParamsObserver({ scale: 1, zeroPoint: 200 }).create(grid(whole)),
      /zero point is 200, expected an integer of the grid \[-128, 127\]/,
    ],
  ])('%s', (_name, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(code('observer'));
  });
});

describe('ranges', () => {
  it.each([
    ['i8', {}, [-128, 127, false]],
    ['u8', {}, [0, 255, false]],
    ['i4', {}, [-8, 7, false]],
    ['u4', {}, [0, 15, false]],
    ['i32', {}, [-(2 ** 31), 2 ** 31 - 1, false]],
    ['i8', { reduceRange: true }, [-64, 63, false]],
    ['u8', { reduceRange: true }, [0, 127, false]],
    ['i16', { reduceRange: true }, [-(2 ** 15), 2 ** 15 - 1, false]],
    ['i8', { qmin: -127, qmax: 127 }, [-127, 127, true]],
    ['i8', { qmin: -127, qmax: 127, reduceRange: true }, [-64, 63, true]],
  ] as const)('%s %o', (dtype, options, [qmin, qmax, customRange]) => {
    expect(quantRange(dtype, options)).toEqual({ dtype, qmin, qmax, customRange });
  });

  it('have two ends and fit', () => {
    expect(() => quantRange('i8', { qmin: -5 })).toThrow(/the range has only qmin, expected both or neither/);
    expect(() => quantRange('i8', { qmax: 5 })).toThrow(/only qmax/);
    expect(() => quantRange('u8', { qmin: -1, qmax: 5 })).toThrow(/does not fit u8/);
    expect(() => quantRange('f16')).toThrow(/stored as f16/);
  });
});

describe('parameters of extremes', () => {
  it('are those of the formula', () => {
    const { scale, zeroPoint } = qparamsOf(f32([3], -1, 2, -8), f32([3], 3, 6, -4), grid({ kind: 'axis', axis: 0 }));
    expect(Array.from(scale.data, Number)).toEqual([4, 6, 8].map((w) => Math.fround(w / 255)));
    expect(Array.from(zeroPoint.data, Number)).toEqual([-64, -128, 127]);
  });

  it('have the zero point of a symmetric grid', () => {
    const of = (more: Partial<Grid>) =>
      qparamsOf(f32([], -1), f32([], 1), grid(whole, { mapping: 'symmetric', ...more })).zeroPoint.data[0];
    expect(of({})).toBe(0);
    expect(of({ dtype: 'u8', qmin: 0, qmax: 255 })).toBe(127);
    expect(of({ dtype: 'u8', qmin: 0, qmax: 255, customRange: false })).toBe(128);
    expect(of({ dtype: 'u16', qmin: 0, qmax: 100 })).toBe(2 ** 15);
  });

  it('have a scale of at least eps', () => {
    expect(qparamsOf(f32([], 0), f32([], 0), grid(whole)).scale.data[0]).toBe(2 ** -23);
    expect(qparamsOf(f32([], 0), f32([], 0), grid(whole), 2 ** -12).scale.data[0]).toBe(2 ** -12);
  });
});

describe('fixed and chosen at run time', () => {
  it('are given or refused', () => {
    const sigmoid = grid(whole, { dtype: 'u8', qmin: 0, qmax: 255 });
    expect(parametersOf(fixedQParamsObserver({ scale: 1 / 256 }), sigmoid, f32([1], 77))).toMatchObject({
      shape: [],
      scale: [1 / 256],
      zero: [0],
    });
    expect(placeholderObserver({ eps: 2 ** -12 }).eps).toBe(2 ** -12);
    expect(() => parametersOf(placeholderObserver(), grid({ kind: 'row' }), f32([1], 77))).toThrow(code('placeholder'));
  });
});

describe('codes', () => {
  const qparams = { scale: f32([2], 0.5, 2), zeroPoint: tensorOf('i32', [2], [1, 0]) };
  const perAxis = grid({ kind: 'axis', axis: 0 }, { qmin: -8, qmax: 7, dtype: 'i4' });

  it('are on the grid of each channel', () => {
    expect(quantizeTensor(f32([2, 3], 1, 0.25, 100, 1, -3, -100), qparams, perAxis)).toEqual(tensorOf('i4', [2, 3], [3, 1, 7, 0, -2, -8]));
  });

  it('are refused for tensors that do not fit', () => {
    const refused =
      (t: HostTensor, q = qparams) =>
      () =>
        quantizeTensor(t, q, perAxis);
    expect(refused(f32([3], 1, 2, 3))).toThrow(/f32\[3\] cannot be quantized: scale has shape \[2\], expected \[3\]/);
    expect(refused(tensorOf('i8', [2], [1, 2]))).toThrow(/it has no floats/);
    expect(refused(f32([2], 1, 2), { ...qparams, zeroPoint: f32([], 0) })).toThrow(code('quantize'));
  });
});

describe('histograms of many elements', () => {
  it('count them all', () => {
    const data = Float32Array.from({ length: 1e6 }, (_, i) => Math.fround(((i * 7919) % 1000003) / 1000003 - 0.25));
    const observer = histogramObserver().create(grid(whole));
    observer.observe(hostTensor('f32', [1e6], data));
    const { parts } = observer.save() as unknown as { readonly parts: readonly { readonly counts: readonly number[] }[] };
    expect(parts[0]!.counts.reduce((a, b) => a + b)).toBe(1e6);
    expect(observer.qparams().zeroPoint.data[0]).toBe(-64);
  });
});
