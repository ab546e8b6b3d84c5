import { printGraph } from '@qfuse/plugin';
import { describe, expect, it } from 'vitest';
import { archive, type Doc, meta, node, program, tensorArg } from '../test/program-builder.js';
import { toyOps } from '../test/toy-ops.js';
import { importPt2 } from './import-pt2.js';

const f = meta(7, [2]);

/** The graph of a body over `x` with the given nodes. */
const body = (nodes: Doc[], outputs: string[], values: string[]): Doc =>
  program({ inputs: { x: f }, nodes, values: Object.fromEntries(values.map((v) => [v, f])), outputs }).graph_module.graph;
const region = (graph: Doc, operands: Doc[], results: string[]): Doc => ({
  ...node('higher_order.wrap_with_set_grad_enabled', {}, [{ as_tensors: results.map((name) => ({ name })) }], { name: 'grad' }),
  inputs: [{ as_bool: false }, { as_graph: { name: 'submod_1', graph } }, ...operands].map((arg) => ({ name: '', arg, kind: 1 })),
});
const relu = (from: string, to: string): Doc => node('aten.relu.default', { self: from }, [to]);

function text(nodes: Doc[], outputs: string[], values: string[]): string {
  const document = program({ inputs: { x: f }, nodes, values: Object.fromEntries(values.map((v) => [v, f])), outputs });
  return printGraph(importPt2(archive({ document }), { ops: toyOps }));
}

describe('regions', () => {
  it('are replaced by their bodies; names of the body are its own', () => {
    const inner = body([relu('x', 'y'), node('aten.add.Tensor', { self: 'y', other: 'x' }, ['z'])], ['z', 'x'], ['y', 'z']);
    const printed = text([relu('x', 'y'), region(inner, [tensorArg('y')], ['a', 'b']), relu('a', 'z')], ['z', 'b'], ['y', 'a', 'b', 'z']);
    expect(
      printed
        .trim()
        .split('\n')
        .slice(1, -1)
        .map((l) => l.trim()),
    ).toEqual([
      '%0 = aten.relu(%x) : f32[2]',
      '%1 = aten.relu(%0) : f32[2]',
      '%2 = aten.add.Tensor(%1, %0) : f32[2]',
      '%3 = aten.relu(%2) : f32[2]',
      'return %3, %0',
    ]);
  });

  it('may hold regions, and two may have one body', () => {
    const innermost = body([relu('x', 'y')], ['y'], ['y']);
    const inner = body([region(innermost, [tensorArg('x')], ['y'])], ['y'], ['y']);
    const twice = [region(inner, [tensorArg('x')], ['a']), { ...region(inner, [tensorArg('a')], ['b']), name: 'grad_1' }];
    expect(text(twice, ['b'], ['a', 'b'])).toContain('%1 = aten.relu(%0)');
  });

  it.each<[string, Doc, RegExp]>([
    ['too few operands', region(body([relu('x', 'y')], ['y'], ['y']), [], ['a']), /given 0 operands, its body takes 1/],
    ['an operand that is no tensor', region(body([relu('x', 'y')], ['y'], ['y']), [{ as_int: 1 }], ['a']), /no value for input "x"/],
    ['other results', region(body([relu('x', 'y')], ['y', 'x'], ['y']), [tensorArg('x')], ['a']), /has 1 results, its body gives 2/],
    [
      'a body that is unsound',
      region(body([relu('ghost', 'y')], ['y'], ['y']), [tensorArg('x')], ['a']),
      /uses "grad\/ghost", which nothing defines/,
    ],
  ])('with %s are refused', (_, grad, message) => expect(() => text([grad], ['a'], ['a'])).toThrow(message));
});
