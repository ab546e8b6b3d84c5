import { printGraph } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import { archive, type ArchiveInit, type Doc, floats, meta, node, program, type ProgramInit } from '../test/program-builder.js';
import { toyOps } from '../test/toy-ops.js';
import { importPt2 } from './import-pt2.js';

const f34 = meta(7, [3, 4]);
const int = (value: number): Doc => ({ as_int: value });
const ints = (...values: number[]): Doc => ({ as_ints: values });

/** A node and the recorded type of its result. */
type Step = readonly [node: Doc, type?: Doc];

/** The graph of a program over `x: f32[3, 4]`, as the lines of its text after the signature. */
function run(
  steps: readonly Step[],
  outputs: readonly (string | Doc)[],
  more: Partial<ProgramInit> = {},
  files: Partial<ArchiveInit> = {},
): string[] {
  const values = Object.fromEntries(steps.flatMap(([n, type]) => (type === undefined ? [] : [[n.name, type]])));
  const document = program({ inputs: { x: f34 }, ...more, nodes: steps.map(([n]) => n), values: { ...values, ...more.values }, outputs });
  const text = printGraph(importPt2(archive({ document, ...files }), { ops: toyOps }));
  return text
    .trim()
    .split('\n')
    .slice(1, -1)
    .map((l) => l.trim());
}

const op = (target: string, args: Record<string, Doc>, name: string, type: Doc): Step => [node(`aten.${target}`, args, [name]), type];
const y = op('clone.default', { self: 'x' }, 'y', f34);
const reluInto = (self: string, name: string, type: Doc): Step => op('relu_.default', { self }, name, type);
/** One stored tensor of ones under a name. */
const ones = (name: string, type: Doc, count: number): Partial<ArchiveInit> => ({
  weights: { [name]: { file: 'weight_0', meta: type } },
  files: { weight_0: floats(...new Array<number>(count).fill(1)) },
});

