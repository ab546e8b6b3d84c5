import {
  attr,
  constantOf,
  dimAdd,
  dimMul,
  Editor,
  Graph,
  hostTensor,
  type HostTensor,
  parseGraph,
  QfuseError,
  sourceOrigin,
  symbol,
  tensor,
  tensorList,
  optionalTensor,
  tensorOf,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { allOps, defineOp, opTable } from '@qfuse/ops';
import { describe, expect, test } from 'vitest';
import { Evaluator, runGraph } from './index.js';

/** `x · by`, elementwise. */
const Times = defineOp({
  name: 'test.times',
  summary: 'x times a number',
  operands: { x: tensor() },
  attrs: { by: attr.int() },
  infer: ({ operands: { x } }) => [x],
  reference: ({ operands: { x }, attrs }) => [
    tensorOf(
      x.dtype,
      x.shape,
      Array.from(x.data as Float32Array, (v) => v * attrs.by),
    ),
  ],
});

/** `x + y` of equal shapes. */
const Plus = defineOp({
  name: 'test.plus',
  summary: 'sum of two tensors',
  operands: { x: tensor(), y: tensor() },
  infer: ({ operands: { x, y }, env, fail }) => (env.equal(x.shape[0]!, y.shape[0]!) === 'no' ? fail('sizes differ') : [x]),
  reference: ({ operands: { x, y } }) => [
    tensorOf(
      x.dtype,
      x.shape,
      Array.from(x.data as Float32Array, (v, i) => v + (y.data[i] as number)),
    ),
  ],
});

/** `2 · x` and `3 · x`, by two others. */
const Both = defineOp({
  name: 'test.both',
  summary: 'two and three times x',
  operands: { x: tensor() },
  attrs: { more: attr.optional(attr.float(), 0) },
  infer: ({ operands: { x } }) => [x, x],
  decompose: ({ operands: { x }, builder }) => [2, 3].map((by) => builder.create(Times, { x }, { by }).results[0]!),
});

const f32 = (...shape: Parameters<typeof tensorType>[1]) => tensorType('f32', shape);
const values = (t: HostTensor | undefined): number[] => Array.from(t!.data, Number);

/** A graph over inputs `x0: types[0]`, …, whose outputs `build` returns. */
function graphOf(
  types: readonly ReturnType<typeof tensorType>[],
  build: (edit: Editor, inputs: readonly Value[]) => readonly Value[],
): Graph {
  const graph = new Graph();
  const edit = new Editor(graph);
  edit.setOutputs(
    build(
      edit,
      types.map((t, i) => edit.addInput(`x${i}`, t)),
    ),
  );
  return graph;
}

/** The QfuseError that `run` throws. */
function refusal(run: () => unknown): QfuseError {
  try {
    run();
  } catch (error) {
    if (error instanceof QfuseError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

test('runs a dequantized and a fused linear alike', () => {
  const ops = opTable(allOps);
  const graph = parseGraph(
    `
graph @main(%x: f32[s0, 2]) where s0 in [1, 8] {
  %w = parameter "w" : i8[3, 2] = dense<[1, 2, 3, 4, 5, 6]>
  %s = parameter "s" : f32[3] = dense<[1.0, 0.5, 2.0]>
  %d = quant.dequantize(%w, %s) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[3, 2]
  %y = aten.linear(%x, %d) : f32[s0, 3]
  %z = fused.linear_qcs8w(%x, %w, %s) : f32[s0, 3]
  return %y, %z
}`,
    { ops: (name) => ops.get(name) },
  );
  const { outputs } = runGraph(graph, [tensorOf('f32', [1, 2], [1, 10])]);
  expect(values(outputs[0])).toEqual([21, 21.5, 130]);
  expect(outputs[1]).toEqual(outputs[0]);
});

describe('results', () => {
  test('inputs and constants may be outputs, one value may be several', () => {
    const two = constantOf(tensorOf('f32', [1], [2]));
    const graph = graphOf([f32(1)], (edit, [x]) => [x!, edit.constant(two), x!]);
    expect(runGraph(graph, [tensorOf('f32', [1], [5])]).outputs.map(values)).toEqual([[5], [2], [5]]);
  });

  test('a decomposed op gives all its results; the body is kept by the evaluator', () => {
    const graph = graphOf([f32(2)], (edit, [x]) => edit.create(Both, { x: x! }).results);
    const evaluator = new Evaluator();
    for (const k of [1, 2])
      expect(runGraph(graph, [tensorOf('f32', [2], [k, 4])], evaluator).outputs.map(values)).toEqual([
        [2 * k, 8],
        [3 * k, 12],
      ]);
  });

  test('bodies of other shapes and attributes are others, -0.0 and 0.0 included', () => {
    const seen: unknown[] = [];
    const Spy = defineOp({
      name: 'test.spy',
      summary: 'records what it decomposes',
      operands: { x: tensor() },
      attrs: { more: attr.float() },
      infer: ({ operands: { x } }) => [x],
      decompose: ({ operands: { x }, attrs }) => (seen.push([x.type.shape[0], attrs.more]), [x]),
    });
    const graph = graphOf([f32(symbol('s0'))], (edit, [x]) => [0, -0, 0].map((more) => edit.create(Spy, { x: x! }, { more }).result));
    const evaluator = new Evaluator();
    for (const size of [1, 3, 1]) runGraph(graph, [hostTensor('f32', [size])], evaluator);
    expect(seen).toEqual([
      [1, 0],
      [1, -0],
      [3, 0],
      [3, -0],
    ]);
  });

  test('halves are rounded where an op ends', () => {
    for (const [dtype, third] of [
      ['f16', 0.333251953125],
      ['bf16', 0.333984375],
      ['f64', 1 / 3],
    ] as const) {
      const Third = defineOp({
        name: 'test.third',
        summary: 'one third of x',
        operands: { x: tensor() },
        infer: ({ operands: { x } }) => [x],
        reference: ({ operands: { x } }) => [tensorOf(x.dtype, x.shape, [(x.data[0] as number) / 3])],
      });
      const graph = graphOf([tensorType(dtype, [1])], (edit, [x]) => [edit.create(Third, { x: x! }).result]);
      expect(values(runGraph(graph, [tensorOf(dtype, [1], [1])]).outputs[0])).toEqual([third]);
    }
  });

  test('optional and variadic operands arrive by name', () => {
    const Pick = defineOp({
      name: 'test.pick',
      summary: 'how many tensors there are',
      operands: { list: tensorList(), last: tensor() },
      infer: ({ operands: { last } }) => [last],
      reference: ({ operands: { list, last } }) => [
        tensorOf('f32', [1], [list.filter((t) => t !== undefined).length * 10 + (last.data[0] as number)]),
      ],
    });
    const Maybe = defineOp({
      name: 'test.maybe',
      summary: 'whether y is there',
      operands: { x: tensor(), y: optionalTensor() },
      infer: ({ operands: { x } }) => [x],
      decompose: ({ operands: { x, y } }) => [y ?? x],
    });
    const graph = graphOf([f32(1), f32(1)], (edit, [x, y]) => [
      edit.create(Pick, { list: [x, undefined, y], last: x! }).result,
      edit.create(Maybe, { x: x! }).result,
      edit.create(Maybe, { x: x!, y: y! }).result,
    ]);
    expect(runGraph(graph, [tensorOf('f32', [1], [1]), tensorOf('f32', [1], [2])]).outputs.map(values)).toEqual([[21], [1], [2]]);
  });
});

describe('symbolic sizes', () => {
  const n = symbol('n');
  const Fill = defineOp({
    name: 'test.fill',
    summary: 'numbers from 0, of sizes given by attributes',
    operands: {},
    attrs: { first: attr.dim(), rest: attr.dims() },
    infer: ({ attrs }) => [tensorType('f32', [attrs.first, ...attrs.rest])],
    reference: ({ attrs }) => [
      tensorOf(
        'f32',
        [attrs.first, ...attrs.rest],
        Array.from({ length: attrs.first * attrs.rest.reduce((a, b) => a * b, 1) }, (_, i) => i),
      ),
    ],
  });

  test('attributes get their numbers', () => {
    const graph = graphOf([f32(n)], (edit) => [edit.create(Fill, {}, { first: dimAdd(n, 1), rest: [2, dimMul(n, 2)] }).result]);
    expect(runGraph(graph, [hostTensor('f32', [1])]).outputs[0]!.shape).toEqual([2, 2, 2]);
    expect(runGraph(graph, [hostTensor('f32', [0])]).outputs[0]!.shape).toEqual([1, 2, 0]);
  });

  test('sizes that the shape rule had to take as equal are checked in the run', () => {
    const graph = graphOf([f32(symbol('a')), f32(symbol('b'))], (edit, [x, y]) => {
      edit.origin = sourceOrigin('sum', 'block.0');
      return [edit.create(Plus, { x: x!, y: y! }).result];
    });
    expect(values(runGraph(graph, [tensorOf('f32', [2], [1, 2]), tensorOf('f32', [2], [3, 4])]).outputs[0])).toEqual([4, 6]);
    const error = refusal(() => runGraph(graph, [hostTensor('f32', [2]), hostTensor('f32', [3])]));
    expect(error.code).toBe('interp/shape');
    expect(error.message).toBe('at "sum" (block.0): test.plus: sizes differ');
  });

  test('a stated type that the sizes contradict is refused', () => {
    const graph = graphOf([f32(n)], (edit, [x]) => [
      edit.create(Times, { x: x! }, { by: 1 }, { types: [f32(dimMul(symbol('m'), 1))] }).result,
      edit.addInput('m', f32(symbol('m'))),
    ]);
    expect(refusal(() => runGraph(graph, [hostTensor('f32', [2]), hostTensor('f32', [3])])).message).toContain(
      'result 0 is f32[2], but the program says f32[3]',
    );
  });

  test('inputs are checked against the program', () => {
    const graph = graphOf([f32(n, 2)], (_, [x]) => [x!]);
    expect(refusal(() => runGraph(graph, [])).message).toBe('0 inputs were given, the program has 1: x0: f32[n, 2]');
    expect(refusal(() => runGraph(graph, [hostTensor('f32', [3, 4])])).message).toContain('input "x0", axis 1 has size 4, expected 2');
    expect(refusal(() => runGraph(graph, [hostTensor('i32', [3, 2])])).code).toBe('run/inputs');
  });
});

describe('mutated buffers', () => {
  /** Returns the buffer `count` plus the input, and keeps it. */
  function counter(): Graph {
    const graph = new Graph();
    const edit = new Editor(graph);
    const x = edit.addInput('x', f32(1));
    const count = edit.addConstant('count', 'buffer', constantOf(tensorOf('f32', [1], [10])));
    const sum = edit.create(Plus, { x: count, y: x }).result;
    edit.setOutputs([sum], [{ target: count, value: sum }]);
    return graph;
  }
  const one = tensorOf('f32', [1], [1]);

  test('new contents are returned and the program keeps the old', () => {
    const graph = counter();
    for (let i = 0; i < 2; i++) {
      const { outputs, mutated } = runGraph(graph, [one]);
      expect([values(outputs[0]), values(mutated.get('count'))]).toEqual([[11], [11]]);
    }
  });

  test('a run goes on from the contents of another', () => {
    const graph = counter();
    const first = runGraph(graph, [one]);
    expect(values(runGraph(graph, [one], undefined, { buffers: first.mutated }).outputs[0])).toEqual([12]);
  });

  test('buffers that do not fit are refused', () => {
    const graph = counter();
    const run = (name: string, t: HostTensor) => refusal(() => runGraph(graph, [one], undefined, { buffers: new Map([[name, t]]) }));
    expect(run('total', one).message).toBe('the program changes no buffer "total"; it changes count');
    expect(run('count', hostTensor('f32', [2])).message).toBe('buffer "count" is f32[2], expected f32[1]');
  });
});

describe('errors', () => {
  test('name the node, through decompositions too', () => {
    const Picky = defineOp({
      name: 'test.picky',
      summary: 'refuses its values',
      operands: { x: tensor() },
      infer: ({ operands: { x } }) => [x],
      reference: ({ fail }) => fail('index 7 is out of range'),
    });
    const Outer = defineOp({
      name: 'test.outer',
      summary: 'is made of one that refuses',
      operands: { x: tensor() },
      infer: ({ operands: { x } }) => [x],
      decompose: ({ operands: { x }, builder }) => builder.create(Picky, { x }).results,
    });
    const graph = graphOf([f32(1)], (edit, [x]) => {
      edit.origin = sourceOrigin('gather_2', 'encoder.layer.0');
      return [edit.create(Outer, { x: x! }).result];
    });
    const error = refusal(() => runGraph(graph, [hostTensor('f32', [1])]));
    expect(error.code).toBe('interp/value');
    expect(error.message).toBe('at "gather_2" (encoder.layer.0): at made by test.outer: test.picky: index 7 is out of range');
  });

  test('an op without a meaning is refused', () => {
    const { reference: _, decompose: __, ...bare } = Times;
    const graph = graphOf([f32(1)], (edit, [x]) => [edit.create(bare as typeof Times, { x: x! }, { by: 1 }).result]);
    expect(refusal(() => runGraph(graph, [hostTensor('f32', [1])])).code).toBe('interp/no-reference');
  });

  test('a reference that breaks its own shape rule is a defect, with the node', () => {
    const Liar = defineOp({
      name: 'test.liar',
      summary: 'returns another shape than it says',
      operands: { x: tensor() },
      infer: ({ operands: { x } }) => [x],
      reference: () => [hostTensor('f32', [7])],
    });
    const graph = graphOf([f32(1)], (edit, [x]) => [edit.create(Liar, { x: x! }, {}, { origin: sourceOrigin('n1') }).result]);
    expect(() => runGraph(graph, [hostTensor('f32', [1])])).toThrow(
      'at "n1", test.liar: test.liar returned f32[7], its shape rule says f32[1]',
    );
  });
});

describe('memory', () => {
  test('results are told in order, unread ones included', () => {
    const told: number[][] = [];
    const graph = graphOf([f32(1)], (edit, [x]) => {
      const [two, three] = edit.create(Both, { x: x! }).results;
      void three;
      return [edit.create(Times, { x: two! }, { by: 5 }).result];
    });
    const { outputs } = runGraph(graph, [tensorOf('f32', [1], [1])], undefined, {
      observe: (_, t) => void told.push(values(t)),
    });
    expect(told).toEqual([[2], [3], [10]]);
    expect(values(outputs[0])).toEqual([10]);
  });

  test('a constant is read once per run, however many nodes use it', () => {
    let reads = 0;
    const graph = new Graph();
    const edit = new Editor(graph);
    const x = edit.addInput('x', f32(1));
    const data = constantOf(tensorOf('f32', [1], [3]));
    const weight = edit.addConstant('w', 'parameter', data);
    const bytes = data.bytes.bind(data);
    Object.defineProperty(data, 'bytes', { value: () => (reads++, bytes()) });
    const first = edit.create(Plus, { x, y: weight }).result;
    edit.setOutputs([edit.create(Plus, { x: first, y: weight }).result]);
    expect(values(runGraph(graph, [tensorOf('f32', [1], [1])]).outputs[0])).toEqual([7]);
    expect(reads).toBe(1);
  });
});
