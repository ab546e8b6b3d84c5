import { fused } from '@qfuse/ops';
import { type Constant, type Node, no, type Verdict, yes } from '@qfuse/plugin';
import { numbersOf } from '../integer-packing.js';
import { defineKernel, type Dispatch, exact, type Scratch, type Sizes, type WebGPUKernel } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { integerForms } from '../wgsl/integer-linear.js';
import { mapDispatch } from '../wgsl/map.js';
import { canRequantize, type MultiplierSource, packMultipliers, type Requantize } from '../wgsl/requantize.js';
import { integerSizes } from './integer-operands.js';
import { integerCost, integerLayers, integersFit } from './linear-integer.js';
import { reciprocals } from './quantization-grid.js';

/**
 * `fused.q8ta_linear`: as `linear-integer.ts`, with the result requantized to codes, which are those of float64, see `requantize.ts`. A thread makes
 * four codes of a row, a word. Where rows are no whole words, the words go through scratch memory and are packed by a second dispatch.
 */
type CodesNode = Node<typeof fused.Q8taLinear>;

const bitsOf = (node: CodesNode): 4 | 8 => (node.operand('weight').type.dtype === 'i4' ? 4 : 8);

/** Constants that the multipliers are made from, by operand. */
function parametersOf(node: CodesNode): Readonly<Record<string, Constant | undefined>> {
  const names = ['input_scale', 'scales', 'bias', 'output_scale', 'output_zero_point'] as const;
  return Object.fromEntries(names.map((name) => [name, node.operandOrNone(name)?.constant]));
}

function sourceOf(node: CodesNode): MultiplierSource {
  const { input_scale: input, scales, bias, output_scale: output, output_zero_point: zero } = parametersOf(node);
  const [s] = numbersOf(input!);
  return {
    scales: numbersOf(scales!).map((x) => x * s!),
    bias: numbersOf(bias),
    inverse: numbersOf(reciprocals(output!))[0]!,
    zero: numbersOf(zero)?.[0] ?? 0,
    largest: (integerSizes(node, bitsOf(node)) as { readonly largest: number }).largest,
  };
}

function supports(node: CodesNode, target: WebGPUTarget): Verdict {
  const constants = parametersOf(node);
  for (const name of Object.keys(constants))
    if (constants[name] === undefined && node.operandOrNone(name as 'bias') !== undefined)
      return no(`${name} is computed, expected a constant: the codes of the result follow from it exactly`);
  const fits = integersFit(node, bitsOf(node), target);
  if (!fits.ok) return fits;
  const sizes = integerSizes(node, bitsOf(node));
  if (typeof sizes !== 'string' && sizes.wide) return no("the input's zero point is not known to be so small that integer sums are exact");
  const all = Object.values(constants).every((c) => c === undefined || c.resolved);
  return all ? canRequantize(sourceOf(node)) : yes;
}

function emit(node: CodesNode, target: WebGPUTarget): readonly Dispatch[] {
  const { qmin, qmax } = node.attrs;
  const { output_zero_point: zero, scales, ...others } = parametersOf(node);
  const [columns] = node.operand('weight').type.shape as readonly [number, number];
  const multipliers = packMultipliers(
    scales!,
    Object.values(others)
      .map((c) => c?.key ?? '')
      .join(),
    () => sourceOf(node),
  );
  const requantize: Requantize = { qmin, qmax, zero: numbersOf(zero)?.[0] ?? 0, multipliers };
  const words = Math.ceil(columns / 4);
  const rows = (sizes: Sizes): number =>
    sizes
      .shape(node.operand('input'))
      .slice(0, -1)
      .reduce((a, b) => a * b, 1);
  const scratch: Scratch = { scratch: 'codes', bytes: (sizes) => 4 * words * rows(sizes) };
  const y = columns % 4 === 0 ? node.result : scratch;
  const layers = integerLayers(node, bitsOf(node), target, { y, requantize }).flatMap((layer) => integerForms(layer, target));
  return columns % 4 === 0 ? layers : [...layers, packRows(node, scratch, columns)];
}

/** Rows of whole words, the last filled up, as rows that follow one another. */
const packRows = (node: CodesNode, scratch: Scratch, columns: number): Dispatch =>
  mapDispatch({
    label: 'pack rows',
    inputs: [],
    bindings: [{ name: 'codes', type: 'array<u32>', access: 'read', from: scratch }],
    output: node.result,
    parameters: { columns: 'u32', words: 'u32' },
    values: () => ({ columns, words: Math.ceil(columns / 4) }),
    element: `let c = i % P.columns;
let code = codes[(i / P.columns) * P.words + c / 4u] >> (8u * (c % 4u));
return ${node.attrs.dtype === 'i8' ? 'bitcast<i32>(code)' : 'code & 255u'};`,
  });

export const codesLinearKernels: readonly WebGPUKernel[] = [
  defineKernel({
    name: 'packed-linear/fused.q8ta_linear',
    op: fused.Q8taLinear,
    packs: ['weight', 'scales', 'zero_points', 'bias', 'input_scale', 'input_zero_point', 'output_scale', 'output_zero_point'],
    error: exact,
    supports,
    emit,
    cost: (node, sizes) => integerCost(node, bitsOf(node), 1, sizes),
  }),
];
