import { describe, expect, expectTypeOf, it, test } from 'vitest';
import { Add, Check, Concat, f32, Fill, makeOp, Neg, Norm, ops, Pack, Split } from '../test/ops.js';
import {
  attr,
  Constant,
  describeOrigin,
  Editor,
  Graph,
  graphReturn,
  isSorted,
  madeOrigin,
  type Node,
  parseGraph,
  printGraph,
  QfuseError,
  sourceOrigin,
  symbol,
  tensor,
  tensorList,
  tensorType,
  type Value,
} from './index.js';

function setUp() {
  const graph = new Graph('g');
  const edit = new Editor(graph);
  const x = edit.addInput('x', f32(4));
  const y = edit.addInput('y', f32(4));
  return { graph, edit, x, y };
}

const names = (nodes: Iterable<Node>): string[] => Array.from(nodes, (n) => n.op.name);
const i8 = (...values: number[]): Constant => Constant.of(tensorType('i8', [values.length]), Uint8Array.from(values));

describe('creating nodes', () => {
  it('infers types, fills in attributes, appends', () => {
    const { graph, edit, x, y } = setUp();
    const sum = edit.create(Add, { x, y });
    const fill = edit.create(Fill, {}, { size: [2, symbol('s0')] });
    expect(names(graph.nodes())).toEqual(['t.add', 't.fill']);
    expect(sum.result.type).toBe(f32(4));
    expect(fill.result.type).toBe(f32(2, symbol('s0')));
    expect(fill.attrs).toEqual({ size: [2, symbol('s0')], dtype: 'f32' });
    expect([graph.size, graph.name, sum.op, sum.erased]).toEqual([2, 'g', Add, false]);
  });

  it('has a place and an origin to take when none is given', () => {
    const { graph, edit, x } = setUp();
    const last = edit.create(Neg, { x });
    edit.place = last;
    edit.origin = sourceOrigin('here');
    const first = edit.create(Check, { x });
    const second = edit.create(Add, { x, y: x }, {}, { origin: sourceOrigin('there') });
    edit.create(Split, { x }, {}, { before: first });
    expect(names(graph.nodes())).toEqual(['t.split', 't.check', 't.add', 't.neg']);
    expect([first.origin, second.origin, last.origin]).toEqual([sourceOrigin('here'), sourceOrigin('there'), madeOrigin('builder', [])]);
  });

  it('takes an origin that is made when somebody asks', () => {
    const { edit, x } = setUp();
    const [a, b] = ['a', 'b'].map((name) => edit.create(Neg, { x }, {}, { origin: sourceOrigin(name) })) as [Node, Node];
    edit.derive('rule', [b.id, a.id]);
    const made = edit.create(Neg, { x });
    expect(() => edit.create(Add, { x } as never)).toThrow('t.add at made by rule from "a", "b": operand "y" is missing');
    const other = edit.create(Neg, { x }, {}, { origin: sourceOrigin('c') });
    edit.derive('again', [other.id, made.id]);
    const last = edit.create(Neg, { x });
    expect(last.origin).toBe(madeOrigin('again', [made.origin, other.origin]));
    expect(made.origin).toBe(madeOrigin('rule', [sourceOrigin('a'), sourceOrigin('b')]));
    expect(edit.origin).toBe(last.origin);
    const snapshot = edit.snapshot();
    edit.origin = sourceOrigin('d');
    expect(edit.create(Neg, { x }).origin).toBe(sourceOrigin('d'));
    edit.restore(snapshot);
    expect([made.origin, last.origin].map(describeOrigin)).toEqual(['made by rule from "a", "b"', 'made by again from "a", "b", "c"']);
  });

  it('asks the shape rule again when other facts are known', () => {
    const { edit, graph } = setUp();
    let asked = 0;
    const Fitted = makeOp({
      name: 't.fitted',
      operands: { x: tensor() },
      attrs: { to: attr.int() },
      infer: ({ operands: { x: given }, attrs: { to }, env }) => {
        asked++;
        return [env.lessEqual(given.shape[0]!, to) === 'yes' ? given : tensorType(given.dtype, [to])];
      },
    });
    const s = edit.addInput('s', f32(symbol('s0')));
    const shapes = (to: number) => [0, 1].map(() => edit.create(Fitted, { x: s }, { to }).result.type);
    expect([...shapes(8), ...shapes(4)]).toEqual([f32(8), f32(8), f32(4), f32(4)]);
    expect(asked).toBe(2);
    const snapshot = edit.snapshot();
    graph.env.declare('s0', { max: 8 });
    expect([...shapes(8), ...shapes(4)]).toEqual([s.type, s.type, f32(4), f32(4)]);
    edit.restore(snapshot);
    expect(shapes(8)).toEqual([f32(8), f32(8)]);
    // Operands of other types are another question, however many there are.
    for (let n = 0; n < 20; n++)
      expect(edit.create(Fitted, { x: edit.addInput(`i${n}`, f32(n)) }, { to: 8 }).result.type).toBe(f32(Math.min(n, 8)));
  });

  it('may be asked to by a shape rule', () => {
    const { edit, x, y } = setUp();
    const Nested = makeOp({
      name: 't.nested',
      operands: { x: tensor(), y: tensor() },
      infer: ({ operands: { x: given } }) => {
        edit.create(Add, { x: y, y });
        return [given];
      },
    });
    expect(edit.create(Nested, { x, y }).operands).toEqual([x, y]);
  });

  it('takes stated types that are not contradicted', () => {
    const { edit } = setUp();
    const dynamic = edit.addInput('d', f32(symbol('s0')));
    expect(edit.create(Neg, { x: dynamic }, {}, { types: [f32(symbol('u0'))] }).result.type).toBe(f32(symbol('u0')));
    expect(() => edit.create(Neg, { x: dynamic }, {}, { types: [tensorType('i8', [symbol('s0')])] })).toThrow(
      'results are f32[s0], but i8[s0] was stated',
    );
    expect(() => edit.create(Neg, { x: dynamic }, {}, { types: [] })).toThrow(QfuseError);
  });

  const refused: readonly [string, string, (e: ReturnType<typeof setUp>) => unknown][] = [
    ['a missing operand', 't.add at made by builder: operand "y" is missing', ({ edit, x }) => edit.create(Add, { x } as never)],
    ['an operand with another name', 't.neg has no operand "z"; it has x', ({ edit, x }) => edit.create(Neg, { x, z: x } as never)],
    [
      'another dtype',
      't.norm at made by builder: operand "x" is i8[2], expected dtype f32 or f64',
      ({ edit }) => edit.create(Norm, { x: edit.constant(i8(1, 2)) }),
    ],
    [
      'another dtype in a list',
      't.concat at made by builder: operand "items" is i8[2], expected dtype f32 or i32',
      ({ edit, x }) => edit.create(Concat, { items: [x, edit.constant(i8(1, 2))] }),
    ],
    [
      'what the shape rule refuses',
      't.add at made by builder: dtypes f32 and i8 differ',
      ({ edit, x }) => edit.create(Add, { x, y: edit.constant(i8(1)) }),
    ],
    [
      'an attribute',
      't.fill at made by builder: attribute "size": expected dims, found 3',
      ({ edit }) => edit.create(Fill, {}, { size: 3 as never }),
    ],
    ['too many slots', 't.neg at made by builder: 2 operands, expected at most 1', ({ edit, x }) => edit.createFromSlots(Neg, [x, x])],
    ['too few slots', 't.pack at made by builder: 1 operands, expected at least 2', ({ edit, x }) => edit.createFromSlots(Pack, [x])],
    ['a value of another graph', 't.neg: an operand belongs to another graph', ({ edit }) => edit.create(Neg, { x: setUp().x })],
  ];
  test.each(refused)('%s is refused and changes nothing', (_, message, work) => {
    const all = setUp();
    all.edit.constant(i8(1));
    const { size } = all.graph;
    expect(() => work(all)).toThrow(message);
    expect(all.graph.size).toBe(size);
  });

  it('refuses a result of an erased node, and a place that is erased', () => {
    const { edit, x } = setUp();
    const node = edit.create(Neg, { x });
    const { result } = node;
    edit.erase(node);
    expect(() => edit.create(Neg, { x: result })).toThrow('t.neg: an operand is a result of an erased node');
    expect(() => edit.create(Neg, { x }, {}, { before: node })).toThrow('is erased');
    expect(() => edit.setOutputs([result])).toThrow('return: an operand is a result of an erased node');
    expect(() => node.op).toThrow(`node ${node.id} is erased`);
    expect(() => edit.erase(node)).toThrow('is erased');
  });

  it('knows the operands by name', () => {
    const { edit, x, y } = setUp();
    const norm = edit.create(Norm, { x, bias: y });
    expect([norm.operand('x'), norm.operandOrNone('weight'), norm.operand('bias')]).toEqual([x, undefined, y]);
    expect(norm.operands).toEqual([x, undefined, y]);
    expect(() => norm.operand('weight')).toThrow('t.norm has no operand "weight"');
    const pack = edit.create(Pack, { x, items: [y, undefined, y], last: x });
    expect(pack.operandList('items')).toEqual([y, undefined, y]);
    expect(pack.operand('last')).toBe(x);
    expect(() => pack.operand('items')).toThrow('operand "items" of t.pack is a list');
    expect(() => pack.operandList('x')).toThrow('is not variadic');
    expect(edit.create(Pack, { x, items: [], last: y }).operand('last')).toBe(y);
    // An optional operand at the end that is left out has a slot all the same.
    const short = edit.createFromSlots(Norm, [x]);
    edit.create(Neg, { x: y });
    expect([short.operands.length, short.operandOrNone('bias')]).toEqual([3, undefined]);
  });

  it('shows absent list entries to shape rules as undefined, not as holes', () => {
    const { edit, x } = setUp();
    let seen: readonly unknown[] = [];
    const Listing = makeOp({
      name: 't.listing',
      operands: { items: tensorList() },
      infer: ({ operands: { items } }) => {
        seen = items.map((t) => t ?? 'absent');
        return [];
      },
    });
    edit.create(Listing, { items: [undefined, x, undefined] });
    expect(seen).toEqual(['absent', f32(4), 'absent']);
  });

  it('knows its results', () => {
    const { edit, x } = setUp();
    const split = edit.create(Split, { x });
    expect(split.results.map((r) => [r.producer, r.resultIndex])).toEqual([
      [split, 0],
      [split, 1],
      [split, 2],
    ]);
    expect(() => split.result).toThrow('t.split has 3 results');
    expect(edit.create(Check, { x }).results).toEqual([]);
    expect([x.producer, x.resultIndex]).toEqual([undefined, 0]);
  });

  it('gives one handle for each node and value', () => {
    const { graph, edit, x } = setUp();
    const node = edit.create(Neg, { x });
    expect([...graph.nodes()][0]).toBe(node);
    expect(graph.node(node.id)).toBe(node);
    expect(graph.value(node.result.id)).toBe(node.result);
    expectTypeOf(node).toEqualTypeOf<Node<typeof Neg>>();
  });
});

