import { promoteTypes } from '@qfuse/ops';
import { type DType, floatScalar, intScalar, isFloat, type Node, no, type Scalar, type Value, type Verdict, yes } from '@qfuse/plugin';
import { type Cost, defineKernel, type Dispatch, exact, type KernelSample, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout, layoutOf } from '../storage.js';
import { convert } from '../wgsl/elements.js';
import { mapDispatch } from '../wgsl/map.js';
import { literal } from './elementwise.js';
import { attrOf, op, present } from './ops.js';
import { f32, sample } from './samples.js';

/** Where values belong in sorted lines, by bisection: bucketize and searchsorted. A NaN belongs at the end. */
interface Search {
  readonly sequence: Value;
  /** Elements, or a number. */
  readonly wanted: Value | Scalar;
  readonly sorter: Value | undefined;
  readonly right: boolean;
}

const isValue = (wanted: Value | Scalar): wanted is Value => !('kind' in wanted);

function searchOf(node: Node): Search {
  const has = (name: string): boolean => node.op.operandNames.includes(name);
  return {
    sequence: node.operand(has('boundaries') ? 'boundaries' : 'sorted_sequence'),
    wanted: has('self') ? node.operand('self') : attrOf<Scalar>(node, 'self'),
    sorter: has('sorter') ? node.operandOrNone('sorter') : undefined,
    right: attrOf<boolean>(node, 'right') || attrOf<string | undefined>(node, 'side') === 'right',
  };
}

/** The dtype in which elements are compared: what torch promotes both to; a number only brings in its kind. */
function comparedIn({ sequence, wanted }: Search): DType {
  const { dtype } = sequence.type;
  if (isValue(wanted)) return promoteTypes(dtype, wanted.type.dtype);
  return wanted.kind === 'float' && !isFloat(dtype) ? 'f32' : dtype;
}

function supports(node: Node): Verdict {
  const dtype = comparedIn(searchOf(node));
  return layoutOf(dtype) === undefined ? no(`elements are compared as ${dtype}, which WebGPU does not have`) : yes;
}

function emit(node: Node): Dispatch {
  const search = searchOf(node);
  const { sequence, wanted, sorter, right } = search;
  const type = knownLayout(comparedIn(search)).scalar;
  const own = (name: string, value: Value, at: string): string =>
    convert(`load_${name}(${at})`, knownLayout(value.type.dtype).scalar, type);
  const position = sorter === undefined ? 'start + middle' : 'start + u32(load_sorter(start + middle))';
  const numbers = type === 'f32' ? ' && !is_nan(element) && !is_nan(value)' : '';
  return mapDispatch({
    label: 'search',
    inputs: [
      ['line', sequence],
      ...(isValue(wanted) ? [['wanted', wanted] as const] : []),
      ...(sorter === undefined ? [] : [['sorter', sorter] as const]),
    ],
    output: node.result,
    parameters: { size: 'u32', each: 'u32' },
    values: (sizes) => {
      const lines = sizes.shape(sequence);
      // One line serves all values, or as many as its row has.
      const each = lines.length === 1 ? sizes.count(node.result) : (sizes.shape(node.result).at(-1) ?? 1);
      return { size: lines.at(-1)!, each };
    },
    element: `let value = ${isValue(wanted) ? own('wanted', wanted, 'i') : literal(wanted, type)};
let start = (i / P.each) * P.size;
var low = 0u;
var high = P.size;
while (low < high) {
  let middle = low + ((high - low) >> 1u);
  let element = ${own('line', sequence, position)};
  if (element ${right ? '>' : '>='} value${numbers}) { high = middle; } else { low = middle + 1u; }
}
return i32(low);`,
  });
}

function cost(node: Node, sizes: Sizes): Cost {
  const count = sizes.count(node.result);
  const size = sizes.shape(searchOf(node).sequence).at(-1) ?? 1;
  const bytes = 4 * [...present(node), node.result].reduce((sum, v) => sum + sizes.count(v), 0);
  return { bytes, operations: count * Math.ceil(Math.log2(size + 1)) };
}

const line = sample('f32', [7], [-2, -1, -0.5, 0, 0, 1, 2]);
const integers = sample('i64', [5], [-4, 0, 0, 3, 9]);
const values = sample('f32', [3, 4], [0, -3, 5, 1, -1, 0.25, NaN, -0.5, Infinity, -2, 2, -0]);
const lines = sample('f32', [2, 5], [-1, 0, 0, 1, 2, -3, -1, 0, 1.5, 9]);
const sorter = sample('i64', [4], [2, 0, 3, 1]);
const both = (operands: KernelSample['operands'], attrs?: KernelSample['attrs']): readonly KernelSample[] =>
  [false, true].map((right) => ({ operands, attrs: { ...attrs, right } }));

/** The shape lists, by op. */
const samples: Readonly<Record<string, readonly KernelSample[]>> = {
  'bucketize.Tensor': [
    ...both({ self: values, boundaries: line }),
    ...both({ self: values, boundaries: integers }),
    ...both({ self: sample('i8', [5]), boundaries: integers }, { out_int32: true }),
    ...both({ self: f32(), boundaries: f32(0) }),
  ],
  'bucketize.Scalar': [
    ...both({ boundaries: line }, { self: intScalar(0) }),
    ...both({ boundaries: integers }, { self: floatScalar(0.5) }),
  ],
  'searchsorted.Tensor': [
    ...both({ sorted_sequence: lines, self: sample('f32', [2, 3], [0, 1, -9, 1.5, -1, 4]) }),
    ...both({ sorted_sequence: sample('f32', [4], [1, 8, -2, 3]), self: values, sorter }),
    { operands: { sorted_sequence: line, self: values }, attrs: { side: 'right' } },
    ...both({ sorted_sequence: integers, self: sample('i64', [3, 0]) }),
  ],
  'searchsorted.Scalar': [...both({ sorted_sequence: line }, { self: floatScalar(-0.5) })],
};

/** The kernels of this family. */
export const searchKernels: readonly WebGPUKernel[] = Object.entries(samples).map(([name, list]) =>
  defineKernel({
    name: `search/aten.${name}`,
    op: op(`aten.${name}`),
    error: exact,
    samples: list,
    supports,
    emit: (node) => [emit(node)],
    cost,
  }),
);
