import { aten } from '@qfuse/ops';
import { printGraph, tensorFrom, type Value } from '@qfuse/plugin';
import { describe, expect, test } from 'vitest';
import { getIntxQuantizationConfig } from './configs/intx.js';
import { getSymmetricQuantizationConfig } from './configs/symmetric.js';
import { getXNNPACKQuantizationConfig } from './configs/xnnpack.js';
import { convert } from './convert.js';
import type { ObserverFactory } from './observer.js';
import { minMaxObserver } from './observers/index.js';
import { prepare } from './prepare.js';
import { defineQuantizer, type Quantizer } from './quantizer.js';
import { linearQuantizer } from './quantizers/weights.js';
import { xnnpackQuantizer } from './quantizers/xnnpack.js';
import { type AnySpec, output, type QuantizationSpec } from './spec.js';
import { errorOf, graphOf, gridsOf, opsOf, quantize, run, tensor } from './test-support.js';

const linear = `graph @main(%x: f32[s0, 4]) where s0 in [1, 8] {
  %fc.weight = parameter "fc.weight" : f32[2, 4] = dense<[1.27, -0.5, 0.25, 0.0, 0.1, 0.2, -2.54, 0.02]>
  %fc.bias = parameter "fc.bias" : f32[2] = dense<[0.5, -0.5]>
  %0 = aten.linear(%x, %fc.weight, %fc.bias) : f32[s0, 2] loc("linear" in "fc")
  return %0
}`;
const static8 = (bias?: 'derived') => xnnpackQuantizer({ global: { ...getXNNPACKQuantizationConfig({ isPerChannel: true }), bias } });

/** Annotates what `place` says with one spec. */
const only = (annotate: Quantizer['annotate']): Quantizer => defineQuantizer({ name: 'only', annotate });
const int8: QuantizationSpec = { kind: 'own', dtype: 'i8', mapping: 'affine', granularity: { kind: 'tensor' }, observer: minMaxObserver() };
const outputs = (op: unknown, spec: AnySpec): Quantizer =>
  only((a) => [...a.graph.nodes()].filter((n) => n.op === op).forEach((n) => a.annotate(n, { output: spec })));