describe('names', () => {
  it('are taken once', () => {
    const { graph, edit, x } = setUp();
    expect(() => edit.addInput('x', f32())).toThrow('two graph inputs or constants are called "x"');
    expect(() => edit.addConstant('x', 'buffer', i8(1))).toThrow(QfuseError);
    expect([graph.named('x'), graph.named('z'), x.name]).toEqual([x, undefined, 'x']);
  });

  it('of constants are found when they are taken', () => {
    const { graph, edit } = setUp();
    const [a, b] = [i8(1), i8(2)];
    expect(edit.constant(a, 'x').name).not.toBe('x');
    expect(edit.constant(a, 'other')).toBe(edit.constant(a));
    expect(edit.constant(b, 'w').name).toBe('w');
    expect(graph.constants.map((c) => [c.role, c.constant])).toEqual([
      ['constant', a],
      ['constant', b],
    ]);
  });

  it('of removed constants are free again', () => {
    const { graph, edit } = setUp();
    const data = i8(1);
    const w = edit.addConstant('w', 'parameter', data);
    const node = edit.create(Neg, { x: w });
    expect(() => edit.removeConstant(w)).toThrow('"w" is not a constant without readers');
    edit.erase(node);
    edit.removeConstant(w);
    expect([graph.constants, graph.named('w'), w.name]).toEqual([[], undefined, undefined]);
    expect(edit.constant(data, 'w')).not.toBe(w);
  });

  it('tell parameters that runs change from those they do not', () => {
    const { graph, edit, x } = setUp();
    const data = Constant.of(f32(4), new Uint8Array(16));
    const cache = edit.addConstant('cache', 'buffer', data);
    const weight = edit.addConstant('weight', 'parameter', data);
    edit.setOutputs([x], [{ target: cache, value: x }]);
    expect([cache.constant, weight.constant, graph.graphConstant(cache)?.constant]).toEqual([undefined, data, data]);
    expect([graph.ids.isConstant(cache.id), graph.ids.isConstant(weight.id), graph.ids.isConstant(x.id)]).toEqual([false, true, false]);
    expect(() => edit.removeConstant(cache)).toThrow('not a constant without readers');
  });
});

