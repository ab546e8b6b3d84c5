import {
  type AnyOp,
  applyRules,
  constantOf,
  type DType,
  Editor,
  floatScalar,
  Graph,
  intScalar,
  nodeAttrs,
  tensorOf,
  tensorType,
  type Value,
} from '@qfuse/plugin';
import { runGraph } from '@qfuse/interp';
import { aten } from '@qfuse/ops';
import { type Random, type Soil, testPass } from '@qfuse/testing';
import { expect, test } from 'vitest';
import { soils } from '../test/soil.js';
import raiseQdq, { pass } from './index.js';

/** Sizes of one planted graph: drawn once, so that operands fit each other. */
interface Sizes {
  readonly shape: readonly number[];
  readonly scales: readonly number[];
  readonly axes: readonly number[];
}
const drawn = new WeakMap<Random, Sizes>();
function sizesOf(random: Random): Sizes {
  let sizes = drawn.get(random);
  if (sizes === undefined) {
    const [n, k] = [random.int(1, 5), random.int(1, 7)];
    const lead = random.chance(0.2) ? [2] : [];
    const rows = [...lead, n, 1];
    const scales = random.pick([rows, rows, rows, [1, k], [k], [], [1], [n, k]]);
    const rank = lead.length + 2;
    const axes = random.pick([[rank - 1], [-1], Array.from({ length: rank }, (_, i) => i), [0]]);
    drawn.set(random, (sizes = { shape: [...lead, n, k], scales, axes }));
  }
  return sizes;
}

const codes: readonly DType[] = ['i8', 'i8', 'u8', 'i16'];

function value(name: string, random: Random): ReturnType<NonNullable<Soil['value']>> {
  const { shape, scales, axes } = sizesOf(random);
  if (name === 'scale') return { type: tensorType('f32', scales), range: [0.01, 1] };
  if (name === 'zeros') return { type: tensorType(random.pick(codes), scales) };
  if (name === 'first') return { type: tensorType('f32', []), range: [-128, -128] };
  if (name !== '') return { type: tensorType('f32', shape) };
  const reduced = shape.filter((_, i) => !axes.includes(i) && !axes.includes(i - shape.length));
  return { type: tensorType('f32', random.chance(0.5) ? [] : reduced), range: random.chance(0.9) ? [0, 0] : [0, 1] };
}

const eps = floatScalar(1.1754943508222875e-38);

function attrs(op: AnyOp, random: Random, slots: readonly (Value | undefined)[]): Readonly<Record<string, unknown>> {
  const from = slots[0]?.producer?.op;
  if (op === aten.ToCopy) return { dtype: from === aten.Clamp ? random.pick(['i8', 'i32']) : random.chance(0.95) ? 'f32' : 'f64' };
  if (op === aten.Clamp && from === aten.DivScalar) return { min: eps, max: random.chance(0.9) ? undefined : floatScalar(1) };
  if (op === aten.Clamp)
    return random.chance(0.9) ? { min: intScalar(-128), max: intScalar(127) } : { min: intScalar(-128), max: undefined };
  if (op === aten.DivScalar) return { other: floatScalar(random.chance(0.9) ? 255 : 254) };
  if (op === aten.Amin || op === aten.Amax) return { dim: sizesOf(random).axes, keepdim: false };
  if (op === aten.FullLike || op === aten.Full) return { fill_value: intScalar(random.chance(0.9) ? 0 : 1), size: [], dtype: 'f32' };
  if (op === aten.AddTensor || op === aten.SubTensor) return random.chance(0.95) ? {} : { alpha: intScalar(2) };
  return {};
}

const soil: Soil = { value, attrs };
const chosen = Object.fromEntries(pass.rules!.map(({ name }) => [name, soil]));

testPass(import.meta.url, raiseQdq(), { soil: { ...chosen, ...soils }, plants: 1000, reach: 0.05 });

test('the range of a constant is that of its dtype when it is not to be recovered', () => {
  const make = (): Graph => {
    const graph = new Graph('table');
    const edit = new Editor(graph);
    const q = edit.constant(constantOf(tensorOf('i8', [1, 2], [-8, 7])), 'q');
    const cast = edit.create(aten.ToCopy, { self: q }, { dtype: 'f32' }).result;
    edit.setOutputs(edit.create(aten.MulTensor, { self: cast, other: edit.constant(constantOf(tensorOf('f32', [], [0.5])), 's') }).results);
    return graph;
  };
  const rangeOf = (p: typeof pass): readonly unknown[] => {
    const graph = make();
    applyRules(new Editor(graph), p.rules!);
    return [...graph.nodes()].map((n) => [n.op.name, nodeAttrs(n)['qmin'], nodeAttrs(n)['qmax']]);
  };
  expect(rangeOf(pass)).toEqual([['quant.dequantize', -8, 7]]);
  expect(rangeOf(pass.with({ recover_range: false }) as typeof pass)).toEqual([['quant.dequantize', -128, 127]]);
});

// What decomposing the ops gives is what the rules take back: the same numbers, bit for bit, at the edges too.
test('codes at ties, infinities and NaN are those of the arithmetic', () => {
  const make = (): Graph => {
    const graph = new Graph('edges');
    const edit = new Editor(graph);
    const x = edit.addInput('x', tensorType('f32', [2, 4]));
    const s = edit.addInput('s', tensorType('f32', [2, 1]));
    const z = edit.addInput('z', tensorType('i8', [2, 1]));
    const product = edit.create(aten.MulTensor, { self: x, other: edit.create(aten.Reciprocal, { self: s }).result }).result;
    const sum = edit.create(aten.AddTensor, { self: edit.create(aten.Round, { self: product }).result, other: z }).result;
    const bounded = edit.create(aten.Clamp, { self: sum }, { min: intScalar(-128), max: intScalar(127) }).result;
    edit.setOutputs([edit.create(aten.ToCopy, { self: bounded }, { dtype: 'i8' }).result]);
    return graph;
  };
  const inputs = [
    tensorOf('f32', [2, 4], [0.5, 1.5, -2.5, Number.NaN, Infinity, -Infinity, 1e30, 0.1]),
    tensorOf('f32', [2, 1], [1, 0.1]),
    tensorOf('i8', [2, 1], [0, -3]),
  ];
  const [before, after] = [make(), make()];
  expect(applyRules(new Editor(after), pass.rules!).applied).toBe(1);
  expect(runGraph(after, inputs).outputs).toEqual(runGraph(before, inputs).outputs);
});
