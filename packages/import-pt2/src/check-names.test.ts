import { describe, expect, it } from 'vitest';
import { type Doc, meta, node, program, tensorArg } from '../test/program-builder.js';
import { checkNames } from './check-names.js';
import { decodeProgram } from './decode-program.js';
import { parseJson } from './json.js';

const relu = (from: string, to: string): Doc => node('aten.relu.default', { self: from }, [to]);
const check = (nodes: readonly Doc[], change: (d: Doc) => void = () => {}): void => {
  const type = meta(7, [2]);
  const d = program({ inputs: { x: type }, nodes, values: Object.fromEntries(['y', 'z', 'n'].map((n) => [n, type])), outputs: ['y'] });
  change(d);
  checkNames(decodeProgram(parseJson(JSON.stringify(d), 'm'), 'm'));
};

describe('checkNames', () => {
  it('accepts a sound program', () => expect(() => check([relu('x', 'y')])).not.toThrow());

  it.each<[string, readonly Doc[], (d: Doc) => void, RegExp]>([
    ['a dangling operand', [relu('ghost', 'y')], () => {}, /node "y" uses "ghost", which nothing defines/],
    [
      'a use before the definition',
      [relu('z', 'y'), relu('x', 'z')],
      () => {},
      /node "y" uses "z" before it is defined: the program is cyclic/,
    ],
    ['a cycle of two', [relu('z', 'y'), relu('y', 'z')], () => {}, /cyclic/],
    ['a node that reads itself', [relu('y', 'y')], () => {}, /cyclic/],
    ['two nodes of one result', [relu('x', 'y'), relu('x', 'y')], () => {}, /the name "y" is defined twice/],
    ['a node that defines an input', [relu('x', 'x'), relu('x', 'y')], () => {}, /"x" is defined twice/],
    ['a dangling output', [relu('x', 'z')], () => {}, /the graph output uses "y", which nothing defines/],
    [
      'a result without recorded type',
      [relu('x', 'y')],
      (d) => delete d.graph_module.graph.tensor_values.y,
      /defines "y", of which no type is recorded/,
    ],
    [
      'a dangling name in a list',
      [node('aten.cat.default', { tensors: { as_tensors: [{ name: 'x' }, { name: 'g' }] } }, ['y'])],
      () => {},
      /uses "g"/,
    ],
    [
      'a dangling symbolic name',
      [node('aten.view.default', { self: 'x', size: { as_sym_ints: [{ as_name: 'n' }] } }, ['y'])],
      () => {},
      /uses "n"/,
    ],
    ['fewer input specs than inputs', [relu('x', 'y')], (d) => d.graph_module.signature.input_specs.pop(), /1 inputs, its signature 0/],
    ['fewer output specs than outputs', [relu('x', 'y')], (d) => d.graph_module.signature.output_specs.pop(), /1 outputs, its signature 0/],
    [
      'other names in the signature',
      [relu('x', 'y')],
      (d) => (d.graph_module.signature.input_specs[0] = { user_input: { arg: tensorArg('q') } }),
      /input 0 of the graph is "x", of its signature "q"/,
    ],
    [
      'other outputs in the signature',
      [relu('x', 'y')],
      (d) => (d.graph_module.signature.output_specs[0] = { user_output: { arg: tensorArg('x') } }),
      /output 0 of the graph is "y", of its signature "x"/,
    ],
  ])('refuses %s', (_, nodes, change, message) => expect(() => check(nodes, change)).toThrow(message));
});