describe('weights', () => {
  test('become integers with scales of channels, and the float constant goes', async () => {
    const { graph } = await quantize(graphOf(linear), linearQuantizer({ global: getSymmetricQuantizationConfig() }));
    expect(printGraph(graph)).toBe(
      `graph @main(%x: f32[s0, 4]) where s0 in [1, 8] {
  %fc.weight.scale = constant "fc.weight.scale" : f32[2] = dense<[0.009960784576833248, 0.019921569153666496]>
  %fc.weight.zero_point = constant "fc.weight.zero_point" : i64[2] = splat<0>
  %fc.weight.q = constant "fc.weight.q" : i8[2, 4] = dense<[127, -50, 25, 0, 5, 10, -128, 1]>
  %fc.bias = parameter "fc.bias" : f32[2] = dense<[0.5, -0.5]>
  %0 = quant.dequantize(%fc.weight.q, %fc.weight.scale, %fc.weight.zero_point) {axis = 0, dtype = f32, granularity = "axis", qmax = 127, qmin = -128} : f32[2, 4]
  %1 = aten.linear(%x, %0, %fc.bias) : f32[s0, 2]
  return %1
}
`,
    );
  });

  test('the graph that is given stays as it is, and converting twice gives the same', async () => {
    const graph = graphOf(linear);
    const prepared = prepare(graph, linearQuantizer({ global: getSymmetricQuantizationConfig() }));
    const first = printGraph(convert(prepared));
    expect(printGraph(convert(prepared))).toBe(first);
    expect(printGraph(graph)).toBe(printGraph(graphOf(linear)));
  });

  test.each([
    ['tensor', getSymmetricQuantizationConfig({ granularity: 'tensor', weightBits: 4 }), 'dequantize tensor -8 7'],
    ['group', getSymmetricQuantizationConfig({ granularity: 'group', groupSize: 2 }), 'dequantize group 1 2 -128 127'],
    ['a group that is a row', getIntxQuantizationConfig({ groupSize: 4 }), 'dequantize axis 0 -8 7'],
    ['bits', getIntxQuantizationConfig({ weightBits: 3, groupSize: 2 }), 'dequantize group 1 2 -4 3'],
    ['channel', getIntxQuantizationConfig({ groupSize: 'channel', mapping: 'asymmetric' }), 'dequantize axis 0 -8 7'],
  ])('scales by %s', async (_, config, grid) => {
    const { graph } = await quantize(graphOf(linear), linearQuantizer({ global: config }));
    expect(gridsOf(graph)).toEqual([grid]);
    const x = tensor([3, 4]);
    const [expected, actual] = [await run(graphOf(linear), [x]), await run(graph, [x])];
    actual[0]!.data.forEach((y, i) => expect(Math.abs(Number(y) - Number(expected[0]!.data[i]))).toBeLessThan(1));
  });

  test('a weight of two linears is quantized once, and an embedding that reads it keeps the floats', async () => {
    const { graph } = await quantize(
      graphOf(`graph @main(%x: f32[3, 4], %i: i64[5]) {
  %w = parameter "w" : f32[4, 4] = dense<[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]>
  %0 = aten.linear(%x, %w) : f32[3, 4]
  %1 = aten.linear(%0, %w) : f32[3, 4]
  %2 = aten.embedding(%w, %i) : f32[5, 4]
  return %1, %2
}`),
      linearQuantizer({ global: getSymmetricQuantizationConfig() }),
    );
    expect(opsOf(graph)).toBe('dequantize linear linear embedding');
    expect(graph.constants.map((c) => c.name)).toEqual(['w.scale', 'w.zero_point', 'w.q', 'w']);
  });

  test('a weight that a run changes is not folded, and one that is computed is left alone', async () => {
    const text = `graph @main(%x: f32[2, 2]) {
  %w = buffer "w" : f32[2, 2] = dense<[1.0, 2.0, 3.0, 4.0]>
  %0 = aten.neg(%w) : f32[2, 2]
  %1 = aten.linear(%x, %w) : f32[2, 2]
  %2 = aten.linear(%1, %0) : f32[2, 2]
  mutate %w = %0
  return %2
}`;
    const { graph } = await quantize(graphOf(text), linearQuantizer({ global: getSymmetricQuantizationConfig() }));
    expect(opsOf(graph)).toBe('neg linear linear');
    expect(graph.mutations).toHaveLength(1);
  });

  test('NaN in a weight is an error that names it', async () => {
    const text = linear.replace('0.25', 'nan');
    const error = await errorOf(() => quantize(graphOf(text), linearQuantizer({ global: getSymmetricQuantizationConfig() })));
    expect(error).toContain('quantizer/nan: operand "weight" of aten.linear at "linear" (fc): "fc.weight" has NaN at element 2');
  });

  test('groups that do not divide are refused with the layer', async () => {
    const error = await errorOf(() => prepare(graphOf(linear), linearQuantizer({ global: getIntxQuantizationConfig({ groupSize: 3 }) })));
    expect(error).toContain(
      'quantizer/group: operand "weight" of aten.linear at "linear" (fc): groups of 3 do not divide axis 1 of shape [2, 4]',
    );
  });
});

