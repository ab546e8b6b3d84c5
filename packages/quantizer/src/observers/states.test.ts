import { type HostTensor, tensorOf } from '@qfuse/plugin';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Grid, Observer, ObserverFactory, ObserverState } from '../observer.js';
import {
  affineMinMaxObserver,
  fixedQParamsObserver,
  histogramObserver,
  minMaxObserver,
  movingAverageMinMaxObserver,
  movingAveragePerChannelMinMaxObserver,
  mseObserver,
  perChannelMinMaxObserver,
  placeholderObserver,
} from './index.js';

const tensor: Grid = { dtype: 'i8', qmin: -128, qmax: 127, mapping: 'affine', granularity: { kind: 'tensor' } };
const axis: Grid = { ...tensor, mapping: 'symmetric', granularity: { kind: 'axis', axis: 0 } };
const group: Grid = { ...axis, granularity: { kind: 'group', axis: 1, size: 2 } };

const all: readonly (readonly [ObserverFactory, Grid])[] = [
  [minMaxObserver(), tensor],
  [perChannelMinMaxObserver({ eps: 2 ** -12 }), axis],
  [movingAverageMinMaxObserver({ averagingConstant: 0.3 }), tensor],
  [movingAveragePerChannelMinMaxObserver(), axis],
  [histogramObserver({ bins: 16 }), tensor],
  [affineMinMaxObserver(), group],
  [affineMinMaxObserver(), { ...axis, granularity: { kind: 'row' } }],
  [mseObserver({ steps: 5 }), group],
  [mseObserver({ steps: 5, runOnce: true }), axis],
];
const named = all.map(([factory, grid]) => [`${factory.name} ${grid.granularity.kind}`, factory, grid] as const);

/** Batches of one shape, several of them of one number, some with infinities. */
const batch: fc.Arbitrary<HostTensor> = fc
  .oneof(
    fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }), { minLength: 8, maxLength: 8 }),
    fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }).map((x) => new Array<number>(8).fill(x)),
  )
  .map((values) => tensorOf('f32', [2, 4], values));
const batches = fc.array(batch, { maxLength: 4 });

function observed(factory: ObserverFactory, grid: Grid, tensors: readonly HostTensor[]): Observer {
  const observer = factory.create(grid);
  for (const t of tensors) observer.observe(t);
  return observer;
}

/** A state that went through a file. */
const saved = (observer: Observer): ObserverState => JSON.parse(JSON.stringify(observer.save())) as ObserverState;

function merged(factory: ObserverFactory, grid: Grid, ...states: readonly ObserverState[]): Observer {
  const observer = factory.create(grid);
  for (const state of states) observer.merge(state);
  return observer;
}

const qparamsOf = (observer: Observer): unknown => {
  try {
    return observer.qparams();
  } catch (error) {
    return String(error);
  }
};

describe.each(named)('states of %s', (_name, factory, grid) => {
  it('are what an equal observer is made from, which goes on as the first would', () => {
    fc.assert(
      fc.property(batches, batches, (before, after) => {
        const first = observed(factory, grid, before);
        const second = merged(factory, grid, saved(first));
        expect(saved(second)).toEqual(saved(first));
        expect(qparamsOf(second)).toEqual(qparamsOf(first));
        for (const t of after) for (const observer of [first, second]) observer.observe(t);
        expect(saved(second)).toEqual(saved(first));
        expect(qparamsOf(second)).toEqual(qparamsOf(first));
      }),
    );
  });

  it('merge associatively', () => {
    fc.assert(
      fc.property(batches, batches, batches, (...parts) => {
        const [a, b, c] = parts.map((p) => saved(observed(factory, grid, p))) as [ObserverState, ObserverState, ObserverState];
        const left = merged(factory, grid, saved(merged(factory, grid, a, b)), c);
        const right = merged(factory, grid, a, saved(merged(factory, grid, b, c)));
        expect(saved(left)).toEqual(saved(right));
        expect(qparamsOf(left)).toEqual(qparamsOf(right));
      }),
    );
  });

  it('do not change when their observer does', () => {
    const observer = observed(factory, grid, [tensorOf('f32', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8])]);
    const state = observer.save();
    const text = JSON.stringify(state);
    observer.observe(tensorOf('f32', [2, 4], [-9, 9, -9, 9, -9, 9, -9, 9]));
    observer.merge(state);
    expect(JSON.stringify(state)).toBe(text);
  });
});

