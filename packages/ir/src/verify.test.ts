import { describe, expect, it, test } from 'vitest';
import { Add, Check, f32, makeOp, Neg, Norm, ops } from '../test/ops.js';
import {
  assertValid,
  Constant,
  Editor,
  Graph,
  no,
  type Node,
  parseGraph,
  QfuseError,
  sourceOrigin,
  symbol,
  tensor,
  tensorType,
  verifyGraph,
  yes,
} from './index.js';
import { STATE } from './graph.js';

function setUp() {
  const graph = new Graph('g');
  const edit = new Editor(graph);
  const x = edit.addInput('x', f32(4));
  edit.origin = sourceOrigin('node_1');
  return { graph, edit, x };
}

const codes = (graph: Graph): string[] => verifyGraph(graph).map((e) => e.code);

/** Each plants one defect. */
const defects: readonly [string, string, (s: ReturnType<typeof setUp>) => unknown][] = [
  [
    'ir/order',
    'operand 0 is defined later or by the node itself, at "node_1": %v1 = t.neg(%v2) : f32[4]',
    ({ edit, x }) => {
      const a = edit.create(Neg, { x });
      edit.setOperand(a, 'x', edit.create(Neg, { x }).result);
    },
  ],
  [
    'ir/erased',
    'operand 0 is a result of an erased node, at "node_1": %v2 = t.neg(%v1) : f32[4]',
    ({ edit, x, graph }) => {
      const a = edit.create(Neg, { x });
      edit.create(Neg, { x: a.result });
      graph[STATE].store.erase(a.id);
    },
  ],
  [
    'ir/operands',
    'operand "x" is missing, at "node_1": %v1 = t.neg() : f32[4]',
    ({ edit, x }) => edit.setSlot(edit.create(Neg, { x }), 0, undefined),
  ],
  [
    'ir/operands',
    'operand "bias" is i8[1], expected dtype f32 or f64, at "node_1": %v1 = t.norm(x, _, c) : f32[4]',
    ({ edit, x }) =>
      edit.setOperand(edit.create(Norm, { x }), 'bias', edit.constant(Constant.of(tensorType('i8', [1]), new Uint8Array(1)))),
  ],
  [
    'ir/type',
    'result 0 is f32[5], expected f32[4], at "node_1": %v1 = t.neg(x) : f32[5]',
    ({ edit, x }) => edit.setType(edit.create(Neg, { x }).result, f32(5)),
  ],
  [
    'ir/type',
    'result 0 is i8[4], expected f32[4], at "node_1": %v1 = t.neg(x) : i8[4]',
    ({ edit, x }) => edit.setType(edit.create(Neg, { x }).result, tensorType('i8', [4])),
  ],
  [
    'ir/type',
    'dtypes f32 and i8 differ, at "node_1": %v1 = t.add(x, c) : f32[4]',
    ({ edit, x }) =>
      edit.setOperand(edit.create(Add, { x, y: x }), 'y', edit.constant(Constant.of(tensorType('i8', [1]), new Uint8Array(1)))),
  ],
  [
    'ir/symbol',
    'symbol "s9" is not declared, at "node_1": %v2 = t.neg(d) : f32[s9]',
    ({ edit }) => edit.create(Neg, { x: declared(edit) }, {}, { types: [f32(symbol('s9'))] }),
  ],
  ['ir/symbol', 'input "u" is f32[s8], but symbol "s8" is not declared', ({ edit }) => edit.addInput('u', f32(symbol('s8')))],
  [
    'ir/signature',
    '"w" is mutated, but it is neither a graph input nor a buffer',
    ({ edit, x }) =>
      edit.setOutputs([], [{ target: edit.addConstant('w', 'parameter', Constant.of(f32(4), new Uint8Array(16))), value: x }]),
  ],
  [
    'ir/signature',
    '"%v1" is mutated, but it is neither a graph input nor a buffer',
    ({ edit, x }) => edit.setOutputs([], [{ target: edit.create(Neg, { x }).result, value: x }]),
  ],
  [
    'ir/signature',
    '"x" is f32[4] and becomes f32[5]',
    ({ edit, x }) => edit.setOutputs([], [{ target: x, value: edit.addInput('y', f32(5)) }]),
  ],
  [
    'ir/signature',
    '"x" is mutated twice',
    ({ edit, x }) =>
      edit.setOutputs(
        [],
        [
          { target: x, value: x },
          { target: x, value: x },
        ],
      ),
  ],
  [
    'ir/signature',
    'output 1 is a result of an erased node',
    ({ edit, x, graph }) => {
      const a = edit.create(Neg, { x });
      edit.setOutputs([x, a.result]);
      graph[STATE].store.erase(a.id);
    },
  ],
  [
    'ir/signature',
    '"x" becomes a result of an erased node',
    ({ edit, x, graph }) => {
      const a = edit.create(Neg, { x });
      edit.setOutputs([], [{ target: x, value: a.result }]);
      graph[STATE].store.erase(a.id);
    },
  ],
  [
    'ir/op',
    'never right, at "node_1": t.picky(x)',
    ({ edit, x }) =>
      edit.create(makeOp({ name: 't.picky', operands: { x: tensor() }, infer: () => [], verify: () => no('never right') }), { x }),
  ],
];

