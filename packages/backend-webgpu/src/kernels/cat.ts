import { type Node, no, type Value, yes } from '@qfuse/plugin';
import { bindValue, convert, loadFunction } from '../wgsl/elements.js';
import { defineKernel, type Dispatch, exact, type KernelSample, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { groupsFor, shader } from '../wgsl/shader.js';
import { mapDispatch } from '../wgsl/map.js';
import { attrOf, axisOf, op, present } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * `aten.cat`: operands one after the other along an axis, converted to the result's dtype. Up to `TOGETHER` operands
 * are one dispatch in which each thread asks where its element lies; more are one dispatch each, which writes its part
 * (packed elements cannot be written in parts).
 */
const TOGETHER = 6;
const THREADS = 64;

/** torch leaves out operands of shape [0], whatever the rank of the others. */
const parts = (node: Node): readonly Value[] => {
  const rank = node.results[0]!.type.shape.length;
  return present(node).filter((v) => v.type.shape.length === rank);
};

/** Elements of one operand for each index of the axes before the concatenated one. */
const runOf = (value: Value, axis: number, sizes: Sizes): number =>
  sizes
    .shape(value)
    .slice(axis)
    .reduce((a, b) => a * b, 1);

function together(node: Node, values: readonly Value[], axis: number): Dispatch {
  const output = node.results[0]!;
  const to = knownLayout(output.type.dtype).scalar;
  const lines = ['let outer = i / P.run;', 'var rest = i % P.run;'];
  values.forEach((v, k) => {
    const value = convert(`load_x${k}(outer * P.run${k} + rest)`, knownLayout(v.type.dtype).scalar, to);
    lines.push(
      k === values.length - 1 ? `return ${value};` : `if (rest < P.run${k}) { return ${value}; }`,
      ...(k === values.length - 1 ? [] : [`rest -= P.run${k};`]),
    );
  });
  return mapDispatch({
    label: 'join',
    inputs: values.map((v, k) => [`x${k}`, v] as const),
    output,
    parameters: Object.fromEntries(['run', ...values.map((_, k) => `run${k}`)].map((name) => [name, 'u32' as const])),
    values: (sizes) => ({
      run: runOf(output, axis, sizes),
      ...Object.fromEntries(values.map((v, k) => [`run${k}`, runOf(v, axis, sizes)])),
    }),
    element: lines.join('\n'),
  });
}

function apart(node: Node, values: readonly Value[], axis: number): Dispatch[] {
  const output = node.results[0]!;
  const { scalar } = knownLayout(output.type.dtype);
  return values.map((v, k) => {
    const value = convert('load_x(t)', knownLayout(v.type.dtype).scalar, scalar);
    return shader({
      label: `part`,
      threads: THREADS,
      bindings: [bindValue('x', v), bindValue('y', output, 'read_write')],
      parameters: { n: 'u32', own: 'u32', run: 'u32', before: 'u32' },
      declarations: loadFunction('x', v.type.dtype),
      body: `let t = group * ${THREADS}u + lane;\nif (t >= P.n) { return; }\ny[(t / P.own) * P.run + P.before + t % P.own] = ${scalar === 'bool' ? `select(0u, 1u, ${value})` : value};`,
      launch: (sizes) => ({
        groups: groupsFor(sizes.count(v), THREADS),
        parameters: {
          n: sizes.count(v),
          own: runOf(v, axis, sizes),
          run: runOf(output, axis, sizes),
          before: values.slice(0, k).reduce((sum, w) => sum + runOf(w, axis, sizes), 0),
        },
      }),
    });
  });
}

const samples: readonly KernelSample[] = [
  { operands: { tensors: [f32(2, 3), f32(2, 1), f32(2, 4)] }, attrs: { dim: 1 } },
  { operands: { tensors: [f32(0), f32(2, 3), f32(1, 3)] } },
  { operands: { tensors: [sample('i64', [3]), f32(2)] } },
  { operands: { tensors: [sample('i8', [3]), sample('i8', [2]), sample('i8', [6])] } },
  { operands: { tensors: Array.from({ length: 9 }, (_, i) => f32(3, i, 2)) }, attrs: { dim: -2 } },
  { operands: { tensors: Array.from({ length: 8 }, () => sample('bool', [2])) } },
];

export const catKernels: readonly WebGPUKernel[] = ['aten.cat'].map((name) =>
  defineKernel({
    name: `cat/${name}`,
    op: op(name),
    error: exact,
    samples,
    supports: (node) =>
      parts(node).length <= TOGETHER || knownLayout(node.results[0]!.type.dtype).perWord === 1
        ? yes
        : no(`${parts(node).length} operands of packed ${node.results[0]!.type.dtype}, at most ${TOGETHER} are joined`),
    emit: (node) => {
      const axis = axisOf(attrOf<number>(node, 'dim'), node.results[0]!.type.shape.length);
      const values = parts(node);
      if (values.length === 0) return [];
      return values.length <= TOGETHER ? [together(node, values, axis)] : apart(node, values, axis);
    },
  }),
);
