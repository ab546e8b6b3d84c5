import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { graphs } from '../test/graphs.js';
import { Another, f32, Fill, makeOp, Neg, ops, Other, vocabulary } from '../test/ops.js';

import {
  type Constant,
  Editor,
  Graph,
  nodeAttrs,
  parseGraph,
  printGraph,
  printNode,
  type PrintOptions,
  type QfuseError,
  tensor,
  tensorType,
  verifyGraph,
} from './index.js';
import { STATE } from './graph.js';

const roundTrip = (graph: Graph, options: PrintOptions = {}): Graph => parseGraph(printGraph(graph, options), { ops });

describe('parse(print(g)) is the identity', () => {
  const everything: PrintOptions = { header: true, origins: true };

  test('in text', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        for (const options of [{}, everything]) {
          const text = printGraph(graph, options);
          expect(printGraph(parseGraph(text, { ops }), options)).toBe(text);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('in everything that a graph holds', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const again = roundTrip(graph, everything);
        expect(again.name).toBe(graph.name);
        expect(again.size).toBe(graph.size);
        expect(again.env.symbols().map((s) => ({ ...again.env.fact(s), source: '' }))).toEqual(
          graph.env.symbols().map((s) => ({ ...graph.env.fact(s), source: '' })),
        );
        // Values by where they are defined, so that two graphs can be compared.
        const index = (g: Graph) =>
          new Map([...g.inputs, ...g.constants.map((c) => c.value), ...[...g.nodes()].flatMap((n) => n.results)].map((v, i) => [v, i]));
        const [a, b] = [index(graph), index(again)];
        const shown = (g: Graph, at: typeof a) => ({
          inputs: g.inputs.map((v) => [v.name, v.type]),
          constants: g.constants.map((c) => [c.name, c.role, c.constant.type, c.constant.key]),
          nodes: [...g.nodes()].map((n) => [
            n.op.name,
            n.operands.map((v) => v && at.get(v)),
            nodeAttrs(n),
            n.results.map((r) => r.type),
            n.origin,
          ]),
          outputs: g.outputs.map((v) => at.get(v)),
          mutations: g.mutations.map((m) => [at.get(m.target), at.get(m.value)]),
        });
        const [before, after] = [shown(graph, a), shown(again, b)];
        expect(after).toEqual(before);
        // Interned parts are not only equal.
        [...graph.nodes()].forEach((n, i) => {
          const m = [...again.nodes()][i]!;
          expect(nodeAttrs(m)).toBe(nodeAttrs(n));
          expect(m.origin).toBe(n.origin);
          expect(m.results.every((r, k) => r.type === n.results[k]!.type)).toBe(true);
        });
        expect(verifyGraph(again).filter((e) => e.code !== 'ir/symbol')).toEqual([]);
      }),
      { numRuns: 80 },
    );
  });

  test('without a header and with spaces elsewhere', () => {
    fc.assert(
      fc.property(graphs, (graph) => {
        const text = printGraph(graph);
        const loose = text.replaceAll('\n', ' // a remark\n\n\t');
        expect(printGraph(parseGraph(loose, { ops }))).toBe(text);
      }),
      { numRuns: 40 },
    );
  });
});

