import { describe, expect, it } from 'vitest';
import { type Doc, meta, node, program } from '../test/program-builder.js';
import { decodeProgram } from './decode-program.js';
import { parseJson } from './json.js';
import type { Argument, Program } from './schema.js';

const decode = (doc: Doc): Program => decodeProgram(parseJson(JSON.stringify(doc), 'model.json'), 'model.json');
const doc = (arg: Doc, change: (d: Doc) => void = () => {}): Doc => {
  const d = program({
    inputs: { x: meta(7, [2]) },
    nodes: [node('aten.relu.default', { self: 'x', arg }, ['y'])],
    values: { y: meta(7, [2]) },
    outputs: ['y'],
  });
  change(d);
  return d;
};
const readArgument = (arg: Doc): Argument => decode(doc(arg)).nodes[0]!.inputs[1]!.arg;

describe('decodeProgram', () => {
  it.each<[Doc, Argument]>([
    [{ as_none: true }, { kind: 'none' }],
    [{ as_tensor: { name: 'a' } }, { kind: 'tensor', name: 'a' }],
    [{ as_tensors: [{ name: 'a' }, { name: 'b' }] }, { kind: 'tensors', names: ['a', 'b'] }],
    [{ as_optional_tensor: { as_tensor: { name: 'a' } } }, { kind: 'tensor', name: 'a' }],
    [{ as_optional_tensor: { as_none: true } }, { kind: 'none' }],
    [{ as_optional_tensors: [{ as_tensor: { name: 'a' } }, { as_none: true }] }, { kind: 'tensors', names: ['a', undefined] }],
    [{ as_int: -3 }, { kind: 'int', value: -3 }],
    [{ as_ints: [1, 2] }, { kind: 'ints', values: [1, 2] }],
    [{ as_float: 1 }, { kind: 'float', value: 1 }],
    [{ as_float: 'Infinity' }, { kind: 'float', value: Infinity }],
    [{ as_float: '-Infinity' }, { kind: 'float', value: -Infinity }],
    [{ as_float: 'NaN' }, { kind: 'float', value: Number.NaN }],
    [{ as_floats: [0.5, 'Infinity'] }, { kind: 'floats', values: [0.5, Infinity] }],
    [{ as_bool: true }, { kind: 'bool', value: true }],
    [{ as_bools: [true, false] }, { kind: 'bools', values: [true, false] }],
    [{ as_string: 'none' }, { kind: 'string', value: 'none' }],
    [{ as_strings: ['a'] }, { kind: 'strings', values: ['a'] }],
    [{ as_sym_int: { as_name: 'n' } }, { kind: 'sym-int', arg: { name: 'n' } }],
    [{ as_sym_ints: [{ as_name: 'n' }, { as_int: 4 }] }, { kind: 'sym-ints', args: [{ name: 'n' }, { value: 4 }] }],
    [{ as_sym_float: { as_float: 2.5 } }, { kind: 'sym-float', arg: { value: 2.5 } }],
    [{ as_sym_floats: [{ as_name: 'f' }] }, { kind: 'sym-floats', args: [{ name: 'f' }] }],
    [{ as_sym_bool: { as_bool: true } }, { kind: 'sym-bool', arg: { value: true } }],
    [{ as_sym_bools: [{ as_name: 'b' }] }, { kind: 'sym-bools', args: [{ name: 'b' }] }],
    [{ as_scalar_type: 7 }, { kind: 'scalar-type', value: 7 }],
    [{ as_memory_format: 1 }, { kind: 'memory-format', value: 1 }],
    [{ as_layout: 7 }, { kind: 'layout', value: 7 }],
    [{ as_device: { type: 'cpu', index: null } }, { kind: 'device', type: 'cpu' }],
    [{ as_complex: { real: 0, imag: 1 } }, { kind: 'refused', what: 'a complex number' }],
    [{ as_custom_obj: { name: 'o', class_fqn: 'c' } }, { kind: 'refused', what: 'a custom object' }],
    [{ as_operator: 'torch.ops.aten.add.Tensor' }, { kind: 'refused', what: 'an operator' }],
    [{ as_nested_tensors: [[{ name: 'a' }]] }, { kind: 'refused', what: 'a list of tensor lists' }],
    [{ as_int_lists: [[1]] }, { kind: 'refused', what: 'a list of int lists' }],
    [{ as_float_lists: [[1]] }, { kind: 'refused', what: 'a list of float lists' }],
    [{ as_string_to_argument: {} }, { kind: 'refused', what: 'a dictionary' }],
  ])('reads the argument %j', (written, read) => expect(readArgument(written)).toEqual(read));

  it('keeps 64-bit integers exact', () => {
    const text = JSON.stringify(doc({ as_int: 'HERE' })).replace('"HERE"', '-9223372036854775808');
    expect(decodeProgram(parseJson(text, 'm'), 'm').nodes[0]!.inputs[1]!.arg).toEqual({ kind: 'int', value: -9223372036854775808n });
  });

  it.each<[Doc, RegExp]>([
    [{}, /nodes\[0\]\.inputs\[1\]\.arg has 0 fields, expected one/],
    [{ as_int: 1, as_float: 1 }, /has 2 fields/],
    [{ as_wonder: 1 }, /of unknown kind "as_wonder"/],
    [{ __proto__x: 1 }, /unknown kind/],
    [{ toString: 1 }, /unknown kind "toString"/],
    [{ as_int: 1.5 }, /as_int is 1.5, expected a 64-bit integer/],
    [{ as_int: '1' }, /as_int is "1", expected a 64-bit integer/],
    [{ as_bool: 1 }, /as_bool is 1, expected true or false/],
    [{ as_tensor: 'x' }, /as_tensor is "x", expected an object/],
    [{ as_tensors: { name: 'x' } }, /as_tensors is an object, expected a list/],
    [{ as_float: 'big' }, /expected a number, "Infinity", "-Infinity" or "NaN"/],
    [{ as_float: null }, /as_float is null/],
    [{ as_graph: { name: 'g', graph: {} } }, /as_graph\.graph\.inputs is nothing, expected a list/],
    [{ as_tensor: {} }, /as_tensor\.name is nothing, expected a string/],
  ])('refuses the argument %j', (written, message) => expect(() => readArgument(written)).toThrow(message));

  it.each<[string, (d: Doc) => void, RegExp]>([
    ['a missing graph', (d) => delete d.graph_module.graph, /graph_module\.graph is nothing, expected an object/],
    ['missing nodes', (d) => delete d.graph_module.graph.nodes, /graph_module\.graph\.nodes is nothing, expected a list/],
    ['a node without target', (d) => delete d.graph_module.graph.nodes[0].target, /nodes\[0\]\.target is nothing, expected a string/],
    ['a tensor without sizes', (d) => delete d.graph_module.graph.tensor_values.x.sizes, /tensor_values\.x\.sizes is nothing/],
    [
      'a long expression',
      (d) => (d.graph_module.graph.tensor_values.x.sizes = [{ as_expr: { expr_str: 's'.repeat(20_000) } }]),
      /at most 10000 characters/,
    ],
    ['an unknown input', (d) => (d.graph_module.signature.input_specs[0] = { surprise: {} }), /is input of unknown kind "surprise"/],
    ['no version numbers', (d) => (d.schema_version = {}), /schema_version\.major is nothing/],
  ])('refuses a program with %s', (_, change, message) => expect(() => decode(doc({ as_none: true }, change))).toThrow(message));

  it('ignores fields that it does not know', () => {
    expect(decode(doc({ as_none: true }, (d) => (d.future = { a: [1] }))).nodes.length).toBe(1);
  });

  it('takes names and module paths from nodes', () => {
    const named = decode(
      doc({ as_none: true }, (d) => {
        d.graph_module.graph.nodes[0].name = 'relu_7';
        d.graph_module.graph.nodes[0].metadata.nn_module_stack =
          'L__self__,,__main__.M;L__self___layers_0,layers.0,torch.nn.modules.linear.Linear';
      }),
    ).nodes[0]!;
    expect([named.name, named.scope]).toEqual(['relu_7', 'layers.0']);
    const old = decode(doc({ as_none: true }, (d) => delete d.graph_module.graph.nodes[0].name)).nodes[0]!;
    expect([old.name, old.scope]).toEqual(['y', '']);
  });

  it('reads ranges; bounds beyond 2^53 are none', () => {
    const text = JSON.stringify(
      doc({ as_none: true }, (d) => (d.range_constraints = { s0: { min_val: 1, max_val: 64 }, s1: { min_val: null, max_val: 'HERE' } })),
    ).replace('"HERE"', '9223372036854775806');
    expect([...decodeProgram(parseJson(text, 'm'), 'm').rangeConstraints]).toEqual([
      ['s0', { min: 1, max: 64 }],
      ['s1', {}],
    ]);
  });
});
