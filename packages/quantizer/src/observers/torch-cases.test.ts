import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { countOf, type DType, type HostTensor, QfuseError, tensorOf } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import type { Grid, ObserverFactory } from '../observer.js';
import { cascadeSum } from './cascade-sum.js';
import { linspace } from './float32.js';
import * as observers from './index.js';

// What torchao finds and torch computes; made by tools/fixtures/observer_cases.py, which says what a line holds. Equality is bit by bit.

type Drawn = readonly [dtype: DType, shape: readonly number[], distribution: string, seed: number, factor: number, offset: number];
type Batch = Drawn | readonly [dtype: DType, shape: readonly number[], values: readonly (number | string)[]];
interface Case {
  readonly observer: string;
  readonly options: Readonly<Record<string, number | boolean>>;
  readonly grid: readonly [DType, number, number, Grid['mapping'], readonly [string, number?, number?], boolean];
  readonly batches: readonly Batch[];
  readonly out: Found;
}
interface Found {
  readonly scale?: readonly (number | string)[];
  readonly zero?: readonly number[];
  readonly codes?: number;
  readonly range?: readonly [number, number];
  readonly counts?: number;
  readonly error?: 'observe' | 'qparams';
}
interface SumCase {
  readonly batches: readonly [Batch];
  readonly axes: readonly number[];
  readonly out: number;
}
interface LinspaceCase {
  readonly start: number;
  readonly end: number;
  readonly steps: number;
  readonly out: number;
}

const lines = readFileSync(new URL('../../test/observer-cases.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n');
const casesOf = <T>(name: string): readonly T[] =>
  lines.filter((line) => line.startsWith(`{"observer":"${name}"`)).map((line) => JSON.parse(line) as T);

const factories: Readonly<Record<string, (options: object) => ObserverFactory>> = {
  'min-max': observers.minMaxObserver,
  'per-channel-min-max': observers.perChannelMinMaxObserver,
  'moving-average-min-max': observers.movingAverageMinMaxObserver,
  'moving-average-per-channel-min-max': observers.movingAveragePerChannelMinMaxObserver,
  histogram: observers.histogramObserver,
  'affine-min-max': observers.affineMinMaxObserver,
  mse: observers.mseObserver,
};

/** Mulberry32: numbers from 0 to 1. */
function uniforms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t = (t + Math.imul(t ^ (t >>> 7), t | 61)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function draw(distribution: string, seed: number, count: number): Float64Array {
  const next = uniforms(seed);
  return new Float64Array(count).map(() => {
    if (distribution === 'uniform') return next();
    if (distribution === 'integer') return Math.floor(next() * 17) - 8;
    const first = next();
    let x = first;
    for (let k = 1; k < 12; k++) x += next();
    x -= 6;
    if (distribution === 'relu') return Math.max(x, 0);
    if (distribution === 'cubic') return x * x * x;
    return distribution === 'outliers' && first < 0.01 ? x * 100 : x;
  });
}

const numberOf = (v: number | string): number => ({ inf: Infinity, '-inf': -Infinity, nan: Number.NaN })[String(v)] ?? Number(v);

function tensorFrom([dtype, shape, ...rest]: Batch): HostTensor {
  const [values, seed = 0, factor = 1, offset = 0] = rest;
  const numbers =
    typeof values === 'string' ? draw(values, seed, countOf(shape)).map((x) => x * factor + offset) : Float64Array.from(values!, numberOf);
  const rounded = dtype === 'f64' ? numbers : numbers.map(Math.fround);
  return tensorOf(dtype, shape, dtype === 'i64' ? Array.from(rounded, (x) => BigInt(Math.trunc(x))) : rounded);
}

const bytesOf = (data: Float32Array | Int32Array): Uint8Array => new Uint8Array(data.buffer);
const crcOf = (data: Float32Array | Int32Array): number => crc32(bytesOf(data));

function gridOf([dtype, qmin, qmax, mapping, [kind, axis, size], customRange]: Case['grid']): Grid {
  return { dtype, qmin, qmax, mapping, customRange, granularity: { kind, axis, size } as Grid['granularity'] };
}

function run(given: Case): Found {
  const grid = gridOf(given.grid);
  const observer = factories[given.observer]!(given.options).create(grid);
  const tensors = given.batches.map(tensorFrom);
  try {
    tensors.forEach((t) => observer.observe(t));
  } catch (error) {
    if (error instanceof QfuseError) return { error: 'observe' };
    throw error;
  }
  const saved = observer.save() as {
    readonly parts?: readonly { readonly min: number; readonly max: number; readonly counts: number[] }[];
  };
  const [part] = saved.parts ?? [];
  const seen = part && { range: [part.min, part.max] as const, counts: crcOf(Float32Array.from(part.counts)) };
  let found;
  try {
    found = observer.qparams();
  } catch (error) {
    if (error instanceof QfuseError) return { ...seen, error: 'qparams' };
    throw error;
  }
  const codes = given.out.codes === undefined ? undefined : observers.quantizeTensor(tensors[0]!, found, grid).data;
  return {
    ...seen,
    scale: Array.from(found.scale.data, Number),
    zero: Array.from(found.zeroPoint.data, Number),
    ...(codes && { codes: crcOf(Int32Array.from(codes as Int32Array)) }),
  };
}

describe('observers find what torchao finds', () => {
  it.each(Object.keys(factories))('%s', (name) => {
    const cases = casesOf<Case>(name);
    expect(cases.length).toBeGreaterThan(30);
    for (const given of cases) {
      const { scale, range, ...rest } = given.out;
      const numbers = { scale: scale?.map((s) => Math.fround(numberOf(s))), range: range?.map(Math.fround) };
      expect(run(given), JSON.stringify(given)).toEqual({ ...rest, ...numbers });
    }
  });
});

describe('functions of torch', () => {
  it('sums in the order of torch', () => {
    for (const { batches, axes, out } of casesOf<SumCase>('sum')) {
      const { data, shape } = tensorFrom(batches[0]);
      expect(crcOf(cascadeSum(data as Float32Array, shape, axes)), `${shape} ${axes}`).toBe(out);
    }
  });

  it('divides a range into equal steps', () => {
    for (const { start, end, steps, out } of casesOf<LinspaceCase>('linspace'))
      expect(crcOf(linspace(Math.fround(start), Math.fround(end), steps)), `${start} ${end}`).toBe(out);
  });
});

it('makes the same tensors as the script', () => {
  expect(Array.from(tensorFrom(['f32', [2], 'uniform', 1, 1, 0]).data, Number)).toEqual([0.6270739436149597, 0.002735721180215478]);
});