describe('merged parameters', () => {
  const exact = named.filter(([name]) => !name.startsWith('histogram'));

  it.each(exact)('of %s are those of all tensors in order', (_name, factory, grid) => {
    fc.assert(
      fc.property(batches, batches, (a, b) => {
        const together = observed(factory, grid, [...a, ...b]);
        const apart = merged(factory, grid, saved(observed(factory, grid, a)), saved(observed(factory, grid, b)));
        expect(qparamsOf(apart)).toEqual(qparamsOf(together));
      }),
    );
  });

  it('of histograms do not depend on the order, and are near those of all tensors', () => {
    const factory = histogramObserver();
    fc.assert(
      fc.property(fc.array(batch, { minLength: 1, maxLength: 3 }), fc.array(batch, { minLength: 1, maxLength: 3 }), (a, b) => {
        const [x, y] = [a, b].map((p) => saved(observed(factory, tensor, p))) as [ObserverState, ObserverState];
        const apart = merged(factory, tensor, x, y).qparams();
        expect(merged(factory, tensor, y, x).qparams()).toEqual(apart);
        const both = minMaxObserver().create(tensor);
        for (const t of [...a, ...b]) both.observe(t);
        // No range is wider than that of the extremes, but for the rounding of its two ends and the scale.
        expect(apart.scale.data[0] as number).toBeLessThanOrEqual((both.qparams().scale.data[0] as number) * (1 + 2 ** -21));
      }),
    );
  });

  it('of histograms of one range are exactly those of all tensors', () => {
    const factory = histogramObserver({ bins: 16 });
    const within = (...middle: number[]) => tensorOf('f32', [6], [-1, 2, ...middle]);
    const [a, b] = [within(0, 0.1, 0.2, 0.3), within(1, 1.1, 1.9, -0.7)];
    const apart = merged(factory, tensor, saved(observed(factory, tensor, [a])), saved(observed(factory, tensor, [b])));
    expect(apart.qparams()).toEqual(observed(factory, tensor, [a, b]).qparams());
  });
});

describe('states of other observers', () => {
  const state = saved(observed(minMaxObserver(), tensor, [tensorOf('f32', [2], [1, 2])]));
  const histogram = saved(observed(histogramObserver({ bins: 2 }), tensor, [tensorOf('f32', [2], [1, 2])]));
  const load = (given: unknown, factory: ObserverFactory = minMaxObserver(), grid = tensor) =>
    factory.create(grid).merge(given as ObserverState);

  it.each([
    ['another observer', () => load({ ...state, observer: 'mse' }), /its observer is "mse"/],
    ['nothing', () => load(null), /its observer is undefined/],
    ['fixed parameters', () => load(state, fixedQParamsObserver({ scale: 1 })), /its observer is "min-max"/],
    ['a placeholder', () => load(state, placeholderObserver()), /its observer is "min-max"/],
    ['another number of elements', () => load({ ...state, min: [1, 2] }), /"min" has 2 elements, expected 1/],
    ['no list', () => load({ ...state, max: 3 }), /"max" is not a list/],
    ['no numbers', () => load({ ...state, max: ['three'] }), /"max" has an element that is not a number/],
    ['null as a number', () => load({ ...state, max: [null] }), /"max" has an element that is not a number/],
    ['no shape', () => load({ ...state, shape: [-1] }), /"shape" is not a shape/],
    ['no dtype', () => load({ ...state, dtype: 'i8' }), /"dtype" is not a float dtype/],
    ['other bins', () => load(histogram, histogramObserver()), /it has 2 bins, expected 2048/],
    ['no bins', () => load({ ...histogram, bins: '2' }, histogramObserver()), /"bins" is not a number/],
    ['no parts', () => load({ ...histogram, parts: {} }, histogramObserver({ bins: 2 })), /"parts" is not a list of states/],
    ['a part that is no object', () => load({ ...histogram, parts: [7] }, histogramObserver({ bins: 2 })), /"min" is not a number/],
    [
      'a range in the wrong order',
      () => load({ ...histogram, parts: [{ min: 2, max: 1, counts: [1, 1] }] }, histogramObserver({ bins: 2 })),
      /a range is \[2, 1\]/,
    ],
    [
      'a batch without extremes',
      () => load({ observer: 'moving-average-min-max', batches: [{ observer: 'moving-average-min-max' }] }, movingAverageMinMaxObserver()),
      /a batch has no extremes/,
    ],
  ])('%s', (_name, act, message) => {
    expect(act).toThrow(message);
    expect(act).toThrow(expect.objectContaining({ code: 'quantizer/state' }));
  });

  it('of other numbers of scales are refused too', () => {
    const channels = (...shape: readonly number[]) =>
      observed(perChannelMinMaxObserver(), axis, [tensorOf('f32', shape, new Array<number>(shape[0]! * shape[1]!).fill(1))]);
    expect(() => channels(3, 2).merge(saved(channels(2, 2)))).toThrow(
      /scales of shape \[3\] was given a tensor with scales of shape \[2\]/,
    );
  });
});
