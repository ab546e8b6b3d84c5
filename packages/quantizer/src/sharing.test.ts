import { aten } from '@qfuse/ops';
import type { Node } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { Annotations } from './annotation.js';
import { minMaxObserver } from './observers/index.js';
import { describePlace, sharingGroups } from './sharing.js';
import { type AnySpec, edge, output, type QuantizationSpec, sharedWith } from './spec.js';
import { errorOf, graphOf } from './test-support.js';

const int8: QuantizationSpec = {
  kind: 'own',
  dtype: 'i8',
  qmin: -128,
  qmax: 127,
  mapping: 'affine',
  granularity: { kind: 'tensor' },
  observer: minMaxObserver(),
};
const uint8: QuantizationSpec = { ...int8, dtype: 'u8', qmin: 0, qmax: 255 };

const groups = (annotations: Annotations): readonly (readonly string[])[] =>
  sharingGroups(annotations).map((g) =>
    g.places.map((p) =>
      describePlace(p)
        .replace(/^the result of aten\./, '')
        .replaceAll(/ of aten\.| at "/g, ' ')
        .replaceAll('"', ''),
    ),
  );

function setup(text: string): { readonly annotations: Annotations; readonly nodes: ReadonlyMap<string, Node> } {
  const annotations = new Annotations(graphOf(text));
  const nodes = new Map([...annotations.graph.nodes()].map((n) => [n.origin.kind === 'source' ? n.origin.name : '', n] as const));
  return { annotations, nodes };
}

describe('groups of places that share an observer', () => {
  test('a join of joins is one group: the example of torch', () => {
    const { annotations, nodes } = setup(`graph @main(%x: f32[2]) {
      %0 = aten.relu(%x) : f32[2] loc("op1")
      %1 = aten.neg(%x) : f32[2] loc("op2")
      %2 = aten.abs(%x) : f32[2] loc("op3")
      %3 = aten.cat([%0, %1]) {dim = 0} : f32[4] loc("cat1")
      %4 = aten.cat([%2, %3]) {dim = 0} : f32[6] loc("cat2")
      return %4
    }`);
    const [cat1, cat2] = [nodes.get('cat1')!, nodes.get('cat2')!];
    for (const op of ['op1', 'op2']) annotations.annotate(nodes.get(op)!, { output: int8 });
    const join = (node: Node): void => {
      const shared = sharedWith(edge(node, 0));
      annotations.annotate(node, {
        inputs: new Map<number, AnySpec>([
          [0, int8],
          [1, shared],
        ]),
        output: shared,
      });
    };
    join(cat1);
    join(cat2);
    expect(groups(annotations)).toHaveLength(1);
    expect(groups(annotations)[0]).toHaveLength(8);
  });

  const fork = `graph @main(%x: f32[2]) {
    %0 = aten.relu(%x) : f32[2] loc("relu")
    %1 = aten.neg(%0) : f32[2] loc("neg")
    %2 = aten.abs(%0) : f32[2] loc("abs")
    %3 = aten.add.Tensor(%0, %0) : f32[2] loc("add")
    return %1, %2, %3
  }`;

  test('readers of one value share with each other and with its producer', () => {
    const { annotations, nodes } = setup(fork);
    for (const name of ['neg', 'abs', 'add']) annotations.annotate(nodes.get(name)!, { inputs: { self: int8 } });
    expect(groups(annotations)).toEqual([['operand self neg neg', 'operand self abs abs', 'operand self add.Tensor add']]);
    annotations.annotate(nodes.get('relu')!, { output: int8 });
    expect(groups(annotations)).toEqual([['relu relu', 'operand self neg neg', 'operand self abs abs', 'operand self add.Tensor add']]);
  });

  test('both operands of a node that reads a value twice share', () => {
    const { annotations, nodes } = setup(fork);
    annotations.annotate(nodes.get('add')!, { inputs: { self: int8, other: int8 } });
    expect(groups(annotations)).toEqual([['operand self add.Tensor add', 'operand other add.Tensor add']]);
  });

  test('places with different grids do not share unless one says so', () => {
    const { annotations, nodes } = setup(fork);
    annotations.annotate(nodes.get('relu')!, { output: int8 });
    annotations.annotate(nodes.get('neg')!, { inputs: { self: uint8 } });
    annotations.annotate(nodes.get('abs')!, { inputs: { self: { ...int8, isDynamic: true } } });
    expect(groups(annotations).map((g) => g.length)).toEqual([1, 1, 1]);
    annotations.annotate(nodes.get('neg')!, { inputs: { self: sharedWith(output(nodes.get('relu')!)) } });
    expect(groups(annotations).map((g) => g.length)).toEqual([2, 1]);
  });

  test('sharing that nobody asked for can be turned off', () => {
    const { annotations, nodes } = setup(fork);
    annotations.annotate(nodes.get('relu')!, { output: int8 });
    annotations.annotate(nodes.get('neg')!, { inputs: { self: int8 }, allowImplicitSharing: false });
    expect(groups(annotations)).toEqual([['relu relu'], ['operand self neg neg']]);
  });

  test('graph inputs can be annotated for all their readers', () => {
    const { annotations, nodes } = setup(fork);
    annotations.annotateValue(annotations.graph.inputs[0]!, int8);
    annotations.annotate(nodes.get('relu')!, { inputs: { self: int8 } });
    expect(groups(annotations)).toEqual([['x', 'operand self relu relu']]);
    expect(() => annotations.annotateValue(nodes.get('relu')!.result, int8)).toThrow('annotated with the node');
  });

  test('sharing with what is not annotated, or in a circle, is refused by name', async () => {
    const { annotations, nodes } = setup(fork);
    const [neg, abs] = [nodes.get('neg')!, nodes.get('abs')!];
    annotations.annotate(neg, { output: sharedWith(output(abs)) });
    expect(await errorOf(() => sharingGroups(annotations))).toContain(
      'shares with the result of aten.abs at "abs", which is not annotated',
    );
    annotations.annotate(abs, { output: sharedWith(output(neg)) });
    expect(await errorOf(() => sharingGroups(annotations))).toContain('only share with each other');
  });
});

describe('annotations', () => {
  test('name the operand that a node does not have', async () => {
    const { annotations, nodes } = setup(`graph @main(%x: f32[2, 3], %w: f32[4, 3]) {
      %0 = aten.linear(%x, %w) : f32[2, 4] loc("linear")
      return %0
    }`);
    const linear = nodes.get('linear')!;
    expect(linear.op).toBe(aten.Linear);
    expect(await errorOf(() => annotations.annotate(linear, { inputs: { mat2: int8 } }))).toContain('it has input, weight, bias');
    expect(await errorOf(() => annotations.annotate(linear, { inputs: { bias: int8 } }))).toContain('reads nothing as operand bias');
    annotations.annotate(linear, { inputs: { bias: undefined, weight: int8 } });
    expect([...annotations.of(linear)!.inputs.keys()]).toEqual([1]);
    expect([annotations.isAnnotated(linear), annotations.isAnnotated(annotations.graph.inputs[0]!)]).toEqual([true, false]);
  });
});
