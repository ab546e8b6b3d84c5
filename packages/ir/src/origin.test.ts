import { describe, expect, it } from 'vitest';
import {
  describeOrigin,
  isStatic,
  madeOrigin,
  numel,
  type Origin,
  originText,
  sourceOrigin,
  sourcesOf,
  symbol,
  tensorType,
  typeText,
} from './index.js';

const [a, b, c] = ['a', 'b', 'c'].map((n) => sourceOrigin(n)) as [Origin, Origin, Origin];

describe('an origin', () => {
  it('is one object for equal contents', () => {
    expect(sourceOrigin('a')).toBe(a);
    expect(sourceOrigin('a', 'x')).not.toBe(a);
    expect(sourceOrigin('ab', 'c')).not.toBe(sourceOrigin('a', 'bc'));
    expect(madeOrigin('r', [a, b])).toBe(madeOrigin('r', [a, b]));
    expect(madeOrigin('r', [a, b])).not.toBe(madeOrigin('r', [b, a]));
    expect(madeOrigin('r', [a, b])).not.toBe(madeOrigin('q', [a, b]));
    expect(madeOrigin('r', [])).toBe(madeOrigin('r', []));
  });

  it('is one object however many were made of one source', () => {
    const sources = Array.from({ length: 100 }, (_, i) => sourceOrigin(`n${i}`));
    const made = sources.map((s) => madeOrigin('r', [s, a]));
    expect(new Set(made).size).toBe(100);
    expect(sources.map((s) => madeOrigin('r', [s, a]))).toEqual(made);
    sources.forEach((s, i) => expect(madeOrigin('r', [s, a])).toBe(made[i]));
  });

  it('is frozen', () => {
    const made = madeOrigin('r', [a]);
    expect([a, made, (made as { from: unknown }).from].every(Object.isFrozen)).toBe(true);
    expect({ ...a }).toEqual({ kind: 'source', name: 'a', scope: '' });
    expect({ ...made }).toEqual({ kind: 'made', by: 'r', from: [a] });
  });

  it('goes back to sources, each once', () => {
    const ab = madeOrigin('r', [a, b, a]);
    expect(sourcesOf(ab)).toEqual([a, b]);
    expect(sourcesOf(madeOrigin('q', [ab, c, b]))).toEqual([a, b, c]);
    expect(sourcesOf(a)).toEqual([a]);
    const bare = madeOrigin('folding', []);
    expect(sourcesOf(madeOrigin('q', [bare, a]))).toEqual([bare, a]);
  });

  it('does not grow without end', () => {
    let merged = madeOrigin('r', [a]);
    for (let i = 0; i < 1000; i++) merged = madeOrigin('r', [merged, sourceOrigin(`m${i}`)]);
    expect(sourcesOf(merged).length).toBe(64);
    expect(sourcesOf(merged).at(-1)).toBe(sourceOrigin('m999'));
  });

  it('has a phrase and a text', () => {
    const scoped = sourceOrigin('linear_3', 'encoder.layer.0');
    expect(describeOrigin(scoped)).toBe('"linear_3" (encoder.layer.0)');
    expect(describeOrigin(madeOrigin('fuse', [a, scoped]))).toBe('made by fuse from "a", "linear_3" (encoder.layer.0)');
    expect(describeOrigin(madeOrigin('fuse', []))).toBe('made by fuse');
    expect(
      describeOrigin(
        madeOrigin(
          'fuse',
          Array.from({ length: 9 }, (_, i) => sourceOrigin(`n${i}`)),
        ),
      ),
    ).toBe('made by fuse from "n0", "n1", "n2", "n3" and 5 more');
    expect(originText(scoped)).toBe('"linear_3" in "encoder.layer.0"');
    expect(originText(madeOrigin('fuse', [a, scoped]))).toBe('"fuse"["a", "linear_3" in "encoder.layer.0"]');
  });
});

describe('a type', () => {
  it('is one frozen object for equal contents', () => {
    const shape = [2, symbol('s0')];
    const type = tensorType('f32', shape);
    expect(tensorType('f32', [2, symbol('s0')])).toBe(type);
    expect(tensorType('f64', shape)).not.toBe(type);
    shape.push(3);
    expect(type.shape).toEqual([2, symbol('s0')]);
    expect([type, type.shape].every(Object.isFrozen)).toBe(true);
    expect(tensorType('f32', [12])).not.toBe(tensorType('f32', [1, 2]));
  });

  it('has a text and a number of elements', () => {
    expect(typeText(tensorType('i8', []))).toBe('i8[]');
    expect(typeText(tensorType('f32', [symbol('s0'), 64]))).toBe('f32[s0, 64]');
    expect(numel(tensorType('f32', [2, 3]))).toBe(6);
    expect(String(numel(tensorType('f32', [symbol('s0'), 64])))).toBe('64*s0');
    expect([isStatic([2, 0]), isStatic([symbol('s0')])]).toEqual([true, false]);
  });
});