describe('uses and readers', () => {
  it('are two questions', () => {
    const { edit, graph, x, y } = setUp();
    const square = edit.create(Add, { x, y: x });
    const neg = edit.create(Neg, { x });
    edit.setOutputs([x, square.result, x]);
    expect(x.useCount).toBe(5);
    expect(new Set(x.readers())).toEqual(new Set([square, neg, graphReturn]));
    expect(
      x
        .uses()
        .filter((u) => u.reader === square)
        .map((u) => u.index)
        .sort(),
    ).toEqual([0, 1]);
    expect(graph.ids.hasOneReader(x.id)).toBe(false);
    expect(graph.ids.hasOneReader(square.result.id)).toBe(true);
    expect([y.useCount, y.readers(), graph.ids.hasOneReader(y.id)]).toEqual([0, [], false]);
  });

  it('follow a redirect', () => {
    const { edit, graph, x, y } = setUp();
    const a = edit.create(Add, { x, y: x });
    const b = edit.create(Neg, { x });
    edit.setOutputs([x, b.result]);
    edit.redirect(x, y, (use) => use.reader === a && use.index === 1);
    expect([a.operand('x'), a.operand('y')]).toEqual([x, y]);
    edit.redirect(x, y);
    expect([x.useCount, y.useCount]).toEqual([0, 4]);
    expect(graph.outputs).toEqual([y, b.result]);
    expect(new Set(y.readers())).toEqual(new Set([a, b, graphReturn]));
  });

  it('follow a change of one operand', () => {
    const { edit, x, y } = setUp();
    const node = edit.create(Norm, { x, weight: y, bias: y });
    edit.setOperand(node, 'weight', undefined);
    edit.setOperand(node, 'x', y);
    expect([node.operands, x.useCount, y.useCount]).toEqual([[y, undefined, y], 0, 2]);
    const pack = edit.create(Pack, { x, items: [x, x], last: x });
    edit.setOperand(pack, 'last', y);
    expect(pack.operands).toEqual([x, x, x, y]);
    expect(() => edit.setSlot(pack, 4, y)).toThrow('t.pack has 4 operand slots, there is none at 4');
    expect(() => edit.setSlot(pack, 0, setUp().x)).toThrow('another graph');
  });

  it('of another type are not redirected', () => {
    const { edit, x } = setUp();
    const other = edit.addInput('other', f32(5));
    const open = edit.addInput('open', f32(symbol('s0')));
    expect(() => edit.redirect(x, other)).toThrow('a value of type f32[4] cannot be replaced by one of type f32[5]');
    expect(() => edit.redirect(x, setUp().x)).toThrow('another graph');
    edit.redirect(x, open);
  });
});

