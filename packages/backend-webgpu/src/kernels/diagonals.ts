import { type Node, type Value, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type KernelSample, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { indexing, rowMajor } from '../wgsl/indexing.js';
import { mapDispatch } from '../wgsl/map.js';
import { rankOf } from './gather.js';
import { attrOf, axisOf, op } from './ops.js';
import { f32, sample } from './samples.js';

/** Ops that put the last axis of a tensor on a diagonal of two axes; elsewhere there is 0 (diag_embed), or what was there. */
const zero = { f32: '0.0', i32: '0i', u32: '0u', bool: 'false' } as const;

function emit(node: Node, source: Value, behind: Value | undefined): Dispatch {
  const output = node.result;
  const rank = rankOf(output);
  const [a, b] = ['dim1', 'dim2'].map((name) => axisOf(attrOf<number>(node, name), rank)) as [number, number];
  const offset = attrOf<number>(node, 'offset');
  // The position on the diagonal is the row of one above the main diagonal, the column of one below.
  const along = offset >= 0 ? a : b;
  const index = indexing(output.type.shape, [
    {
      strides: (sizes) => {
        const strides = rowMajor(sizes.shape(source));
        const rest = strides.slice(0, -1);
        return Array.from({ length: rank }, (_, axis) =>
          axis === a || axis === b ? (axis === along ? strides.at(-1)! : 0) : rest.shift()!,
        );
      },
    },
  ]);
  return mapDispatch({
    label: 'diagonal',
    inputs: [['source', source], ...(behind === undefined ? [] : [['x', behind] as const])],
    output,
    parameters: { ...index.parameters, offset: 'i32' },
    values: (sizes) => ({ ...index.values(sizes), offset }),
    element: `${index.coordinates}
if (i32(c${b}) - i32(c${a}) == P.offset) { return load_source(${index.at[0]}); }
return ${behind === undefined ? zero[knownLayout(output.type.dtype).scalar] : 'load_x(i)'};`,
  });
}

const embedded = (self: ReturnType<typeof f32>, attrs?: KernelSample['attrs']): KernelSample => ({ operands: { self }, attrs });
const over = (self: ReturnType<typeof f32>, src: ReturnType<typeof f32>, attrs?: KernelSample['attrs']): KernelSample => ({
  operands: { self, src },
  attrs,
});

/** The kernels of this family. */
export const diagonalKernels: readonly WebGPUKernel[] = [
  defineKernel({
    name: 'diagonal/aten.diag_embed',
    op: op('aten.diag_embed'),
    error: exact,
    samples: [
      embedded(f32(3)),
      embedded(f32(2, 3), { offset: 2 }),
      embedded(f32(2, 3, 4), { offset: -1, dim1: 0, dim2: 2 }),
      embedded(sample('i8', [5]), { dim1: 1, dim2: 0 }),
      embedded(f32(2, 0)),
    ],
    supports: () => yes,
    emit: (node) => [emit(node, node.operand('self'), undefined)],
  }),
  defineKernel({
    name: 'diagonal/aten.diagonal_scatter',
    op: op('aten.diagonal_scatter'),
    error: exact,
    samples: [
      over(f32(3, 5), f32(3)),
      over(f32(3, 5), f32(3), { offset: 2 }),
      over(f32(2, 4, 3), f32(2, 3), { offset: -1, dim1: 1, dim2: 2 }),
      over(f32(4, 2, 3), f32(2, 3), { dim1: 0, dim2: -1 }),
      over(sample('bool', [3, 3]), sample('bool', [2]), { offset: 1 }),
    ],
    supports: () => yes,
    emit: (node) => [emit(node, node.operand('src'), node.operand('self'))],
  }),
];
