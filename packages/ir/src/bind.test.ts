import { describe, expect, it } from 'vitest';
import { bindSymbols } from './bind.js';
import { type Dim, dimAdd, dimFloorDiv, dimMul } from './dims.js';
import { Editor } from './editor.js';
import { Graph } from './graph.js';
import { tensorType } from './types.js';

/** A graph with one f32 input of each shape; `make` gets the symbols n and m. */
function graphOf(make: (n: Dim, m: Dim) => readonly (readonly Dim[])[]): Graph {
  const graph = new Graph();
  const editor = new Editor(graph);
  const [n, m] = [graph.env.declare('n', { min: 1, max: 16 }), graph.env.declare('m', { divisor: 2 })];
  for (const [i, shape] of make(n, m).entries()) editor.addInput(`x${i}`, tensorType('f32', shape));
  return graph;
}

const bind = (graph: Graph, ...shapes: number[][]): Record<string, number> =>
  Object.fromEntries(
    bindSymbols(
      graph,
      shapes.map((shape) => ({ dtype: 'f32', shape })),
    ),
  );

describe('bindSymbols', () => {
  it('reads symbols off the shapes', () =>
    expect(
      bind(
        graphOf((n, m) => [[n, 3], [m]]),
        [5, 3],
        [8],
      ),
    ).toEqual({ n: 5, m: 8 }));

  it('solves for symbols in linear dims, in any order', () => {
    expect(
      bind(
        graphOf((n) => [[dimMul(4, n)]]),
        [20],
      ),
    ).toEqual({ n: 5 });
    expect(
      bind(
        graphOf((n, m) => [[dimAdd(dimAdd(dimMul(2, m), n), 1)], [n]]),
        [10],
        [5],
      ),
    ).toEqual({ n: 5, m: 2 });
    expect(
      bind(
        graphOf((n, m) => [[dimMul(n, m)], [n, dimFloorDiv(n, 2)]]),
        [30],
        [5, 2],
      ),
    ).toEqual({ n: 5, m: 6 });
  });

  it('checks ranges, divisors, repeated symbols and numbers', () => {
    expect(() =>
      bind(
        graphOf((n) => [[n]]),
        [17],
      ),
    ).toThrow(/dim "n" is 17, expected 1 to 16/);
    expect(() =>
      bind(
        graphOf((_, m) => [[m]]),
        [3],
      ),
    ).toThrow(/multiple of 2/);
    expect(() =>
      bind(
        graphOf((n) => [[n], [n]]),
        [3],
        [4],
      ),
    ).toThrow('input "x1", axis 0 has size 4, expected 3 (n)');
    expect(() =>
      bind(
        graphOf(() => [[3]]),
        [4],
      ),
    ).toThrow('input "x0", axis 0 has size 4, expected 3');
    expect(() =>
      bind(
        graphOf((n) => [[dimMul(4, n)]]),
        [21],
      ),
    ).toThrow('input "x0", axis 0 has size 21, expected one of the form 4*n');
    expect(() =>
      bind(
        graphOf((n) => [[dimMul(4, n)]]),
        [0],
      ),
    ).toThrow(/dim "n" is 0/);
  });

  it('checks the number, dtypes and ranks of inputs', () => {
    expect(() => bind(graphOf((n) => [[n]]))).toThrow(/0 inputs were given, the program has 1: x0: f32\[n\]/);
    expect(() =>
      bind(
        graphOf((n) => [[n]]),
        [1, 2],
      ),
    ).toThrow(/is f32\[1, 2\], expected f32\[n\]/);
  });

  it('says when a symbol cannot be found', () =>
    expect(() =>
      bind(
        graphOf((n, m) => [[dimMul(n, m)]]),
        [6],
      ),
    ).toThrow(/has no value/));
});