describe('in-place operators', () => {
  it('become their functional forms', () => {
    expect(run([y, op('add_.Tensor', { self: 'y', other: 'x' }, 'a', f34), reluInto('a', 'b', f34)], ['y', 'b'])).toEqual([
      '%0 = aten.add.Tensor(%x, %x) : f32[3, 4]',
      '%1 = aten.relu(%0) : f32[3, 4]',
      'return %1, %1',
    ]);
  });

  it('keep the dtype of what they write', () => {
    const i34 = meta(4, [3, 4]);
    expect(
      run(
        [
          op('_to_copy.default', { self: 'x', dtype: { as_scalar_type: 4 } }, 'y', i34),
          op('copy_.default', { self: 'y', src: 'x' }, 'a', i34),
        ],
        ['y'],
      ).at(-2),
    ).toBe('%1 = aten._to_copy(%x) {dtype = i32} : i32[3, 4]');
  });

  it('broadcast what is copied and filled', () => {
    expect(
      run(
        [
          y,
          op('select.int', { self: 'x', dim: int(0), index: int(1) }, 'r', meta(7, [4])),
          op('copy_.default', { self: 'y', src: 'r' }, 'a', f34),
        ],
        ['y'],
      ),
    ).toEqual(['%0 = aten.select.int(%x) {dim = 0, index = 1} : f32[4]', '%1 = aten.expand(%0) {size = [3, 4]} : f32[3, 4]', 'return %1']);
    expect(run([y, op('fill_.Scalar', { self: 'y', value: int(7) }, 'a', f34)], ['a'])).toEqual([
      expect.stringMatching(/^%\w+ = .* f32\[\] = dense<\[7\.0\]>$/),
      expect.stringMatching(/^%0 = aten\.expand\(%\w+\) \{size = \[3, 4\]\} : f32\[3, 4\]$/),
      'return %0',
    ]);
  });

  it('write through a view into what it is a view of, and into its siblings', () => {
    expect(
      run(
        [
          y,
          op('select.int', { self: 'y', dim: int(0), index: int(1) }, 'r', meta(7, [4])),
          op('t.default', { self: 'y' }, 't', meta(7, [4, 3], [1, 4])),
          reluInto('r', 'w', meta(7, [4])),
          op('relu.default', { self: 't' }, 'z', meta(7, [4, 3])),
        ],
        ['z', 'r', 'x'],
      ),
    ).toEqual([
      '%0 = aten.select.int(%x) {dim = 0, index = 1} : f32[4]',
      '%1 = aten.t(%x) : f32[4, 3]',
      '%2 = aten.relu(%0) : f32[4]',
      '%3 = aten.select_scatter(%x, %2) {dim = 0, index = 1} : f32[3, 4]',
      '%4 = aten.t(%3) : f32[4, 3]',
      '%5 = aten.relu(%4) : f32[4, 3]',
      'return %5, %2, %x',
    ]);
  });

  it('write through a chain of views', () => {
    expect(
      run(
        [
          y,
          op('view.default', { self: 'y', size: ints(2, 6) }, 'v', meta(7, [2, 6])),
          op('t.default', { self: 'v' }, 't', meta(7, [6, 2], [1, 6])),
          op('slice.Tensor', { self: 't', dim: int(0), start: int(1), end: int(3) }, 's', meta(7, [2, 2])),
          reluInto('s', 'w', meta(7, [2, 2])),
        ],
        ['y'],
      ).slice(3),
    ).toEqual([
      '%3 = aten.relu(%2) : f32[2, 2]',
      '%4 = aten.slice_scatter(%1, %3) {end = 3, start = 1} : f32[6, 2]',
      '%5 = aten.t(%4) : f32[2, 6]',
      '%6 = aten.view(%5) {size = [3, 4]} : f32[3, 4]',
      'return %6',
    ]);
  });

  it('write through one of several results', () => {
    const split: Step = [
      node('aten.split_with_sizes.default', { self: 'y', split_sizes: ints(1, 2) }, [{ as_tensors: [{ name: 'a' }, { name: 'b' }] }], {
        name: 'split',
      }),
    ];
    const values = { a: meta(7, [1, 4]), b: meta(7, [2, 4]) };
    expect(run([y, split, reluInto('b', 'w', meta(7, [2, 4]))], ['y', 'a'], { values }).slice(2)).toEqual([
      '%3 = aten.slice_scatter(%x, %2) {end = 3, start = 1} : f32[3, 4]',
      '%4, %5 = aten.split_with_sizes(%3) {split_sizes = [1, 2]} : f32[1, 4], f32[2, 4]',
      'return %3, %4',
    ]);
  });

  it('change shapes in place without touching views made before', () => {
    expect(
      run(
        [
          y,
          op('view.default', { self: 'y', size: ints(12) }, 'v', meta(7, [12])),
          op('t_.default', { self: 'y' }, 't', meta(7, [4, 3], [1, 4])),
          reluInto('y', 'w', meta(7, [4, 3])),
        ],
        ['v', 't'],
      ),
    ).toEqual([
      '%0 = aten.view(%x) {size = [12]} : f32[12]',
      '%1 = aten.t(%x) : f32[4, 3]',
      '%2 = aten.relu(%1) : f32[4, 3]',
      '%3 = aten.t(%2) : f32[3, 4]',
      '%4 = aten.view(%3) {size = [12]} : f32[12]',
      'return %4, %2',
    ]);
  });

  it('write through detach and contiguous, but not through clones', () => {
    const detach = op('detach.default', { self: 'y' }, 'd', f34);
    const contiguous = op('contiguous.default', { self: 'd' }, 'e', f34);
    const copied = op('clone.default', { self: 'e' }, 'f', f34);
    expect(run([y, detach, contiguous, copied, reluInto('e', 'w', f34)], ['y', 'f'])).toEqual([
      '%0 = aten.relu(%x) : f32[3, 4]',
      'return %0, %x',
    ]);
  });

  it('write through reshape when strides say that it is a view, and are refused when they do not', () => {
    const reshape = (self: string): Step => op('reshape.default', { self, shape: ints(12) }, 'r', meta(7, [12]));
    expect(run([y, reshape('y'), reluInto('r', 'w', meta(7, [12]))], ['y']).at(-2)).toBe('%2 = aten.view(%1) {size = [3, 4]} : f32[3, 4]');
    const t = op('t.default', { self: 'y' }, 't', meta(7, [4, 3], [1, 4]));
    expect(() => run([y, t, reshape('t'), reluInto('r', 'w', meta(7, [12]))], ['y'])).toThrow(
      /^the graph output reads a tensor that node "w" \(aten\.relu_\.default\) may have changed in place/,
    );
    expect(() => run([y, t, reshape('t'), reluInto('y', 'w', f34)], ['r'])).toThrow(/may have changed in place/);
    expect(run([y, t, reshape('t'), reluInto('y', 'w', f34)], ['y']).at(-1)).toBe('return %2');
  });

  it('are refused through views that cannot be undone', () => {
    const e = op('expand.default', { self: 'r', size: ints(3, 4) }, 'e', f34);
    expect(() =>
      run([op('select.int', { self: 'x', dim: int(0), index: int(0) }, 'r', meta(7, [4])), e, reluInto('e', 'w', f34)], ['e']),
    ).toThrow(/^node "w" \(aten\.relu_\.default\) writes in place through a view made by aten\.expand/);
  });
});