const declared = (edit: Editor) => {
  edit.graph.env.declare('s0');
  return edit.addInput('d', f32(symbol('s0')));
};

test.each(defects)('%s: %s', (code, message, plant) => {
  const all = setUp();
  plant(all);
  expect(verifyGraph(all.graph).map((e) => [e.code, e.message])).toEqual([[code, message]]);
});

describe('a cycle', () => {
  it('is told from a wrong order', () => {
    const { edit, graph, x } = setUp();
    const a = edit.create(Neg, { x });
    const b = edit.create(Neg, { x: a.result }, {}, { origin: sourceOrigin('b') });
    edit.setOperand(a, 'x', b.result);
    expect(codes(graph)).toEqual(['ir/order', 'ir/cycle']);
    expect(verifyGraph(graph)[1]!.message).toBe('the graph has a cycle through t.neg at "b", t.neg at "node_1"');
    const alone = setUp();
    const c = alone.edit.create(Neg, { x: alone.x });
    alone.edit.setOperand(c, 'x', c.result);
    expect(codes(alone.graph)).toEqual(['ir/order', 'ir/cycle']);
  });
});

it('collects errors in list order, with their nodes', () => {
  const { edit, graph, x } = setUp();
  const a = edit.create(Neg, { x });
  const b = edit.create(Neg, { x });
  const c = edit.create(Check, { x });
  edit.setType(b.result, f32(9));
  edit.setSlot(c, 0, undefined);
  edit.setOperand(a, 'x', b.result);
  edit.setOutputs([], [{ target: x, value: b.result }]);
  const errors = verifyGraph(graph);
  expect(errors.map((e) => e.code)).toEqual(['ir/order', 'ir/type', 'ir/type', 'ir/operands', 'ir/signature']);
  expect(errors.map((e) => e.node)).toEqual([a, a, b, c, undefined]);
});

it('accepts what is right, symbolic dims included', () => {
  const graph = parseGraph(
    `graph @g(%x: f32[s0], %cache: f32[4]) where s0 in [0, inf] {
       %b = buffer "b" : f32[4] = splat<0.0>
       %0 = t.neg(%x) : f32[s0]
       %1, %2, %3 = t.split(%0)
       t.check(%2)
       %4 = t.fill() {size = [s0, 2]} : f32[s0, 2]
       mutate %b = %cache
       mutate %cache = %b
       return %3, %4
     }`,
    { ops },
  );
  expect(verifyGraph(graph)).toEqual([]);
  expect(() => assertValid(graph, 'here')).not.toThrow();
});

it('asks the op itself', () => {
  const { edit, graph, x } = setUp();
  const asked: Node[] = [];
  const Asked = makeOp({
    name: 't.asked',
    operands: { x: tensor() },
    infer: () => [],
    verify: (n) => {
      asked.push(n);
      return yes;
    },
  });
  const node = edit.create(Asked, { x });
  expect(codes(graph)).toEqual([]);
  expect(asked).toEqual([node]);
});

it('lets a defect of an op through: that is no error of the graph', () => {
  const { edit, graph, x } = setUp();
  let broken = false;
  const Broken = makeOp({
    name: 't.broken',
    operands: { x: tensor() },
    infer: ({ operands }) => {
      if (broken) throw new TypeError('a defect');
      return [operands.x];
    },
  });
  edit.create(Broken, { x });
  broken = true;
  expect(() => verifyGraph(graph)).toThrow(TypeError);
});

it('throws one error with all of them', () => {
  const { edit, graph, x } = setUp();
  for (let i = 0; i < 30; i++) edit.setType(edit.create(Neg, { x }).result, f32(5));
  expect(() => assertValid(graph, 'after the pass "p"')).toThrow(QfuseError);
  try {
    assertValid(graph, 'after the pass "p"');
  } catch (error) {
    expect((error as QfuseError).code).toBe('ir/invalid-graph');
    expect((error as Error).message).toMatch(
      /^30 error\(s\) in the graph after the pass "p":\n {2}ir\/type: result 0 is f32\[5\], expected f32\[4\]/,
    );
    expect((error as Error).message.split('\n').length).toBe(21);
  }
});
