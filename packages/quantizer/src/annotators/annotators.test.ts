import { describe, expect, test } from 'vitest';
import { getXNNPACKQuantizationConfig } from '../configs/xnnpack.js';
import { prepare } from '../prepare.js';
import { embeddingQuantizer, linearQuantizer } from '../quantizers/weights.js';
import { getIntxQuantizationConfig } from '../configs/intx.js';
import { xnnpackQuantizer } from '../quantizers/xnnpack.js';
import { graphOf, groupsOf } from '../test-support.js';

/** Groups of the static quantizer (or the dynamic one), without what all descriptions have in common. */
const groups = (text: string, isDynamic = false): readonly string[] =>
  groupsOf(prepare(graphOf(text), xnnpackQuantizer({ global: getXNNPACKQuantizationConfig({ isPerChannel: true, isDynamic }) }))).map((g) =>
    g.map((p) => p.replace(/^the result of .* at "(.*)"$/, '$1').replace(/^operand "?(\w+)"? of .* at "(.*)"$/, '$2.$1')).join(' = '),
  );

const weights = (shape: string): string => `%w = parameter "w" : f32${shape} = splat<0.5>`;

describe('linears and convolutions', () => {
  test('a relu behind a linear takes its result', () => {
    const text = `graph @main(%x: f32[2, 4]) {
      ${weights('[3, 4]')}
      %0 = aten.linear(%x, %w) : f32[2, 3] loc("linear")
      %1 = aten.relu(%0) : f32[2, 3] loc("relu")
      return %1
    }`;
    expect(groups(text)).toEqual(['linear.input', 'linear.weight', 'relu']);
    // With another reader the linear's own result is quantized, and the relu shares it.
    expect(groups(text.replace('return %1', 'return %1, %0'))).toEqual(['linear.input', 'linear.weight', 'linear = relu.self = relu']);
    expect(groups(text, true)).toEqual(['linear.input', 'linear.weight']);
  });

  test('a second linear with the same weight is annotated without its relu, a second convolution not at all', () => {
    const twice = (op: string, w: string, x: string): string => `graph @main(%x: f32${x}) {
      ${weights(w)}
      %0 = aten.${op}(%x, %w) : f32${x} loc("first")
      %1 = aten.relu(%0) : f32${x} loc("relu")
      %2 = aten.${op}(%1, %w) : f32${x} loc("second")
      %3 = aten.relu(%2) : f32${x} loc("last")
      return %3
    }`;
    expect(groups(twice('linear', '[4, 4]', '[2, 4]'))).toEqual([
      'first.input',
      'first.weight = second.weight',
      'relu = second.input',
      'second = last.self = last',
    ]);
    expect(groups(twice('conv2d', '[1, 1, 1, 1]', '[1, 1, 4, 4]'))).toEqual(['first.input', 'first.weight', 'relu']);
  });

  test('equal parameters of two modules that were merged are not taken for shared ones', () => {
    const merged = (second: string): string => `graph @main(%x: f32[1, 1, 4, 4]) {
      %a.weight = parameter "a.weight" : f32[1, 1, 1, 1] = splat<0.5>
      ${second}
      %0 = aten.conv2d(%x, %a.weight) : f32[1, 1, 4, 4] loc("first" in "a")
      %1 = aten.conv2d(%0, %a.weight) : f32[1, 1, 4, 4] loc("second" in "b")
      return %1
    }`;
    expect(groups(merged(''))).toEqual(['first.input', 'first.weight', 'first'].map((g) => expect.stringContaining(g.split('.')[0]!)));
    expect(groups(merged('%b.weight = parameter "b.weight" : f32[1, 1, 1, 1] = splat<0.5>'))).toHaveLength(4);
    expect(groups(merged('%b.weight = parameter "b.weight" : f32[1, 1, 1, 1] = splat<0.25>'))).toHaveLength(3);
  });

  const transposed = (attrs: string, w: string, out: string): string => `graph @main(%x: f32[1, 2, 4, 4]) {
    ${weights(w)}
    %0 = aten.conv_transpose2d.input(%x, %w) ${attrs} : f32${out} loc("up")
    return %0
  }`;

  test('transposed convolutions have channels along axis 1; grouped ones are left alone', () => {
    const text = transposed('', '[2, 3, 1, 1]', '[1, 3, 4, 4]');
    const { groups: found } = prepare(graphOf(text), xnnpackQuantizer({ global: getXNNPACKQuantizationConfig({ isPerChannel: true }) }));
    expect(found.map((g) => (g.spec.kind === 'own' ? g.spec.granularity : undefined))).toEqual([
      { kind: 'tensor' },
      { kind: 'axis', axis: 1 },
      { kind: 'tensor' },
    ]);
    expect(groups(transposed('{groups = 2}', '[2, 3, 1, 1]', '[1, 6, 4, 4]'))).toEqual([]);
  });

  test('convolutions of Core ATen count too', () => {
    const core = (flag: boolean): string => `graph @main(%x: f32[1, 2, 4, 4]) {
      ${weights('[2, 2, 1, 1]')}
      %0 = aten.convolution(%x, %w) {dilation = [1, 1], groups = 1, output_padding = [0, 0], padding = [0, 0], stride = [1, 1], transposed = ${flag}} : f32[1, 2, 4, 4] loc("conv")
      return %0
    }`;
    expect(groups(core(false))).toEqual(['conv.input', 'conv.weight', 'conv']);
    expect(groups(core(true))).toEqual(['conv.input', 'conv.weight', 'conv']);
  });

  test('dynamic convolutions are those of planes that are not depthwise', () => {
    const conv = (op: string, x: string, w: string, attrs: string): string => `graph @main(%x: f32${x}) {
      ${weights(w)}
      %0 = aten.${op}(%x, %w) ${attrs} : f32${x} loc("conv")
      return %0
    }`;
    expect(groups(conv('conv2d', '[1, 2, 4, 4]', '[2, 2, 1, 1]', ''), true)).toEqual(['conv.input', 'conv.weight']);
    expect(groups(conv('conv2d', '[1, 2, 4, 4]', '[2, 1, 1, 1]', '{groups = 2}'), true)).toEqual([]);
    expect(groups(conv('conv1d', '[1, 2, 4]', '[2, 2, 1]', ''), true)).toEqual([]);
  });
});

