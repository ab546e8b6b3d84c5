import { constantOf, parseGraph, tensorOf, type Graph, type Node, type Value } from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { allOps, isStaticInput, opTable, quant, quantizedInput, singleConstant, zeroPointRange } from '../index.js';

const ops = opTable(allOps);
const read = (text: string): Graph => parseGraph(text, { ops: (name) => ops.get(name) });
const dequantizeOf = (graph: Graph) => [...graph.nodes()].find((n) => n.op === quant.Dequantize) as Node<typeof quant.Dequantize>;

/** A dequantize of `%q`, with more of a program before it and attributes of its own. */
const program = (parameters: string, body: string, call: string): Graph =>
  read(`graph @main(${parameters}) {\n${body}  ${call}\n  return %d\n}`);
const rows = '{dtype = f32, granularity = "row", qmax = 127, qmin = -128}';
const tensor = '{dtype = f32, granularity = "tensor", qmax = 127, qmin = -128}';

/** What is read, by the names of graph inputs and the ops of nodes. */
function found(graph: Graph) {
  const verdict = quantizedInput(dequantizeOf(graph), graph.env);
  if (!verdict.ok) return verdict.why;
  const name = (v: Value | undefined): string | undefined => v?.name ?? v?.producer?.op.name;
  const { input, scale, zeroPoint, granularity } = verdict.activation;
  return { input: name(input), scale: `${name(scale)}[${scale.type.shape.join()}]`, zeroPoint: name(zeroPoint), granularity };
}

describe('quantizedInput', () => {
  test('looks behind views of scale and zero point, as far as their shapes go with the integers', () => {
    const body = `  %0 = aten.view(%s) {size = [2, 3]} : f32[2, 3]
  %1 = aten.view(%z) {size = [6]} : i32[6]
  %2 = aten.view(%1) {size = [2, 3, 1]} : i32[2, 3, 1]
`;
    const graph = program(
      '%q: u8[2, 3, 8], %s: f32[2, 3, 1], %z: i32[3, 2]',
      body,
      `%d = quant.dequantize(%q, %0, %2) ${rows} : f32[2, 3, 8]`,
    );
    expect(found(graph)).toEqual({ input: 'q', scale: 's[2,3,1]', zeroPoint: 'aten.view', granularity: 'row' });
  });

  test('a zero point that is known to be 0 is none', () => {
    const chosen = (mapping: string): Graph =>
      program(
        '%x: f32[4], %q: i8[4]',
        `  %s, %z = quant.choose_qparams(%x) {granularity = "tensor", mapping = "${mapping}", qmax = 127, qmin = -128} : f32[], i32[]\n`,
        `%d = quant.dequantize(%q, %s, %z) ${tensor} : f32[4]`,
      );
    expect(found(chosen('symmetric'))).toMatchObject({ zeroPoint: undefined });
    expect(found(chosen('asymmetric'))).toMatchObject({ zeroPoint: 'quant.choose_qparams' });
    const constant = (z: string): Graph =>
      program('%q: i8[4], %s: f32[]', `  %z = constant "z" : ${z}\n`, `%d = quant.dequantize(%q, %s, %z) ${tensor} : f32[4]`);
    expect(found(constant('f32[] = dense<[0.0]>'))).toMatchObject({ zeroPoint: undefined });
    expect(found(constant('i64[1] = dense<[5]>'))).toMatchObject({ zeroPoint: 'z' });
    expect(found(constant('f32[] = dense<[0.5]>'))).toBe("the activation's zero point is f32, expected integers");
  });

  test.each([
    ['%q: i8[s0, 8], %s: f32[s1]', 'f32[s0, 8]', rows, "the activation's scale is not known to be one a row"],
    ['%q: i4[2, 8], %s: f32[2]', 'f32[2, 8]', rows, 'the activation is i4, expected i8 or u8'],
    [
      '%q: i8[2, 8], %s: f32[8]',
      'f32[2, 8]',
      '{axis = 1, dtype = f32, granularity = "axis", qmax = 127, qmin = -128}',
      'the activation has scales of granularity "axis", expected one for the whole tensor or one a row',
    ],
  ])('refuses %s', (parameters, type, attrs, why) => {
    const text = `graph @main(${parameters}) where s0 in [1, 9], s1 in [1, 9] {\n  %d = quant.dequantize(%q, %s) ${attrs} : ${type}\n  return %d\n}`;
    expect(found(read(text))).toBe(why);
  });

  test('16-bit differences are exact as far as zero points are known', () => {
    const bf16 = '{difference = bf16, dtype = f32, granularity = "tensor", qmax = 127, qmin = -128}';
    const graph = (z: string): Graph => program(`%q: i8[4], %s: f32[], %z: ${z}`, '', `%d = quant.dequantize(%q, %s, %z) ${bf16} : f32[4]`);
    expect(found(graph('i8[]'))).toMatchObject({ zeroPoint: 'z' });
    expect(found(graph('u8[]'))).toContain('they may reach 383');
  });
});

test('zeroPointRange is that of constants, of what was chosen, or of the dtype', () => {
  const graph = read(`graph @main(%x: f32[4], %z: i8[], %f: f32[]) {
  %c = constant "c" : i64[3] = dense<[4, -2, 9]>
  %0, %1 = quant.choose_qparams(%x) {granularity = "tensor", mapping = "asymmetric", qmax = 100, qmin = 3, zero_point_dtype = f32} : f32[], f32[]
  %2 = aten.view(%1) {size = [1]} : f32[1]
  %3, %4, %5 = fused.dynamic_quantize(%x) {dtype = u8, granularity = "tensor", mapping = "symmetric", qmax = 255, qmin = 0} : u8[4], f32[], i32[]
  return %2, %5, %z, %f, %0, %c
}`);
  expect(graph.outputs.map(zeroPointRange)).toEqual([[3, 100], [128, 128], [-128, 127], undefined, undefined, [-2, 9]]);
});

test('isStaticInput asks for one grid that is known', () => {
  const graph = (s: string, z: string): Graph =>
    read(`graph @main(%q: i8[2, 2], %x: f32[], %y: i32[]) {
  %c = constant "c" : f32[] = dense<[0.5]>
  %i = constant "i" : i32[] = dense<[1]>
  %d = quant.dequantize(%q, %${s}, %${z}) ${tensor} : f32[2, 2]
  return %d
}`);
  const answers = [graph('c', 'i'), graph('x', 'i'), graph('c', 'y')].map((g) => isStaticInput(dequantizeOf(g)));
  expect(answers).toEqual([true, false, false]);
});

test('singleConstant converts data once, and keeps what is as asked', () => {
  const f64 = constantOf(tensorOf('f64', [1], [0.1]));
  const f32 = singleConstant(f64, 'f32');
  expect([f32.type.dtype, f32.type.shape, new Float32Array(f32.bytes().slice().buffer)[0]]).toEqual(['f32', [], Math.fround(0.1)]);
  expect(singleConstant(f64, 'f32')).toBe(f32);
  expect(singleConstant(f32, 'f32')).toBe(f32);
});
