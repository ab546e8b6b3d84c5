import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type HostTensor, verifyGraph } from '@qfuse/plugin';
import { runGraph } from '@qfuse/interp';
import { describe, expect, it } from 'vitest';
import { readSafetensors } from '../test/safetensors.js';
import { importPt2 } from './import-pt2.js';

const folder = (name: string): URL => new URL(`../../../fixtures/${name}/`, import.meta.url);
const archives = (name: string): string[] =>
  readdirSync(folder(name))
    .filter((f) => f.endsWith('.pt2'))
    .map((f) => f.slice(0, -'.pt2'.length))
    .toSorted();
const file = (dir: string, name: string): Uint8Array => readFileSync(new URL(name, folder(dir)));

/** Elements of a tensor as numbers, with dtype and shape, for comparison. */
const numbersOf = (t: HostTensor): number[] => Array.from(t.data, Number);

/** The largest difference relative to the largest element, NaN and infinities being equal to themselves. */
function difference(got: HostTensor, want: HostTensor): number {
  const [a, b] = [numbersOf(got), numbersOf(want)];
  const scale = Math.max(1, ...b.filter(Number.isFinite).map(Math.abs));
  return Math.max(
    0,
    ...a.map((x, i) => (Object.is(x, b[i]) || x === b[i] ? 0 : Number.isNaN(x - b[i]!) ? Infinity : Math.abs(x - b[i]!) / scale)),
  );
}

const shapeOf = (t: HostTensor | undefined): string => (t === undefined ? 'nothing' : `${t.dtype}[${t.shape.join(', ')}]`);

describe('programs of torch', () => {
  it.each(archives('pt2'))('%s imports to a valid graph', (name) => {
    const graph = importPt2(file('pt2', `${name}.pt2`));
    expect(verifyGraph(graph).map((e) => e.message)).toEqual([]);
    expect(graph.size).toBeGreaterThan(0);
  });
});

describe('programs that are hard to import', () => {
  it.each(archives('import'))('%s computes what torch does', (name) => {
    const source = file('import', `${name}.pt2`);
    const graph = importPt2(source);
    expect(verifyGraph(graph).map((e) => e.message)).toEqual([]);
    const base = name.replace(/_core$/, '');
    for (const suffix of ['', '.1']) {
      if (!existsSync(new URL(`${base}${suffix}.safetensors`, folder('import')))) continue;
      const tensors = readSafetensors(file('import', `${base}${suffix}.safetensors`));
      const inputs = graph.inputs.map((_, i) => tensors.get(`in.${i}`)!);
      const { outputs, mutated } = runGraph(graph, inputs);
      const expected = [...tensors].filter(([k]) => k.startsWith('out.'));
      expect(outputs.map((t) => shapeOf(t))).toEqual(expected.map((_, i) => shapeOf(tensors.get(`out.${i}`))));
      for (const [i, out] of outputs.entries()) expect(difference(out, tensors.get(`out.${i}`)!), `out.${i}`).toBeLessThan(1e-5);
      const changes = [...tensors].filter(([k]) => k.startsWith('mut.'));
      expect([...mutated.keys()].toSorted()).toEqual(changes.map(([k]) => k.slice(4)).toSorted());
      for (const [k, want] of changes) expect(difference(mutated.get(k.slice(4))!, want), k).toBeLessThan(1e-5);
    }
  });
});