describe('erasing', () => {
  it('is refused while there are readers, by their names', () => {
    const { edit, x } = setUp();
    const split = edit.create(Split, { x }, {}, { origin: sourceOrigin('split_1') });
    edit.create(Neg, { x: split.results[0]! }, {}, { origin: sourceOrigin('neg_7') });
    expect(() => edit.erase(split)).toThrow('t.split at "split_1" cannot be erased: t.neg at "neg_7" reads it');
    edit.setOutputs([split.results[2]!]);
    expect(() => edit.erase(split)).toThrow('t.neg at "neg_7", the graph return read it');
    for (let i = 0; i < 20; i++) edit.create(Neg, { x: split.results[0]! });
    expect(() => edit.erase(split)).toThrow(/and 14 more read it/);
  });

  it('frees the operands and keeps ids', () => {
    const { edit, graph, x } = setUp();
    const a = edit.create(Neg, { x });
    edit.erase(a);
    const b = edit.create(Neg, { x });
    expect([x.useCount, a.erased, graph.size, a.id === b.id]).toEqual([1, true, 1, false]);
    expect(graph.ids.op(a.id)).toBeUndefined();
    expect(graph.ids.opCode(a.id)).toBe(-1);
  });

  it('comes after a redirect in a replacement', () => {
    const { edit, graph, x, y } = setUp();
    const a = edit.create(Neg, { x });
    const b = edit.create(Neg, { x: a.result });
    edit.setOutputs([b.result]);
    expect(() => edit.replace(a, [])).toThrow('t.neg has 1 results, 0 replacements were given');
    edit.replace(a, [y]);
    expect([a.erased, b.operand('x'), names(graph.nodes())]).toEqual([true, y, ['t.neg']]);
  });
});

