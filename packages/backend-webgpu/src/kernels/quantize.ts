import { type GranularityAttrs, quant } from '@qfuse/ops';
import { type Constant, type Node, no, nodeAttrs, type Value, type Verdict, yes } from '@qfuse/plugin';
import {
  type Binding,
  defineKernel,
  type Dispatch,
  type ErrorBound,
  exact,
  type KernelSample,
  type SampleTensor,
  type Sizes,
  type WebGPUKernel,
} from '../kernel.js';
import { floatConstant } from '../packing.js';
import { knownLayout, layoutOf } from '../storage.js';
import { bindValue, convert, loadFunction } from '../wgsl/elements.js';
import { indexing, rowMajor } from '../wgsl/indexing.js';
import { type MapInit, mapDispatch } from '../wgsl/map.js';
import { axisOf } from './ops.js';
import { fixed, sample } from './samples.js';

/**
 * `quant.quantize` and `quant.dequantize` in all granularities: `q = clamp(round(x · (1 / scale)) + zero, qmin, qmax)`,
 * ties to even, and `x = (q - zero) · scale`. The reciprocal is refined to the nearest f32, so that codes equal torch's.
 */
const dequantizeError: ErrorBound = { absolute: 0, relative: 2 ** -22 };

type Attributes = GranularityAttrs & { readonly qmin: number; readonly qmax: number };

/** WGSL for the index of the scale of element `i`, as `group_of(i)`. */
function grouping(node: Node, value: Value): Pick<Required<MapInit>, 'parameters' | 'values' | 'declarations'> {
  const g = node.attrs as unknown as Attributes;
  const rank = value.type.shape.length;
  const make = (body: string, parameters: readonly string[], values: (sizes: Sizes) => Record<string, number>) => ({
    declarations: `fn group_of(i: u32) -> u32 {\n  ${body}\n}`,
    parameters: Object.fromEntries(parameters.map((p) => [p, 'u32'] as const)),
    values,
  });
  if (g.granularity === 'tensor') return make('return 0u;', [], () => ({}));
  if (g.granularity === 'row') return make('return i / P.width;', ['width'], (sizes) => ({ width: sizes.shape(value).at(-1)! }));
  if (g.granularity === 'axis') {
    const axis = axisOf(g.axis!, rank);
    return make('return (i / P.inner) % P.size;', ['inner', 'size'], (sizes) => {
      const shape = sizes.shape(value);
      return { inner: rowMajor(shape)[axis]!, size: shape[axis]! };
    });
  }
  const blocks = (sizes: Sizes): number[] => {
    const shape = sizes.shape(value);
    if (g.granularity === 'group') return shape.map((_, a) => (a === axisOf(g.axis!, rank) ? g.group_size! : 1));
    return g.block_size!.map((d) => sizes.dim(d));
  };
  const index = indexing(value.type.shape, [
    {
      strides: (sizes) => {
        const size = blocks(sizes);
        return rowMajor(sizes.shape(value).map((d, a) => Math.ceil(d / size[a]!)));
      },
    },
  ]);
  const names = value.type.shape.map((_, a) => `b${a}`);
  const at = index.at[0]!.replace(/c(\d+) \* /g, (_m, a: string) => `(c${a} / P.b${a}) * `);
  const made = make(`${index.coordinates}\n  return ${at};`, names, (sizes) => ({
    ...index.values(sizes),
    ...Object.fromEntries(blocks(sizes).map((b, a) => [names[a]!, b])),
  }));
  return { ...made, parameters: { ...index.parameters, ...made.parameters } };
}

function supports(node: Node): Verdict {
  // Other roundings than those of f32 would give other integers at ties.
  const { compute, round_last, difference } = nodeAttrs(node);
  if (compute !== 'f32' || round_last === true || difference !== undefined)
    return no('it is computed with other roundings than those of f32');
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

/** Scales and zero points: constants of any dtype are held as f32, computed ones as they are. */
function parameter(name: string, value: Value): { readonly binding: Binding; readonly load: string } {
  const constant: Constant | undefined = value.constant;
  if (constant !== undefined)
    return {
      binding: { name, type: 'array<f32>', access: 'read', from: floatConstant(constant) },
      load: `fn ${name}_at(g: u32) -> f32 { return ${name}[g]; }`,
    };
  const { dtype } = value.type;
  return {
    binding: bindValue(name, value),
    load: `${loadFunction(name, dtype)}\nfn ${name}_at(g: u32) -> f32 { return ${convert(`load_${name}(g)`, knownLayout(dtype).scalar, 'f32')}; }`,
  };
}

function emit(node: Node, direction: 'quantize' | 'dequantize'): Dispatch {
  const input = node.operand('input');
  const output = node.results[0]!;
  const g = node.attrs as unknown as Attributes;
  const group = grouping(node, input);
  const scale = parameter('scale', node.operand('scale'));
  const zeroValue = node.operandOrNone('zero_point');
  const zero = zeroValue === undefined ? undefined : parameter('zero', zeroValue);
  const x = convert('load_x(i)', knownLayout(input.type.dtype).scalar, 'f32');
  const { scalar } = knownLayout(output.type.dtype);
  // The lower bound is a NaN's code: max() of a NaN and a number is the number.
  const quantize = `let s = scale_at(g);
var r = 1.0 / s;
let better = fma(r, fma(-s, r, 1.0), r);
r = select(r, better, better - better == 0.0);
let q = clamp(round(load_x(i) * r)${zero === undefined ? '' : ' + zero_at(g)'}, ${g.qmin}.0, ${g.qmax}.0);
return ${convert('i32(q)', 'i32', scalar)};`;
  const dequantize = `return (${x}${zero === undefined ? '' : ' - zero_at(g)'}) * scale_at(g);`;
  return mapDispatch({
    label: direction,
    inputs: [['x', input]],
    bindings: [scale.binding, ...(zero === undefined ? [] : [zero.binding])],
    output,
    ...group,
    declarations: [scale.load, zero?.load, group.declarations].filter((t) => t !== undefined).join('\n'),
    element: `let g = group_of(i);\n${direction === 'quantize' ? quantize : dequantize}`,
  });
}

const range = { qmin: -128, qmax: 127 };
const codes = sample('i8', [4, 6], [-128, 127, 0, 5, -7, 33, 100]);
const ties = sample('f32', [4, 6], [0.25, 0.75, -0.25, 1.25, -1.75, 1000, -1000, Infinity, -Infinity, 0.125]);
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
    samples: samplesFor(ties, 'i8'),
    supports,
    emit: (node) => [emit(node, 'quantize')],
  }),
  defineKernel({
    name: 'quantize/quant.dequantize',
    op: quant.Dequantize,
    packs: ['scale', 'zero_point'],
    error: dequantizeError,
    samples: samplesFor(codes, 'f32'),
    supports,
    emit: (node) => [emit(node, 'dequantize')],
  }),
];