describe('the text', () => {
  it('has everything in its place', () => {
    const text = `qfuse.graph 1
uses t.options 2
uses t.split 3
graph @"my model"(%x: f32[s0, 4], %"0": i8[]) where s0 in [1, inf] by 2, s1 in [0, 9] {
  %w.0 = parameter "w.0" : f32[2] = dense<[0.5, -1.0]>
  %"a b" = buffer "a b" : f32[4] = splat<0.0>
  %c = constant "c" : i64[] = dense<[-5]>
  %0 = t.neg(%x) : f32[s0, 4] loc("neg" in "layers.0")
  %1, %2, %3 = t.split(%0) : f32[s0, 4], i32[], f32[s0, 4] loc("fuse"["neg" in "layers.0", "b"])
  t.check(%2) loc("c")
  %4 = t.norm(%3, _, %0) : f32[s0, 4] loc("n")
  %5 = t.norm(%4) : f32[s0, 4] loc("n")
  %6 = t.pack(%5, [], %5) : f32[s0, 4] loc("n")
  %7 = t.pack(%6, [%0, _, %c], %"0") : f32[s0, 4] loc("n")
  %8 = t.options(%7) {dims = [s0, 2*s0 + 1], float = 1.0, scalar = 1.0, string = "a\\n"} : f32[s0, 4] loc("n")
  %9 = t.fill() {dtype = i8, size = [s0]} : i8[s0] loc("n")
  mutate %"a b" = %w.0
  mutate %x = %8
  return %8, %"0", %8
}
`;
    expect(printGraph(parseGraph(text, { ops }), { header: true, origins: true })).toBe(text);
  });

  it('of a graph without anything', () => {
    expect(printGraph(new Graph())).toBe('graph @main() {\n  return\n}\n');
  });

  it('leaves out what is a default of that op, though records are shared', () => {
    const graph = new Graph();
    const edit = new Editor(graph);
    const x = edit.addInput('x', f32(1));
    for (const op of [Other, Another]) for (const int of [1, 2]) edit.create(op, { x }, { int });
    expect(nodeAttrs([...graph.nodes()][0]!)).toBe(nodeAttrs([...graph.nodes()][2]!));
    expect(printGraph(graph).split('\n').slice(1, 5)).toEqual([
      '  %0 = t.other(%x) {int = 1} : f32[1]',
      '  %1 = t.other(%x) : f32[1]',
      '  %2 = t.another(%x) : f32[1]',
      '  %3 = t.another(%x) {int = 2} : f32[1]',
    ]);
  });

  it('of one node', () => {
    const graph = new Graph();
    const edit = new Editor(graph);
    const x = edit.addInput('x', f32(1));
    const node = edit.create(Neg, { x: edit.create(Neg, { x }).result });
    expect(printNode(node, (v) => v.name ?? `%v${v.id}`)).toBe('%v2 = t.neg(%v1) : f32[1]');
  });

  it('takes any names for results', () => {
    const graph = parseGraph('graph @g(%0: f32[1]) { %y = t.neg(%0) %7 = t.neg(%y) %3 = t.neg(%7) %"4" = t.neg(%3) return %"4", %0 }', {
      ops,
    });
    expect(printGraph(graph)).toBe(
      'graph @g(%"0": f32[1]) {\n  %0 = t.neg(%"0") : f32[1]\n  %1 = t.neg(%0) : f32[1]\n  %2 = t.neg(%1) : f32[1]\n  %3 = t.neg(%2) : f32[1]\n  return %3, %"0"\n}\n',
    );
  });

  it('tells names apart that read like numbers', () => {
    const names = ['%0', '%00', '%1', '%1.5', '%1e3', '%12', '%1_2', '%999999999', '%9999999999', '%99999999999999999999'];
    const body = names.map((name, i) => `${name} = t.neg(${i === 0 ? '%x' : names[i - 1]})`).join('\n');
    const graph = parseGraph(`graph @g(%x: f32[1]) {\n${body}\nreturn ${names.join(', ')}, % 12, %\n1 }`, { ops });
    const nodes = [...graph.nodes()];
    expect(graph.outputs).toEqual([...nodes, nodes[5]!, nodes[2]!].map((n) => n.result));
    nodes.forEach((node, i) => expect(node.operand('x')).toBe(i === 0 ? graph.inputs[0] : nodes[i - 1]!.result));
  });

  it('names the constants that the caller knows', () => {
    const known = parseGraph('graph @g() { %c = constant "c" : i8[2] = dense<[1, 2]> return %c }', { ops }).constants[0]!.constant;
    const constants = (key: string, type: unknown): Constant | undefined =>
      key === 'known' && type === tensorType('i8', [2]) ? known : undefined;
    const graph = parseGraph('graph @g() { %a = constant "a" : i8[2] = #known %b = constant "b" : i8[3] = #known return }', {
      ops,
      constants,
    });
    expect(graph.constants.map((c) => [c.constant.resolved, c.constant.key])).toEqual([
      [true, known.key],
      [false, 'known'],
    ]);
  });

  it('may state types that are less exact than the inferred ones, not others', () => {
    const graph = parseGraph('graph @g(%x: f32[s0]) where s0 in [2, 4] { %0 = t.neg(%x) : f32[u] %1 = t.neg(%0) return %1 }', { ops });
    expect(graph.outputs[0]!.type).toBe(
      tensorType('f32', [parseGraph('graph @g(%x: f32[u]) { return }', { ops }).inputs[0]!.type.shape[0]!]),
    );
    expect(() => parseGraph('graph @g(%x: f32[s0]) where s0 in [2, 4] {\n  %0 = t.neg(%x) : f32[5]\n  return }', { ops })).toThrow(
      'line 2, column 8: t.neg at made by builder: results are f32[s0], but f32[5] was stated',
    );
  });
});