describe('the node list', () => {
  it('can be edited while it is walked', () => {
    const { edit, graph, x } = setUp();
    const a = edit.create(Neg, { x });
    const b = edit.create(Check, { x });
    const c = edit.create(Split, { x });
    const seen: string[] = [];
    for (const node of graph.nodes()) {
      seen.push(node.op.name);
      if (node === a) {
        edit.create(Add, { x, y: x }, {}, { before: a });
        edit.create(Pack, { x, items: [], last: x }, {}, { before: b });
        edit.erase(c);
      }
      if (node === b) {
        edit.create(Norm, { x });
        edit.create(Add, { x, y: x }, {}, { before: b });
        edit.erase(b);
      }
    }
    expect(seen).toEqual(['t.neg', 't.pack', 't.check', 't.norm']);
    expect(names(graph.nodes())).toEqual(['t.add', 't.neg', 't.pack', 't.add', 't.norm']);
  });

  it('goes on behind a run of erased nodes', () => {
    const { edit, graph, x } = setUp();
    const all = Array.from({ length: 6 }, () => edit.create(Check, { x }));
    const seen: number[] = [];
    for (const node of graph.nodes()) {
      seen.push(all.indexOf(node as never));
      if (node === all[1]) for (const i of [1, 3, 2]) edit.erase(all[i]!);
    }
    expect(seen).toEqual([0, 1, 4, 5]);
  });

  it('is moved in', () => {
    const { edit, graph, x } = setUp();
    const [a, b, c] = [edit.create(Neg, { x }), edit.create(Check, { x }), edit.create(Split, { x })];
    edit.move(c, a);
    edit.move(a, undefined);
    edit.move(b, b);
    expect(names(graph.nodes())).toEqual(['t.split', 't.check', 't.neg']);
    expect([graph.ids.first, graph.ids.last, graph.ids.prev(a.id), graph.ids.next(c.id)]).toEqual([c.id, a.id, b.id, b.id]);
    expect([...graph.order()].filter((i) => i >= 0)).toEqual([2, 1, 0]);
    edit.erase(b);
    expect(() => edit.move(a, b)).toThrow('is erased');
    expect(() => edit.move(b, a)).toThrow('is erased');
  });

  it('is sorted by moving only what must move', () => {
    const { edit, graph, x } = setUp();
    const chain: Node[] = [];
    let at: Value = x;
    for (let i = 0; i < 6; i++) {
      const node = edit.create(Neg, { x: at }, {}, { origin: sourceOrigin(`n${i}`) });
      chain.push(node);
      at = node.result;
    }
    const free = edit.create(Check, { x });
    edit.setOutputs([at]);
    edit.move(chain[2]!, undefined);
    edit.move(chain[3]!, chain[1]!);
    expect(isSorted(graph)).toBe(false);
    edit.sort();
    expect(isSorted(graph)).toBe(true);
    expect([...graph.nodes()].map((n) => (n === free ? 'free' : chain.indexOf(n)))).toEqual([0, 1, 2, 3, 4, 5, 'free']);
    const { edition } = graph;
    edit.sort();
    expect(graph.edition).toBe(edition);
  });

  it('is not moved at all where it is sorted already', () => {
    const { edit, graph, x, y } = setUp();
    const late = edit.create(Neg, { x });
    const independent = Array.from({ length: 5 }, (_, i) => edit.create(Add, { x, y: i % 2 === 0 ? x : y }));
    const early = edit.create(Neg, { x });
    edit.setOperand(late, 'x', early.result);
    edit.sort();
    expect([...graph.nodes()]).toEqual([early, late, ...independent]);
  });

  it('with a cycle is refused by the names on it, however long', () => {
    const { edit, x } = setUp();
    const nodes: Node[] = [];
    let at: Value = x;
    for (let i = 0; i < 50000; i++) {
      nodes.push(edit.create(Neg, { x: at }, {}, { origin: sourceOrigin(`n${i}`) }));
      at = nodes.at(-1)!.result;
    }
    edit.setOperand(nodes[3] as Node<typeof Neg>, 'x', nodes[5]!.results[0]!);
    expect(() => edit.sort()).toThrow(/^the graph has a cycle through t\.neg at "n[345]", t\.neg at "n[345]", t\.neg at "n[345]"$/);
    edit.setOperand(nodes[3] as Node<typeof Neg>, 'x', at);
    expect(() => edit.sort()).toThrow(/the graph has a cycle through t\.neg.* and 49981 more nodes$/);
  });
});