describe('state', () => {
  it('written in place becomes a mutation', () => {
    expect(
      run([op('add_.Tensor', { self: 'b_s', other: 'x' }, 'a', f34)], ['a'], { buffers: { s: f34 } }, ones('s', f34, 12)).slice(1),
    ).toEqual(['%0 = aten.add.Tensor(%s, %x) : f32[3, 4]', 'mutate %s = %0', 'return %0']);
    expect(run([op('add_.Tensor', { self: 'x', other: int(1) }, 'a', f34)], ['a'])).toEqual([
      '%0 = aten.add.Scalar(%x) {other = 1} : f32[3, 4]',
      'mutate %x = %0',
      'return %0',
    ]);
  });

  it('that the signature says changes becomes a mutation, read before or not', () => {
    const add = op('add.Tensor', { self: 'b_s', other: 'x' }, 'a', f34);
    expect(run([add], ['x'], { buffers: { s: f34 }, mutations: { s: 'a' } }, ones('s', f34, 12)).slice(-2)).toEqual([
      'mutate %s = %0',
      'return %x',
    ]);
    expect(
      run([op('relu.default', { self: 'x' }, 'a', f34)], ['x'], { buffers: { s: f34 }, mutations: { s: 'a' } }, ones('s', f34, 12)).slice(
        -2,
      ),
    ).toEqual(['mutate %s = %0', 'return %x']);
  });

  it('is not made of parameters, nor of buffers that share memory', () => {
    expect(() =>
      run([op('add_.Tensor', { self: 'p_w', other: 'x' }, 'a', f34)], ['a'], { weights: { w: f34 } }, ones('w', f34, 12)),
    ).toThrow('the program changes parameter "w"; only buffers and inputs can change');
    const both = {
      weights: { s: { file: 'weight_0', meta: f34 }, t: { file: 'weight_0', meta: f34 } },
      files: { weight_0: floats(...new Array<number>(12).fill(1)) },
    };
    expect(() => run([op('add_.Tensor', { self: 'b_s', other: 'b_t' }, 'a', f34)], ['a'], { buffers: { s: f34, t: f34 } }, both)).toThrow(
      'the program changes "s", which shares memory with "t"',
    );
  });

  it('leaves out parameters that nothing reads, whatever they are', () => {
    expect(run([], ['x'], { weights: { w: f34 } }, { weights: { w: { file: 'weight_0', meta: f34, pickle: true } } })).toEqual([
      'return %x',
    ]);
  });
});

