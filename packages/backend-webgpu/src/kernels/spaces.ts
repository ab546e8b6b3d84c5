import { floatScalar, intScalar, type Node, no, type Scalar, scalarNumber, type Verdict, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, type ErrorBound, exact, type KernelSample, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { convert } from '../wgsl/elements.js';
import { mapDispatch } from '../wgsl/map.js';
import { attrOf, op } from './ops.js';
import { sample } from './samples.js';

/** Tensors that follow from positions: numbers between two bounds, ones on a diagonal, classes as vectors. */
const spread: ErrorBound = { absolute: 0, relative: 2 ** -21, sums: true };

/** `start + i · step` in the first half, counted from the end in the second, so that both bounds are met exactly. */
function linspace(node: Node): Dispatch {
  const bounds = ['start', 'end'] as const;
  const tensors = bounds.filter((name) => node.op.operandNames.includes(name));
  const given = (name: (typeof bounds)[number]): string =>
    tensors.includes(name) ? convert(`load_${name}(0u)`, knownLayout(node.operand(name).type.dtype).scalar, 'f32') : `P.${name}`;
  const numbers = bounds.filter((name) => !tensors.includes(name));
  return mapDispatch({
    label: 'linspace',
    inputs: tensors.map((name) => [name, node.operand(name)] as const),
    output: node.result,
    parameters: Object.fromEntries(numbers.map((name) => [name, 'f32'] as const)),
    values: () => Object.fromEntries(numbers.map((name) => [name, scalarNumber(attrOf<Scalar>(node, name))])),
    element: `let start = ${given('start')};
let end = ${given('end')};
if (P.n == 1u) { return start; }
let step = (end - start) / f32(P.n - 1u);
if (i < P.n / 2u) { return start + step * f32(i); }
return end - step * f32(P.n - i - 1u);`,
  });
}

const floats = (node: Node): Verdict =>
  node.result.type.dtype === 'f32'
    ? yes
    : no(`the result is ${node.result.type.dtype}: numbers between, rounded to f32, could be cut to others`);

function eye(node: Node): Dispatch {
  const output = node.result;
  return mapDispatch({
    label: 'eye',
    inputs: [],
    output,
    parameters: { columns: 'u32' },
    values: (sizes) => ({ columns: sizes.shape(output)[1]! }),
    element: `return ${convert('(i / P.columns == i % P.columns)', 'bool', knownLayout(output.type.dtype).scalar)};`,
  });
}

const oneHot = (node: Node): Dispatch =>
  mapDispatch({
    label: 'one hot',
    inputs: [['x', node.operand('self')]],
    output: node.result,
    parameters: { classes: 'u32' },
    values: () => ({ classes: attrOf<number>(node, 'num_classes') }),
    element: 'return select(0i, 1i, load_x(i / P.classes) == i32(i % P.classes));',
  });

type Space = readonly [
  emit: (node: Node) => Dispatch,
  error: ErrorBound,
  samples: readonly KernelSample[],
  supports?: (node: Node) => Verdict,
];
const made = (...attrs: readonly KernelSample['attrs'][]): readonly KernelSample[] => attrs.map((a) => ({ operands: {}, attrs: a }));
const number = (value: number) => sample('f32', [], [value]);
const steps = [0, 1, 2, 7, 64].map((count) => ({ steps: count, dtype: 'f32' }));

const spaces: Readonly<Record<string, Space>> = {
  linspace: [linspace, spread, made(...steps.map((s) => ({ ...s, start: floatScalar(-3), end: floatScalar(1e3) }))), floats],
  'linspace.Tensor_Tensor': [
    linspace,
    spread,
    steps.map((attrs) => ({ operands: { start: number(2.5), end: sample('i64', [], [-4]) }, attrs })),
    floats,
  ],
  'linspace.Tensor_Scalar': [
    linspace,
    spread,
    steps.map((attrs) => ({ operands: { start: number(-0.1) }, attrs: { ...attrs, end: intScalar(5) } })),
    floats,
  ],
  'linspace.Scalar_Tensor': [
    linspace,
    spread,
    steps.map((attrs) => ({ operands: { end: number(0.7) }, attrs: { ...attrs, start: intScalar(5) } })),
    floats,
  ],
  eye: [eye, exact, made({ n: 5 }, { n: 3, dtype: 'bool' }, { n: 0 })],
  'eye.m': [eye, exact, made({ n: 3, m: 7 }, { n: 5, m: 2, dtype: 'i8' })],
  one_hot: [
    oneHot,
    exact,
    [
      { operands: { self: sample('i64', [3, 2], [0, 4, 2]) }, attrs: { num_classes: 5 } },
      { operands: { self: sample('i64', [], [1]) }, attrs: { num_classes: 2 } },
      { operands: { self: sample('i64', [0]) }, attrs: { num_classes: 3 } },
    ],
  ],
};

/** The kernels of this family. */
export const spaceKernels: readonly WebGPUKernel[] = Object.entries(spaces).map(([name, [emit, error, samples, supports = () => yes]]) =>
  defineKernel({ name: `space/aten.${name}`, op: op(`aten.${name}`), error, samples, supports, emit: (node) => [emit(node)] }),
);