describe('versions', () => {
  const Old = makeOp({ name: 't.neg', version: 4, operands: { x: tensor() }, infer: ({ operands }) => [operands.x] });
  const code = (text: string, find = ops): [string, string] => {
    try {
      parseGraph(text, { ops: find });
    } catch (error) {
      return [(error as QfuseError).code, (error as QfuseError).message];
    }
    return ['', ''];
  };

  it('of the form must be the one that is read', () => {
    expect(code('qfuse.graph 2\ngraph @g() { return }')).toEqual([
      'ir/text-version',
      'line 1, column 12: the text is written in version 2 of the text form, this qfuse reads version 1',
    ]);
  });

  it('of ops must be those that are there', () => {
    const find = (name: string) => (name === 't.neg' ? Old : undefined);
    const body = 'graph @g(%x: f32[1]) { %0 = t.neg(%x) return %0 }';
    expect(code(`qfuse.graph 1\nuses t.neg 4\n${body}`, find)).toEqual(['', '']);
    expect(code(`qfuse.graph 1\nuses t.neg 3\n${body}`, find)[1]).toBe(
      'line 3, column 29: the text uses t.neg version 3, this qfuse has version 4',
    );
    expect(code(`qfuse.graph 1\n${body}`, find)[0]).toBe('ir/op-version');
    expect(code(body, find)).toEqual(['', '']);
    expect(code(`qfuse.graph 1\nuses other.op 3\n${body}`)).toEqual(['', '']);
  });
});

test('every op of the vocabulary occurs in the random graphs', () => {
  const seen = new Set<string>();
  for (const graph of fc.sample(graphs, { numRuns: 80, seed: 7 })) for (const node of graph.nodes()) seen.add(node.op.name);
  expect([...seen].sort()).toEqual(vocabulary.map((op) => op.name).sort());
});

test('a hundred thousand nodes print, parse and verify', () => {
  const graph = new Graph();
  const edit = new Editor(graph);
  let x = edit.addInput('x', f32(4));
  for (let i = 0; i < 100_000; i++) x = i % 1000 === 0 ? edit.create(Fill, {}, { size: [4] }).result : edit.create(Neg, { x }).result;
  edit.setOutputs([x]);
  const text = printGraph(graph);
  const again = parseGraph(text, { ops });
  expect(again.size).toBe(100_000);
  expect(verifyGraph(again)).toEqual([]);
  expect(printGraph(again)).toBe(text);
  // Handles take as much memory as all the rest: only the input and the output have any.
  const { nodeHandles, valueHandles } = again[STATE];
  const handles = (all: readonly unknown[]): number => Object.keys(all).length;
  expect([handles(nodeHandles), handles(valueHandles)]).toEqual([1, 2]);
});
