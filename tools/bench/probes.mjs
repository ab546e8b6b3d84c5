/**
 * Kernels that say what the machine does at the moment: a copy (the bandwidth there is), a chain of multiply-adds (the clock), a sweep
 * over more memory than a cache holds (so that weights come from memory), and a sink, which needs a value without reading it back.
 */
import { defineKernel, shader } from '@qfuse/backend-webgpu';
import { attr, tensor, tensorType } from '@qfuse/ir';
import { defineOp } from '@qfuse/ops';

const unused = () => {
  throw new Error('an op of the benchmark runs on devices only');
};
const supports = () => ({ ok: true });
const probe = (name, summary, infer) => defineOp({ name: `bench.${name}`, summary, operands: { x: tensor() }, infer, reference: unused });
const same = ({ operands: { x } }) => [x];
const one = () => [tensorType('f32', [1])];

export const Copy = probe('copy', 'every element', same);
export const Clock = probe('clock', 'the time of dependent multiply-adds', one);
export const Sweep = defineOp({
  name: 'bench.sweep',
  summary: 'many numbers that nobody needs',
  operands: { x: tensor() },
  attrs: { count: attr.int() },
  infer: ({ attrs }) => [tensorType('f32', [attrs.count])],
  reference: unused,
});
export const Sink = probe('sink', 'nothing', one);

const read = (name, value, type) => ({ name, type, access: 'read', from: value });
const write = (name, value, type) => ({ name, type, access: 'read_write', from: value });
const vectors = 'array<vec4<f32>>';

/** A thread for each 16 bytes of the result, whose size is a multiple of 16; `element` is what thread `i` writes there. */
const stream = (op, label, element) =>
  defineKernel({
    name: `bench/${label}`,
    op,
    supports,
    emit: (node) => [
      shader({
        label,
        threads: 256,
        bindings: [read('x', node.operand('x'), vectors), write('y', node.result, vectors)],
        parameters: { n: 'u32' },
        body: `let i = group * 256u + lane;\nif (i < P.n) { y[i] = ${element}; }`,
        launch: (sizes) => {
          const n = sizes.count(node.result) / 4;
          return { groups: Math.ceil(n / 256), parameters: { n } };
        },
      }),
    ],
  });

/** Multiply-adds in the chain of {@link Clock}. */
const CHAIN = 16384;

const clock = defineKernel({
  name: 'bench/clock',
  op: Clock,
  supports,
  emit: (node) => [
    shader({
      label: 'clock',
      threads: 32,
      bindings: [read('x', node.operand('x'), 'array<f32>'), write('y', node.result, 'array<f32>')],
      body: `var a = f32(lane);
let b = x[0];
let c = x[1];
for (var i = 0u; i < ${CHAIN / 64}u; i++) { ${'a = fma(a, b, c); '.repeat(64)} }
if (lane == 0u) { y[0] = a; }`,
      launch: () => ({ groups: 1, parameters: {} }),
    }),
  ],
});

const sink = defineKernel({
  name: 'bench/sink',
  op: Sink,
  supports,
  emit: (node) => [
    shader({
      label: 'sink',
      threads: 32,
      bindings: [read('x', node.operand('x'), 'array<u32>'), write('y', node.result, 'array<f32>')],
      body: 'if (lane == 0u) { y[0] = bitcast<f32>(x[0] & 0xffffu); }',
      launch: () => ({ groups: 1, parameters: {} }),
    }),
  ],
});

export const probeKernels = [stream(Copy, 'copy', 'x[i]'), stream(Sweep, 'sweep', 'x[0] + f32(i)'), clock, sink];