describe('activations', () => {
  test('static: what is read and what is computed is quantized, and outputs are dequantized', async () => {
    const { graph } = await quantize(graphOf(linear), static8(), [[tensor([2, 4])], [tensor([5, 4], 2)]]);
    expect(opsOf(graph)).toBe('quantize dequantize dequantize linear quantize dequantize');
    expect(gridsOf(graph)).toEqual([
      'quantize tensor -128 127',
      'dequantize tensor -128 127',
      'dequantize axis 0 -127 127',
      'quantize tensor -128 127',
      'dequantize tensor -128 127',
    ]);
    expect(graph.constants.map((c) => c.name)).toEqual([
      'x.scale',
      'x.zero_point',
      'fc.weight.scale',
      'fc.weight.zero_point',
      'fc.weight.q',
      'fc.bias',
      'linear.scale',
      'linear.zero_point',
    ]);
  });

  test('a derived bias has the product of the scales and zero point 0', async () => {
    const { graph, prepared } = await quantize(graphOf(linear), static8('derived'), [[tensor([4, 4])]]);
    const dq = [...graph.nodes()].find((n) => n.op.name === 'aten.linear')!.operand('bias').producer!;
    const at = (v: Value | undefined): readonly number[] => Array.from(tensorFrom(v!.constant!).data, Number);
    const [input, weight] = ['x.scale', 'fc.weight.scale'].map((name) => at(graph.named(name)));
    expect(dq.operands[0]!.type.dtype).toBe('i32');
    expect(at(dq.operands[1])).toEqual(weight!.map((w) => Math.fround(w * input![0]!)));
    expect(at(dq.operands[2])).toEqual([0, 0]);
    at(dq.operands[0]).forEach((q, i) => expect(q).toBe(Math.round([0.5, -0.5][i]! / at(dq.operands[1])[i]!)));
    expect(prepared.groups.filter((g) => g.spec.kind === 'derived')).toHaveLength(1);
  });

  test('parameters that nobody knows before a run cannot be derived from', async () => {
    const config = { ...getXNNPACKQuantizationConfig({ isDynamic: true }), bias: 'derived' as const };
    const error = await errorOf(() => quantize(graphOf(linear), xnnpackQuantizer({ global: config })));
    expect(error).toContain('derived from those of operand "input" of aten.linear at "linear" (fc), which are not known before a run');
  });

  test('dynamic: one choice of parameters for all readers', async () => {
    const text = `graph @main(%x: f32[s0, 4]) where s0 in [1, 8] {
  %a = parameter "a" : f32[2, 4] = splat<1.0>
  %b = parameter "b" : f32[2, 4] = splat<2.0>
  %0 = aten.linear(%x, %a) : f32[s0, 2]
  %1 = aten.linear(%x, %b) : f32[s0, 2]
  return %0, %1
}`;
    const perTensor = await quantize(graphOf(text), linearQuantizer({ global: getSymmetricQuantizationConfig({ isDynamic: true }) }));
    expect(opsOf(perTensor.graph)).toBe('choose_qparams view view quantize dequantize dequantize linear dequantize linear');
    expect(printGraph(perTensor.graph)).toContain(
      'quant.choose_qparams(%x) {compute = f32, eps = 1.1920928955078125e-7, granularity = "tensor", mapping = "asymmetric", qmax = 127, qmin = -128, scale_dtype = f64, zero_point_dtype = i64}',
    );
    const perRow = await quantize(graphOf(text), linearQuantizer({ global: getIntxQuantizationConfig({ isDynamic: true, groupSize: 2 }) }));
    expect(opsOf(perRow.graph)).toBe('choose_qparams view view quantize dequantize dequantize linear dequantize linear');
    expect(printGraph(perRow.graph)).toContain(
      'quant.choose_qparams(%x) {granularity = "row", mapping = "asymmetric", qmax = 127, qmin = -128, scale_dtype = f32, zero_point_dtype = i8}',
    );
    expect(perTensor.prepared.needsCalibration || perRow.prepared.needsCalibration).toBe(false);
  });

  test('a single row is the whole tensor', async () => {
    const text = linear.replaceAll('s0', '1').replace(' where 1 in [1, 8]', '');
    const { graph } = await quantize(
      graphOf(text),
      linearQuantizer({ global: getIntxQuantizationConfig({ isDynamic: true, groupSize: 2 }) }),
    );
    expect(gridsOf(graph).slice(0, 2)).toEqual(['quantize tensor -128 127', 'dequantize tensor -128 127']);
  });

  const fork = `graph @main(%x: f32[4]) {
  %0 = aten.relu(%x) : f32[4] loc("relu")
  %1 = aten.neg(%0) : f32[4] loc("neg")
  return %0, %1
}`;

  test('all readers of a quantized result see it, the graph return too', async () => {
    const { graph } = await quantize(graphOf(fork), outputs(aten.Relu, int8), [[tensor([4])]]);
    expect(opsOf(graph)).toBe('relu quantize dequantize neg');
    expect(graph.outputs[0]!.producer!.op.name).toBe('quant.dequantize');
  });

  test('an operand with another grid than its producer is quantized on top of it', async () => {
    const both = only((a) => {
      const [relu, neg] = [...a.graph.nodes()];
      a.annotate(relu!, { output: int8 });
      a.annotate(neg!, { inputs: { self: { ...int8, dtype: 'u8' } } });
    });
    const { graph } = await quantize(graphOf(fork), both, [[tensor([4])]]);
    expect(opsOf(graph)).toBe('relu quantize dequantize quantize dequantize neg');
    expect(gridsOf(graph)[2]).toBe('quantize tensor 0 255');
  });

  test('fixed parameters need no data', async () => {
    const { graph, prepared } = await quantize(
      graphOf(fork),
      outputs(aten.Relu, { kind: 'fixed', dtype: 'u8', scale: 1 / 256, zeroPoint: 0 }),
    );
    expect(prepared.needsCalibration).toBe(false);
    expect(printGraph(graph)).toContain('= dense<[0.00390625]>');
  });

  test('a graph input that is annotated is quantized for all its readers', async () => {
    const input = only((a) => a.annotateValue(a.graph.inputs[0]!, int8));
    const { graph } = await quantize(graphOf(fork), input, [[tensor([4])]]);
    expect(opsOf(graph)).toBe('quantize dequantize relu neg');
  });

  test('numbers that are added become tensors on a grid; integers stay integers', async () => {
    const { graph } = await quantize(
      graphOf(`graph @main(%x: f32[4], %i: i64[4]) {
  %0 = aten.add.Scalar(%x) {other = 2.5} : f32[4]
  %1 = aten.add.Scalar(%i) {other = 2} : i64[4]
  %2 = aten.mul.Tensor(%1, %1) : i64[4]
  return %0, %2
}`),
      static8(),
      [[tensor([4]), { dtype: 'i64', shape: [4], data: BigInt64Array.of(1n, 2n, 3n, 4n) }]],
    );
    expect(opsOf(graph)).toBe('quantize dequantize dequantize add.Tensor quantize dequantize add.Scalar mul.Tensor');
    expect(graph.outputs[1]!.type.dtype).toBe('i64');
  });

  test('floats of 16 bits stay such', async () => {
    const { graph } = await quantize(
      graphOf('graph @main(%x: f16[4]) {\n  %0 = aten.relu(%x) : f16[4]\n  return %0\n}'),
      outputs(aten.Relu, int8),
      [[{ dtype: 'f16', shape: [4], data: Float32Array.of(1, 2, 3, 4) }]],
    );
    expect(printGraph(graph)).toContain('difference = f16, dtype = f16');
    expect(graph.outputs[0]!.type.dtype).toBe('f16');
  });

  test('a constant is shown to its observer once a batch, as in torch', async () => {
    const text =
      'graph @main(%x: f32[2]) {\n  %c = constant "c" : f32[2] = dense<[1.0, 3.0]>\n  %0 = aten.add.Tensor(%x, %c) : f32[2]\n  return %0\n}';
    const counting = (last: number): ObserverFactory => ({
      name: 'counting',
      create: () => {
        let count = 0;
        return {
          observe: () => void (count = Math.min(count + 1, last)),
          qparams: () => ({ scale: tensor([], [count]), zeroPoint: { dtype: 'i32', shape: [], data: Int32Array.of(0) } }),
          save: () => ({ count }),
          merge: () => undefined,
        };
      },
    });
    const scaleOf = async (batches: number, last: number): Promise<number> => {
      const spec = { ...int8, observer: counting(last) };
      const sum = only((a) => [...a.graph.nodes()].forEach((n) => a.annotate(n, { inputs: { self: int8, other: spec } })));
      const { graph } = await quantize(
        graphOf(text),
        sum,
        Array.from({ length: batches }, () => [tensor([2])]),
      );
      return Number(tensorFrom(graph.named('c.scale')!.constant!).data[0]);
    };
    expect([await scaleOf(1, 9), await scaleOf(5, 9), await scaleOf(5, 2)]).toEqual([1, 5, 2]);
  });
});