describe('outputs and mutations', () => {
  it('are uses that can be set again', () => {
    const { edit, graph, x, y } = setUp();
    const cache = edit.addConstant('cache', 'buffer', Constant.of(f32(4), new Uint8Array(16)));
    edit.setOutputs([x, y, x], [{ target: cache, value: y }]);
    expect(graph.outputs).toEqual([x, y, x]);
    expect(graph.mutations).toEqual([{ target: cache, value: y }]);
    edit.setOutputs([y]);
    expect(graph.outputs).toEqual([y]);
    expect(graph.mutations).toEqual([{ target: cache, value: y }]);
    edit.setOutputs([], []);
    expect([graph.outputs, graph.mutations, x.useCount, y.useCount, cache.constant?.byteLength]).toEqual([[], [], 0, 0, 16]);
    expect(() => edit.setOutputs([setUp().x])).toThrow('another graph');
  });

  it('follow a redirect', () => {
    const { edit, graph, x, y } = setUp();
    const cache = edit.addInput('cache', f32(4));
    edit.setOutputs([x], [{ target: cache, value: x }]);
    edit.redirect(x, y);
    expect([graph.outputs, graph.mutations[0]!.value]).toEqual([[y], y]);
  });
});

test('the edition counts writes, and only writes', () => {
  const { edit, graph, x, y } = setUp();
  const node = edit.create(Neg, { x }, {});
  const unchanged: (() => unknown)[] = [
    () => [...graph.nodes()],
    () => printGraph(graph),
    () => edit.redirect(x, x),
    () => edit.redirect(y, x),
    () => edit.redirect(x, y, () => false),
    () => edit.sort(),
    () => edit.snapshot(),
    () => edit.move(node, node),
  ];
  const changed: (() => unknown)[] = [
    () => edit.addInput('z', f32()),
    () => edit.setOutputs([node.result]),
    () => edit.setSlot(node, 0, y),
    () => edit.setType(node.result, f32(4)),
    () => edit.rename('h'),
    () => edit.redirect(y, x),
    () => edit.constant(i8(1)),
    () => edit.restore(edit.snapshot()),
  ];
  for (const work of unchanged) {
    const { edition } = graph;
    work();
    expect([String(work), graph.edition]).toEqual([String(work), edition]);
  }
  for (const work of changed) {
    const { edition } = graph;
    work();
    expect([String(work), graph.edition > edition]).toEqual([String(work), true]);
  }
});

