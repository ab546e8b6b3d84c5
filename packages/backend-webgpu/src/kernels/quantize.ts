import { quant } from '@qfuse/ops';
import { type Node, no, nodeAttrs, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type ErrorBound, exact, type KernelSample, type SampleTensor, type WebGPUKernel } from '../kernel.js';
import { knownLayout, layoutOf } from '../storage.js';
import { convert } from '../wgsl/elements.js';
import { mapDispatch } from '../wgsl/map.js';
import { codeFunction, gridFunctions } from '../wgsl/qparams.js';
import { grouping, parameter, reciprocal } from './quantization-grid.js';
import { bindBits } from '../wgsl/ranges.js';
import { fixed, sample } from './samples.js';

/**
 * `quant.quantize` and `quant.dequantize` in all granularities: `q = clamp(round(x · (1 / scale)) + zero, qmin, qmax)`,
 * ties to even, and `x = (q - zero) · scale`. Reciprocals are the nearest f32: those of constants are made on the host, others in integers.
 * So integers equal those of the reference.
 */
const dequantizeError: ErrorBound = { absolute: 0, relative: 2 ** -22 };

function supports(node: Node): Verdict {
  // Other roundings than those of f32 would give other integers at ties.
  const { compute, difference } = nodeAttrs(node);
  if (compute !== 'f32' || difference !== undefined) return no('it is computed with other roundings than those of f32');
  const values = [node.operand('input'), node.results[0]!];
  const float = values.find((v) => layoutOf(v.type.dtype)?.scalar === 'f32');
  if (float === undefined) return no(`the float side is ${values.map((v) => v.type.dtype).join(', ')}, expected f32`);
  const scale = node.operand('scale');
  if (scale.constant === undefined && scale.type.dtype !== 'f32') return no(`the scale is computed in ${scale.type.dtype}, expected f32`);
  const zero = node.operandOrNone('zero_point');
  return zero === undefined || zero.constant !== undefined || layoutOf(zero.type.dtype) !== undefined
    ? yes
    : no(`zero points of ${zero.type.dtype} are not supported`);
}

function emitQuantize(node: Node): Dispatch {
  const [input, output] = [node.operand('input'), node.results[0]!];
  const { qmin, qmax, round_last } = node.attrs as unknown as {
    readonly qmin: number;
    readonly qmax: number;
    readonly round_last: boolean;
  };
  const group = grouping(node, input);
  const scale = reciprocal(node.operand('scale'));
  const zeroValue = node.operandOrNone('zero_point');
  const zero = zeroValue === undefined ? undefined : parameter('zero', zeroValue);
  const at = zero === undefined ? '0.0' : 'zero_at(g)';
  const code = scale.plain
    ? `code_at(bitcast<f32>(x[i]), bitcast<f32>(reciprocal_at(g)), ${at})`
    : `code_of(x[i], grid_of(reciprocal_at(g), ${at}))`;
  return mapDispatch({
    label: 'quantize',
    inputs: [],
    bindings: [bindBits('x', input), scale.binding, ...(zero === undefined ? [] : [zero.binding])],
    output,
    ...group,
    declarations: [
      scale.load,
      zero?.load ?? '',
      codeFunction({ qmin, qmax, roundLast: round_last }),
      scale.plain ? '' : gridFunctions(),
      group.declarations,
    ].join('\n'),
    element: `let g = group_of(i);\nreturn ${convert(code, 'i32', knownLayout(output.type.dtype).scalar)};`,
  });
}

function emitDequantize(node: Node): Dispatch {
  const input = node.operand('input');
  const group = grouping(node, input);
  const scale = parameter('scale', node.operand('scale'));
  const zeroValue = node.operandOrNone('zero_point');
  const zero = zeroValue === undefined ? undefined : parameter('zero', zeroValue);
  const x = convert('load_x(i)', knownLayout(input.type.dtype).scalar, 'f32');
  return mapDispatch({
    label: 'dequantize',
    inputs: [['x', input]],
    bindings: [scale.binding, ...(zero === undefined ? [] : [zero.binding])],
    output: node.results[0]!,
    ...group,
    declarations: [scale.load, zero?.load ?? '', group.declarations].join('\n'),
    element: `let g = group_of(i);\nreturn (${x}${zero === undefined ? '' : ' - zero_at(g)'}) * scale_at(g);`,
  });
}

const range = { qmin: -128, qmax: 127 };
const codes = sample('i8', [4, 6], [-128, 127, 0, 5, -7, 33, 100]);
const ties = sample('f32', [4, 6], [0.25, 0.75, -0.25, 1.25, -1.75, 1000, -1000, Infinity, -Infinity, 0.125]);
/** Numbers below 2^-126, near the largest, and those that have no integer. */
const tiny = sample('f32', [4, 6], [1e-38, -2e-38, 6e-39, NaN, 3e38, -Infinity]);
const scales = (...shape: number[]): SampleTensor => sample('f32', shape, [0.5, 0.1, 0.3, 0.007]);
const zeros = (...shape: number[]): SampleTensor => sample('i64', shape, [3, -5, 0, 127]);

/** All granularities, with and without zero points, computed and constant parameters. */
const samplesFor = (input: SampleTensor, dtype: 'i8' | 'f32'): readonly KernelSample[] => [
  { operands: { input, scale: scales(), zero_point: zeros() }, attrs: { granularity: 'tensor', dtype, ...range } },
  {
    operands: { input, scale: fixed(sample('f64', [], [0.25])), zero_point: fixed(zeros()) },
    attrs: { granularity: 'tensor', dtype, ...range },
  },
  { operands: { input, scale: scales(6), zero_point: zeros(6) }, attrs: { granularity: 'axis', axis: 1, dtype, ...range } },
  { operands: { input, scale: fixed(scales(4)) }, attrs: { granularity: 'axis', axis: 0, dtype, qmin: -127, qmax: 127 } },
  { operands: { input, scale: scales(4, 1), zero_point: sample('i8', [4, 1], [3, -5]) }, attrs: { granularity: 'row', dtype, ...range } },
  { operands: { input, scale: scales(4, 2) }, attrs: { granularity: 'group', axis: 1, group_size: 3, dtype, ...range } },
  {
    operands: { input, scale: scales(2, 3), zero_point: zeros(2, 3) },
    attrs: { granularity: 'block', block_size: [2, 2], dtype, ...range },
  },
];

export const quantizeKernels: readonly WebGPUKernel[] = [
  defineKernel({
    name: 'quantize/quant.quantize',
    op: quant.Quantize,
    packs: ['scale', 'zero_point'],
    error: exact,
    samples: [
      ...samplesFor(ties, 'i8'),
      {
        operands: { input: ties, scale: scales(), zero_point: zeros() },
        attrs: { granularity: 'tensor', dtype: 'i8', round_last: true, ...range },
      },
      ...[fixed, (t: SampleTensor) => t].map((as): KernelSample => ({
        operands: { input: tiny, scale: as(sample('f32', [4], [2 ** -126, 1e-30, 2 ** 126, Infinity])) },
        attrs: { granularity: 'axis', axis: 0, dtype: 'i8', ...range },
      })),
    ],
    supports,
    emit: (node) => [emitQuantize(node)],
  }),
  defineKernel({
    name: 'quantize/quant.dequantize',
    op: quant.Dequantize,
    packs: ['scale', 'zero_point'],
    error: dequantizeError,
    samples: samplesFor(codes, 'f32'),
    supports,
    emit: (node) => [emitDequantize(node)],
  }),
];