test('specs that cannot be are refused with the place', async () => {
  const graph = (): ReturnType<typeof graphOf> =>
    graphOf(
      'graph @main(%x: f32[4], %i: i64[4]) {\n  %0 = aten.relu(%x) : f32[4] loc("relu")\n  %1 = aten.neg(%i) : i64[4] loc("neg")\n  return %0, %1\n}',
    );
  const error = (op: unknown, spec: Partial<QuantizationSpec>): Promise<string> =>
    errorOf(() => prepare(graph(), outputs(op, { ...int8, ...spec })));
  expect(await error(aten.Relu, { observer: undefined })).toContain('the result of aten.relu at "relu": a static spec has no observer');
  expect(await error(aten.Relu, { isDynamic: true, granularity: { kind: 'axis', axis: 0 } })).toContain(
    'a dynamic spec has granularity "axis"',
  );
  expect(await error(aten.Relu, { granularity: { kind: 'axis', axis: 0 } })).toContain(
    'quantizer/observer: the result of aten.relu at "relu"',
  );
  expect(await error(aten.Relu, { qmin: 3, qmax: 2 })).toContain('quantizer/range');
  expect(await error(aten.Neg, {})).toContain('it has elements of i64, expected floats');
  expect(output(graph().inputs[0]!).kind).toBe('output');
});