describe('a snapshot', () => {
  const text = `graph @g(%x: f32[s0], %y: f32[s0]) where s0 in [1, 8] by 2 {
  %cache = buffer "cache" : f32[4] = splat<0.0>
  %w = parameter "w" : f32[4] = splat<1.0>
  %0 = t.neg(%x) : f32[s0]
  %1, %2, %3 = t.split(%0) : f32[s0], i32[], f32[s0]
  t.check(%1)
  %4 = t.neg(%w) : f32[4]
  mutate %cache = %4
  return %3, %0
}
`;

  it('brings everything back, any number of times, with the same handles', () => {
    const graph = parseGraph(text, { ops });
    const edit = new Editor(graph);
    const handles = [...graph.nodes()];
    const values = handles.flatMap((n) => n.results);
    const snapshot = edit.snapshot();
    for (let round = 0; round < 3; round++) {
      const [neg, split, check] = [...graph.nodes()] as [Node, Node, Node];
      const x = graph.named('x')!;
      graph.env.declare('s0', { max: 6, divisor: 3 });
      graph.env.declare('extra');
      edit.rename('other');
      edit.addInput(`z${round}`, f32());
      edit.constant(i8(round), 'more');
      edit.setOutputs([x], []);
      edit.removeConstant(graph.named('cache')!);
      edit.erase(check);
      edit.erase(split);
      const added = edit.create(Add, { x, y: x });
      edit.move(added, neg);
      edit.setType(neg.results[0]!, f32(7));
      edit.restore(snapshot);
      expect(printGraph(graph)).toBe(text);
      expect([...graph.nodes()]).toEqual(handles);
      expect([...graph.nodes()].flatMap((n) => n.results)).toEqual(values);
      expect([added.erased, graph.named(`z${round}`), graph.named('more')]).toEqual([true, undefined, undefined]);
      expect(graph.env.fact('s0')).toMatchObject({ min: 1, max: 8, divisor: 2 });
      expect(graph.size).toBe(4);
    }
  });

  it('does not give ids away again', () => {
    const { edit, graph, x } = setUp();
    const snapshot = edit.snapshot();
    const undone = edit.create(Neg, { x });
    edit.restore(snapshot);
    const next = edit.create(Neg, { x });
    expect([undone.erased, next.erased, undone.id === next.id, undone.id < next.id]).toEqual([true, false, false, true]);
    expect(x.readers()).toEqual([next]);
    expect([...graph.nodes()]).toEqual([next]);
    expect([undone.results, undone.operands]).toEqual([[], []]);
  });

  it('leaves no value to read that was made since', () => {
    const { edit, x } = setUp();
    const snapshot = edit.snapshot();
    const [result, input] = [edit.create(Neg, { x }).result, edit.addInput('z', f32(4))];
    edit.restore(snapshot);
    for (const undone of [result, input])
      expect(() => edit.create(Neg, { x: undone })).toThrow('t.neg: an operand is a result of an erased node');
    expect([result.useCount, input.useCount]).toEqual([0, 0]);
  });

  it('is not changed by later edits', () => {
    const graph = parseGraph(text, { ops });
    const edit = new Editor(graph);
    const before = edit.snapshot();
    edit.create(Neg, { x: graph.inputs[0]! });
    const after = edit.snapshot();
    const longer = printGraph(graph);
    edit.restore(before);
    expect(printGraph(graph)).toBe(text);
    edit.restore(after);
    expect(printGraph(graph)).toBe(longer);
  });
});