describe('sums, products, joins and what shares', () => {
  test('a relu behind a sum takes its result', () => {
    expect(
      groups(`graph @main(%x: f32[4], %y: f32[4]) {
        %0 = aten.add.Tensor(%x, %y) : f32[4] loc("add")
        %1 = aten.relu(%0) : f32[4] loc("relu")
        %2 = aten.mul.Tensor(%1, %x) : f32[4] loc("mul")
        return %2
      }`),
    ).toEqual(['add.self = mul.other', 'add.other', 'relu = mul.self', 'mul']);
  });

  test('integers and numbers too large for a histogram are left alone', () => {
    expect(
      groups(`graph @main(%x: f32[4], %i: i64[4]) {
        %c = constant "c" : f32[] = splat<-3.4e38>
        %0 = aten.add.Tensor(%x, %c) : f32[4] loc("add")
        %1 = aten.mul.Tensor(%i, %i) : i64[4] loc("mul")
        %2 = aten.cat([%1, %i]) {dim = 0} : i64[8] loc("cat")
        return %0, %2
      }`),
    ).toEqual([]);
  });

  test('inputs and result of a join share with the first input that has parameters', () => {
    const cat = (first: string): string => `graph @main(%x: f32[4], %y: f32[4]) {
      %0 = aten.add.Tensor(%x, %x) : f32[4] loc("add")
      %1 = aten.view(%0) {size = [4]} : f32[4] loc("view")
      %2 = aten.cat([${first}]) {dim = 0} : f32[8] loc("cat")
      return %2
    }`;
    expect(groups(cat('%y, %1'))).toEqual(['add.self = add.other', 'add = view.self = view = cat.1 = cat.0 = cat']);
    expect(groups(cat('%y, %x'))).toEqual(['add.self = add.other = cat.0 = cat.1 = cat', 'add = view.self = view']);
  });

  test('pools and views share with what they read; views that torch does not list end it', () => {
    const chain = (name: string): string => `graph @main(%x: f32[1, 2, 4, 4]) {
      %0 = aten.add.Tensor(%x, %x) : f32[1, 2, 4, 4] loc("add")
      %1 = aten.adaptive_avg_pool2d(%0) {output_size = [1, 1]} : f32[1, 2, 1, 1] loc("pool")
      %2 = aten.view(%1) {size = [1, 2]} : f32[1, 2] loc("${name}")
      %3 = aten.permute(%2) {dims = [1, 0]} : f32[2, 1] loc("permute")
      return %3
    }`;
    expect(groups(chain('flatten')).at(-1)).toBe('add = pool.self = pool = flatten.self = flatten = permute.self = permute');
    expect(groups(chain('unsqueeze_1')).at(-1)).toBe('add = pool.self = pool');
  });
});

test('tables of embeddings, and linears that share them', () => {
  const text = `graph @main(%i: i64[3]) {
    %e = parameter "e" : f32[4, 8] = splat<0.5>
    %0 = aten.embedding(%e, %i) : f32[3, 8] loc("embedding")
    %1 = aten.linear(%0, %e) : f32[3, 4] loc("head")
    return %1
  }`;
  const config = { global: getIntxQuantizationConfig({ groupSize: 4 }) };
  expect(groupsOf(prepare(graphOf(text), embeddingQuantizer(config)))).toEqual([['operand "weight" of aten.embedding at "embedding"']]);
  expect(groupsOf(prepare(graphOf(text), linearQuantizer(config)))).toEqual([['operand "weight" of aten.linear at "head"']]);
});