describe('outputs', () => {
  const s0 = "Symbol('s0', positive=True, integer=True)";

  it('may be inputs, the same value twice, numbers, sizes and None', () => {
    const types = { inputs: { x: meta(7, [s0, 4]) }, symInts: { n: { as_expr: { expr_str: `Mul(Integer(2), ${s0})` } } } };
    const size: Step = [{ ...node('aten.sym_size.int', { self: 'x', dim: int(0) }, [{ as_sym_int: { as_name: 'n' } }]), name: 'n' }];
    const got = run(
      [size],
      ['x', { as_none: true }, int(3), { as_float: 2.5 }, { as_bool: true }, 'x', { as_string: 'hi' }, { as_sym_int: { as_name: 'n' } }],
      types,
    );
    expect(got.filter((l) => l.includes('constant') || l.includes('aten'))).toEqual([
      expect.stringContaining('i64[] = '),
      expect.stringContaining('f64[] = '),
      expect.stringContaining('bool[] = '),
      '%0 = aten.scalar_tensor.sym() {s = 2*s0} : i64[]',
    ]);
    expect(got.at(-1)).toMatch(/^return %x, %\w+, %\w+, %\w+, %x, %0$/);
  });
});

describe('arguments', () => {
  it('that are numbers choose the overload for numbers, else become constants of the promoted type', () => {
    expect(run([op('add.Tensor', { self: 'x', other: { as_float: 1.5 }, alpha: int(2) }, 'a', f34)], ['a'])[0]).toBe(
      '%0 = aten.add.Scalar(%x) {alpha = 2, other = 1.5} : f32[3, 4]',
    );
    expect(run([op('maximum.default', { self: 'x', other: int(2) }, 'a', f34)], ['a']).slice(-2)).toEqual([
      expect.stringMatching(/^%0 = aten\.maximum\(%x, %\w+\) : f32\[3, 4\]$/),
      'return %0',
    ]);
  });

  it('that are sizes become dims, also beside numbers', () => {
    const s0 = "Symbol('s0', positive=True, integer=True)";
    const sized = { inputs: { x: meta(7, [s0, 4]) }, symInts: { n: { as_expr: { expr_str: s0 } } } };
    const view = op('view.default', { self: 'x', size: { as_sym_ints: [{ as_int: 4 }, { as_name: 'n' }] } }, 'v', meta(7, [4, s0]));
    const size: Step = [{ ...node('aten.sym_size.int', { self: 'x', dim: int(0) }, [{ as_sym_int: { as_name: 'n' } }]), name: 'n' }];
    expect(run([size, view], ['v'], sized).at(-2)).toBe('%0 = aten.view(%x) {size = [4, s0]} : f32[4, s0]');
    const times = op('mul.Tensor', { self: 'x', other: { as_sym_int: { as_name: 'n' } } }, 'm', meta(7, [s0, 4]));
    expect(run([size, times], ['m'], sized).slice(-4)).toEqual([
      '%0 = aten.scalar_tensor.sym() {s = s0} : i64[]',
      '%1 = aten._to_copy(%0) {dtype = f32} : f32[]',
      '%2 = aten.mul.Tensor(%x, %1) : f32[s0, 4]',
      'return %2',
    ]);
  });

  it('of lists, absent tensors and defaults', () => {
    expect(run([op('cat.default', { tensors: { as_tensors: [{ name: 'x' }, { name: 'x' }] } }, 'c', meta(7, [6, 4]))], ['c'])[0]).toBe(
      '%0 = aten.cat([%x, %x]) : f32[6, 4]',
    );
    expect(
      run(
        [op('index.Tensor', { self: 'x', indices: { as_optional_tensors: [{ as_none: true }, { as_tensor: { name: 'x' } }] } }, 'i', f34)],
        ['i'],
      )[0],
    ).toBe('%0 = aten.index.Tensor(%x, [_, %x]) : f32[3, 4]');
    expect(
      run(
        [
          op(
            'layer_norm.default',
            { input: 'x', normalized_shape: ints(4), weight: { as_none: true }, cudnn_enabled: { as_bool: true } },
            'l',
            f34,
          ),
        ],
        ['l'],
      )[0],
    ).toMatch(/^%0 = aten\.layer_norm\(%x.*\) \{normalized_shape = \[4\]\}/);
  });

  it('keep -inf and the end of 64 bits', () => {
    const mask = { inputs: { x: f34, m: meta(12, [3, 4]) } };
    expect(run([op('masked_fill.Scalar', { self: 'x', mask: 'm', value: { as_float: '-Infinity' } }, 'f', f34)], ['f'], mask)[0]).toBe(
      '%0 = aten.masked_fill.Scalar(%x, %m) {value = -inf} : f32[3, 4]',
    );
    const text = JSON.stringify(
      program({
        inputs: { x: f34 },
        nodes: [node('aten.slice.Tensor', { self: 'x', dim: int(0), start: int(0), end: { as_int: 'END' } }, ['s'])],
        values: { s: f34 },
        outputs: ['s'],
      }),
    );
    expect(printGraph(importPt2(archive({ document: text.replace('"END"', '9223372036854775807') }), { ops: toyOps }))).toContain(
      'aten.slice.Tensor(%x) {start = 0} : f32[3, 4]',
    );
  });

  it.each<[string, Record<string, Doc>, RegExp]>([
    [
      'of an unknown name',
      { self: 'x', speed: int(9) },
      /^argument "speed" of node "a" \(aten\.relu\.default\) is the int 9, which qfuse does not support/,
    ],
    ['that are subgraphs', { self: 'x', body: { as_operator: 'f' } }, /argument "body" of .* is an operator/],
    ['that ask for sparse tensors', { self: 'x', layout: { as_layout: 1 } }, /asks for a sparse tensor/],
    ['that are missing', {}, /operand "self" is missing/],
  ])('%s are refused', (_, args, message) => expect(() => run([op('relu.default', args, 'a', f34)], ['a'])).toThrow(message));
});

