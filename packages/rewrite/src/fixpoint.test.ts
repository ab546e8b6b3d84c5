import { type AnyOp, isSorted, parseGraph, printGraph, type Graph, type Node, type Value, verifyGraph, Editor } from '@qfuse/ir';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Add, AddSplit, Mul, Neg, read, Relu, Sub, View } from '../test/ops.js';
import { any, applyRules, type DriverOptions, defineRule, op, type Rule, through } from './index.js';

/*
 * Random graphs over a few ops with a meaning, and rules that keep it. Whatever the order of the worklist: the graph
 * computes the same, is valid and sorted, and no rule matches any more, which is what the driver's queueing promises.
 */

const meaning = new Map<AnyOp, (x: number, y: number) => readonly number[]>([
  [Neg, (x) => [-x]],
  [Relu, (x) => [Math.max(x, 0)]],
  [View, (x) => [x]],
  [Add, (x, y) => [x + y]],
  [Sub, (x, y) => [x - y]],
  [Mul, (x, y) => [x * y]],
  // The replacement of an exposed negation: relu(-x) and -x.
  [AddSplit, (x) => [Math.max(-x, 0), -x]],
]);

function run(graph: Graph): readonly number[] {
  const values = new Map<Value, number>(graph.inputs.map((v, i) => [v, i * 3 - 4]));
  const read = (v: Value | undefined): number => (v === undefined ? 0 : (values.get(v) ?? 2));
  for (const node of graph.nodes()) {
    const results = meaning.get(node.op)!(read(node.operands[0]), read(node.operands[1]));
    node.results.forEach((r, i) => values.set(r, results[i]! + 0));
  }
  return graph.outputs.map(read);
}

const x = any().as('x');
const y = any().as('y');
const exact = { summary: '', numerics: 'exact' } as const;

const rules: readonly Rule[] = [
  defineRule({ ...exact, name: 'test/neg-neg', root: op(Neg, { x: op(Neg, { x }) }), rewrite: (m) => m.x }),
  defineRule({
    ...exact,
    name: 'test/relu-relu',
    root: op(Relu, { x: through([View], op(Relu).as('inner').shared(), 'views') }),
    rewrite: (m) => m.inner.result,
  }),
  defineRule({
    ...exact,
    name: 'test/sub-neg',
    root: op(Sub, { x, y: op(Neg, { x: y }) }),
    rewrite: (m, b) => b.create(Add, { x: m.x, y: m.y }).result,
  }),
  defineRule({
    ...exact,
    name: 'test/mul-neg',
    root: op(Mul, { x: op(Neg, { x }), y: op(Neg, { x: y }) }),
    rewrite: (m, b) => b.create(Mul, { x: m.x, y: m.y }).result,
  }),
  defineRule({
    ...exact,
    name: 'test/add-same',
    root: op(Add, { x: op(Mul, { x, y: any().as('factor') }), y: op(Mul, { x: any().as('x'), y }) }),
    rewrite: (m, b) => b.create(Mul, { x: m.x, y: b.create(Add, { x: m.factor, y: m.y }).result }).result,
  }),
  defineRule({
    ...exact,
    name: 'test/expose',
    root: op(Relu, { x: op(Neg, { x }).exposed('negative') }),
    rewrite: (m, b) => {
      const { results } = b.create(AddSplit, { x: m.x, y: m.x });
      return { results: [results[0]!], exposed: { negative: results[1]! } };
    },
  }),
  defineRule({
    ...exact,
    name: 'test/expose-both',
    root: op(Mul, { x: op(Sub, { x, y }).exposed('difference'), y: op(Relu, { x: any().as('z') }) }),
    rewrite: (m, b) => {
      const difference = b.create(Add, { x: m.x, y: b.create(Neg, { x: m.y }).result }).result;
      return { results: [b.create(Mul, { x: b.create(Relu, { x: m.z }).result, y: difference }).result], exposed: { difference } };
    },
  }),
];

const ops: readonly AnyOp[] = [Neg, Relu, View, Add, Sub, Mul];
const programs = fc.record({
  nodes: fc.array(fc.tuple(fc.nat(ops.length), fc.nat(), fc.nat()), { minLength: 1, maxLength: 24 }),
  outputs: fc.array(fc.nat(), { minLength: 1, maxLength: 3 }),
});

/** Operands are mostly picked among the last values, so that patterns occur. */
function grow({ nodes, outputs }: { nodes: readonly (readonly [number, number, number])[]; outputs: readonly number[] }): Graph {
  const { graph, edit } = read('return');
  const values: Value[] = graph.inputs.slice(0, 3);
  const recent = (n: number): Value => values[values.length - 1 - (n % Math.min(values.length, 4))]!;
  for (const [which, a, b] of nodes) {
    const def = ops[which];
    if (def === undefined) {
      // x·a + b·x, which chance alone would hardly ever give.
      const [first, second] = [
        edit.create(Mul, { x: recent(a), y: recent(b) }),
        edit.create(Mul, a % 2 === 0 ? { x: recent(a), y: recent(a + b) } : { x: recent(a + b), y: recent(a) }),
      ];
      values.push(edit.create(Add, b % 2 === 0 ? { x: first.result, y: second.result } : { x: second.result, y: first.result }).result);
      continue;
    }
    const slots = def.operandNames.length === 1 ? [recent(a)] : [recent(a), recent(b)];
    values.push(...edit.createFromSlots(def, slots).results);
  }
  edit.setOutputs(outputs.map(recent));
  return graph;
}

const orders: readonly DriverOptions[] = [{}, { order: 'producers-first' }, { seed: 1 }, { seed: 2 }, { seed: 3 }];

test('rules keep the meaning and run to the end in every order', () => {
  const applied = new Map<string, number>();
  fc.assert(
    fc.property(programs, (program) => {
      const before = run(grow(program));
      for (const options of orders) {
        const graph = grow(program);
        const edit = new Editor(graph);
        const text = printGraph(graph);
        const report = applyRules(edit, rules, options);
        for (const name in report.byRule) applied.set(name, (applied.get(name) ?? 0) + report.byRule[name]!);
        expect(isSorted(graph)).toBe(true);
        expect(verifyGraph(graph)).toEqual([]);
        expect(run(graph)).toEqual(before);
        expect(report.applied > 0).toBe(printGraph(graph) !== text);
        expect([applyRules(edit, rules).byRule, printGraph(graph)]).toEqual([{}, printGraph(graph)]);
        const find = (name: string) => [...graph.nodes()].map((n: Node) => n.op).find((o) => o.name === name);
        expect(printGraph(parseGraph(printGraph(graph), { ops: find }))).toBe(printGraph(graph));
      }
    }),
    { numRuns: 150 },
  );
  // Every rule was really reached.
  expect([...applied.keys()].sort()).toEqual(rules.map((r) => r.name).sort());
});
