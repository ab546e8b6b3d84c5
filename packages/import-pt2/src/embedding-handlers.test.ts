import { readdirSync, readFileSync } from 'node:fs';
import { type Graph, opTable, printGraph, tensorFrom } from '@qfuse/plugin';
import { allOps } from '@qfuse/ops';
import { runGraph } from '@qfuse/interp';
import { describe, expect, it } from 'vitest';
import { archive, type Doc, meta, node, program } from '../test/program-builder.js';
import { readSafetensors } from '../test/safetensors.js';
import { importPt2 } from './import-pt2.js';

// What torch computes is recorded by tools/fixtures/embedding_cases.py.

const [U8, I8, I64, F32] = [1, 2, 5, 7];
const ops = opTable(allOps);
const folder = new URL('../../../fixtures/import/', import.meta.url);
const read = (name: string): Uint8Array => readFileSync(new URL(name, folder));

interface Init {
  readonly table: Doc;
  readonly scales?: Doc;
  readonly zeros?: Doc;
  readonly bytes?: readonly number[];
  readonly result: Doc;
}

/** A program of one lookup; with `bytes` the table is a buffer. */
function lookup(target: string, { table, scales = meta(F32, [2]), zeros, bytes, result }: Init): Graph {
  const constant = bytes !== undefined;
  const buffers = constant ? { table } : {};
  const document = program({
    buffers,
    inputs: { ...(constant ? {} : { t: table }), s: scales, i: meta(I64, [3]), ...(zeros === undefined ? {} : { z: zeros }) },
    nodes: [
      node(
        `quantized_decomposed.${target}`,
        {
          weight: constant ? 'b_table' : 't',
          weight_scales: 's',
          weight_zero_points: zeros === undefined ? { as_none: true } : 'z',
          weight_quant_min: { as_int: -8 },
          weight_quant_max: { as_int: 7 },
          indices: 'i',
        },
        ['r'],
      ),
    ],
    values: { r: result },
    outputs: ['r'],
  });
  const files: Record<string, Uint8Array> = constant ? { weight_0: Uint8Array.from(bytes) } : {};
  return importPt2(archive({ document, files, weights: constant ? { table: { file: 'weight_0', meta: table } } : {} }), { ops });
}

const nodesOf = (graph: Graph): string[] =>
  printGraph(graph)
    .split('\n')
    .flatMap((line) => /= ((?:aten|quant)\..*)$/.exec(line)?.[1] ?? []);

describe('numbers', () => {
  const names = readdirSync(folder)
    .filter((f) => /^embedding_.*\.pt2$/.test(f))
    .map((f) => f.slice(0, -'.pt2'.length));
  it.each(names)('%s is torch, bit for bit', (name) => {
    const graph = importPt2(read(`${name}.pt2`));
    const tensors = readSafetensors(read(`${name}.safetensors`));
    const { outputs } = runGraph(
      graph,
      graph.inputs.map((_, i) => tensors.get(`in.${i}`)!),
    );
    expect(outputs[0]).toEqual(tensors.get('out.0'));
  });
  it('there are some', () => expect(names.length).toBeGreaterThan(10));
});

describe('nodes', () => {
  it('a scale a row is an axis, its bytes are the integers', () =>
    expect(nodesOf(lookup('embedding_byte.default', { table: meta(I8, [2, 4]), result: meta(F32, [3, 4]) }))).toEqual([
      'quant.dequantize(%t, %s) {axis = 0, dtype = f32, granularity = "axis", qmax = 7, qmin = -8} : f32[2, 4]',
      'aten.embedding(%0, %i) : f32[3, 4]',
    ]));

  it('one scale a row may have an axis of its own, zero points come along', () =>
    expect(
      nodesOf(
        lookup('embedding_byte.dtype', {
          table: meta(I8, [2, 4]),
          scales: meta(F32, [2, 1]),
          zeros: meta(F32, [2, 1]),
          result: meta(F32, [3, 4]),
        }),
      ),
    ).toContain('quant.dequantize(%t, %0, %1) {axis = 0, dtype = f32, granularity = "axis", qmax = 7, qmin = -8} : f32[2, 4]'));

  it('several scales a row are groups', () =>
    expect(
      nodesOf(lookup('embedding_byte.default', { table: meta(I8, [2, 6]), scales: meta(F32, [2, 3]), result: meta(F32, [3, 6]) }))[0],
    ).toContain('axis = 1, dtype = f32, granularity = "group", group_size = 2'));

  it.each<[string, readonly number[], readonly number[]]>([
    ['embedding_4bit', [0x08, 0xf1], [-8, 0, 7, -7]],
    ['embedding_2bit', [0b11100100], [-2, -1, 0, 1]],
  ])('%s: a table that is known is unpacked when it is read', (target, bytes, integers) => {
    const graph = lookup(`${target}.default`, {
      table: meta(U8, [1, bytes.length]),
      scales: meta(F32, [1]),
      bytes,
      result: meta(F32, [3, integers.length]),
    });
    const dq = [...graph.nodes()].find((n) => n.op.name === 'quant.dequantize')!;
    expect(nodesOf(graph)).toHaveLength(2);
    expect(Array.from(tensorFrom(dq.operands[0]!.constant!).data, Number)).toEqual(integers);
  });

  it('a table that is an input is unpacked when the program runs', () => {
    const names = nodesOf(lookup('embedding_4bit.default', { table: meta(U8, [2, 2]), result: meta(F32, [3, 4]) })).map(
      (l) => l.split('(')[0],
    );
    expect(names).toContain('aten.bitwise_and.Scalar');
    expect(names.slice(-2)).toEqual(['quant.dequantize', 'aten.embedding']);
  });
});

describe('refusals', () => {
  it.each<[string, string, Init, RegExp]>([
    [
      'a packed table of signed bytes',
      'embedding_4bit',
      { table: meta(I8, [2, 2]), result: meta(F32, [3, 4]) },
      /the table is i8 with 2 axes, expected packed u8/,
    ],
    [
      'scales of three axes',
      'embedding_byte',
      { table: meta(I8, [2, 4]), scales: meta(F32, [2, 1, 1]), result: meta(F32, [3, 4]) },
      /weight_scales has 3 axes/,
    ],
    [
      'scales that do not divide',
      'embedding_byte',
      { table: meta(I8, [2, 4]), scales: meta(F32, [2, 3]), result: meta(F32, [3, 4]) },
      /3 scales a row do not divide rows of 4/,
    ],
    [
      'scales of other rows',
      'embedding_byte',
      { table: meta(I8, [2, 4]), scales: meta(F32, [3]), result: meta(F32, [3, 4]) },
      /scale has shape \[3\], expected \[2\]/,
    ],
    ['another result than recorded', 'embedding_byte', { table: meta(I8, [2, 4]), result: meta(F32, [3, 5]) }, /f32\[3, 5\]/],
  ])('%s', (_, target, init, why) => expect(() => lookup(`${target}.default`, init)).toThrow(why));
});