describe('a program', () => {
  it('keeps node names and module paths as origins', () => {
    const relu = {
      ...node('aten.relu.default', { self: 'x' }, ['r']),
      name: 'relu_3',
      metadata: { nn_module_stack: 'L__self__,,M;L__self___a,enc.act,torch.nn.ReLU' },
    };
    const graph = importPt2(archive({ document: program({ inputs: { x: f34 }, nodes: [relu], values: { r: f34 }, outputs: ['r'] }) }), {
      ops: toyOps,
    });
    expect([...graph.nodes()][0]!.origin).toMatchObject({ kind: 'source', name: 'relu_3', scope: 'enc.act' });
  });

  it('lists all unknown operators with their nodes', () => {
    const steps = [
      op('wonder.default', { self: 'x' }, 'a', f34),
      op('relu.default', { self: 'a' }, 'b', f34),
      op('wonder.default', { self: 'b' }, 'c', f34),
      op('marvel_.out', { self: 'c' }, 'd', f34),
    ];
    expect(() => run(steps, ['d'])).toThrow(
      expect.objectContaining({
        code: 'pt2/unsupported-op',
        message: '2 operators are not supported: aten.wonder.default ("a", "c"); aten.marvel_.out ("d")',
      }),
    );
    const hop = {
      ...node('higher_order.cond', {}, ['a']),
      inputs: [
        {
          name: '',
          arg: { as_graph: { name: 'g', graph: program({ inputs: {}, nodes: [], values: {}, outputs: [] }).graph_module.graph } },
        },
      ],
    };
    expect(() => run([[hop, f34]], ['a'])).toThrow(/1 operator is not supported: higher_order\.cond \("a"\)/);
  });

  it('imports custom operators whose ops are given', () => {
    const ops = new Map([...toyOps, ['mine.gate', { ...toyOps.get('aten.relu')!, name: 'mine.gate' }]]);
    const document = program({
      inputs: { x: f34 },
      nodes: [node('mine.gate.default', { self: 'x' }, ['g'])],
      values: { g: f34 },
      outputs: ['g'],
    });
    expect(printGraph(importPt2(archive({ document }), { ops }))).toContain('mine.gate(%x)');
  });

  it.each<[string, Step, RegExp]>([
    ['shape', op('relu.default', { self: 'x' }, 'r', meta(7, [4, 4])), /^node "r" \(aten\.relu\.default\): .*f32\[3, 4\].*f32\[4, 4\]/],
    ['dtype', op('relu.default', { self: 'x' }, 'r', meta(5, [3, 4])), /f32\[3, 4\].*i64\[3, 4\]/],
    ['rank', op('clone.default', { self: 'x' }, 'r', meta(7, [12])), /the result is f32\[3, 4\], but the file records f32\[12\]/],
  ])('whose recorded %s contradicts the inferred one is refused', (_, step, message) => expect(() => run([step], ['r'])).toThrow(message));

  it('in training mode is refused, dropout in evaluation is nothing', () => {
    const dropout = (train: boolean): Step =>
      op('dropout.default', { input: 'x', p: { as_float: 0.5 }, train: { as_bool: train } }, 'd', f34);
    expect(run([dropout(false)], ['d'])).toEqual(['return %x']);
    expect(() => run([dropout(true)], ['d'])).toThrow(expect.objectContaining({ code: 'pt2/unsupported-training' }));
  });

  it('that updates running statistics writes them', () => {
    const norm = (running_mean: Doc, training: boolean, momentum: Doc = { as_float: 0.1 }): Step =>
      op('batch_norm.default', { input: 'x', running_mean, training: { as_bool: training }, momentum }, 'n', f34);
    const statistics: Partial<ProgramInit> = { inputs: { x: f34, m: meta(7, [4]) } };
    expect(run([norm('m', false)], ['n'], statistics).length).toBe(2);
    expect(run([norm({ as_none: true }, true)], ['n']).length).toBe(2);
    expect(run([norm('m', true)], ['n'], statistics).slice(1)).toEqual([
      '%1 = aten.mean.dim(%x) {dim = [0]} : f32[4]',
      '%2 = aten.mul.Scalar(%m) {other = 0.9} : f32[4]',
      '%3 = aten.mul.Scalar(%1) {other = 0.1} : f32[4]',
      '%4 = aten.add.Tensor(%2, %3) : f32[4]',
      'mutate %m = %4',
      'return %0',
    ]);
    expect(() => run([norm('m', true, { as_none: true })], ['n'], statistics)).toThrow(/averages its running statistics over all runs/);
  });

  it('whose shapes depend on data is refused', () => {
    expect(() => run([op('relu.default', { self: 'x' }, 'r', meta(7, ["Symbol('u0', integer=True)"]))], ['r'])).toThrow(
      expect.objectContaining({ code: 'pt2/unsupported-dynamic', message: expect.stringContaining('"r" of aten.relu.default') as unknown }),
    );
    const item: Step = [{ ...node('aten.item.default', { self: 'x' }, [{ as_sym_int: { as_name: 'u' } }]), name: 'u' }];
    const use = op('select.int', { self: 'x', dim: int(0), index: { as_sym_int: { as_name: 'u' } } }, 's', meta(7, [4]));
    expect(() => run([item, use], ['s'], { symInts: { u: { as_expr: { expr_str: "Symbol('u0', integer=True)" } } } })).toThrow(
      /uses "u" = u0, which depends on the data of a run/,
    );
  });

  it('with other inputs than tensors is refused, with constant ones imported', () => {
    const document = program({ inputs: { x: f34 }, nodes: [], values: {}, outputs: ['x'] });
    document.graph_module.graph.inputs.push({ as_int: 3 });
    document.graph_module.signature.input_specs.push({ constant_input: { name: 'n', value: { as_int: 3 } } });
    expect(importPt2(archive({ document }), { ops: toyOps }).inputs.map((v) => v.name)).toEqual(['x']);
    document.graph_module.graph.inputs[1] = { as_sym_int: { as_name: 'n' } };
    document.graph_module.graph.sym_int_values.n = { as_expr: { expr_str: "Symbol('s9', integer=True)" } };
    document.graph_module.signature.input_specs[1] = { user_input: { arg: { as_sym_int: { as_name: 'n' } } } };
    expect(() => importPt2(archive({ document }), { ops: toyOps })).toThrow(/takes a dynamic number "n"/);
  });

  it('may call a parameter as an input is called', () => {
    const text = run([op('add.Tensor', { self: 'p_x', other: 'x' }, 'a', f34)], ['a'], { weights: { x: f34 } }, ones('x', f34, 12));
    expect(text.at(-2)).toBe('%0 = aten.add.Tensor(%p_x, %x) : f32[3, 4]');
  });
});
