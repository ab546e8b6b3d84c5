import { type Dim, type Node, yes } from '@qfuse/plugin';
import { defineKernel, type Dispatch, exact, type KernelSample, type SampleTensor, type Sizes, type WebGPUKernel } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { mapDispatch } from '../wgsl/map.js';
import { attrOf, axisOf, op, sliceBound } from './ops.js';
import { f32, sample } from './samples.js';

/**
 * Ops whose result is the operand but for a part: triangles of matrices (the rest is 0), and slices along an axis that
 * another tensor replaces.
 */
const zero = { f32: '0.0', i32: '0i', u32: '0u', bool: 'false' } as const;

function triangle(node: Node, keeps: '<=' | '>='): Dispatch {
  const self = node.operands[0]!;
  const output = node.results[0]!;
  return mapDispatch({
    label: 'triangle',
    inputs: [['x', self]],
    output,
    parameters: { rows: 'u32', columns: 'u32', diagonal: 'i32' },
    values: (sizes) => {
      const [rows, columns] = sizes.shape(output).slice(-2) as [number, number];
      return { rows, columns, diagonal: sizes.dim(attrOf<Dim>(node, 'diagonal')) };
    },
    element: `let distance = i32(i % P.columns) - i32((i / P.columns) % P.rows) - P.diagonal;
if (distance ${keeps} 0i) { return load_x(i); }
return ${zero[knownLayout(output.type.dtype).scalar]};`,
  });
}

/** The slice of an axis of size `size` that is replaced. */
type Slice = (node: Node, size: number, sizes: Sizes) => { readonly start: number; readonly step: number; readonly length: number };

const slice: Slice = (node, size, sizes) => {
  const src = sizes.shape(node.operand('src'));
  return {
    start: sliceBound(sizes.dim(attrOf<Dim | undefined>(node, 'start') ?? 0), size),
    step: sizes.dim(attrOf<Dim>(node, 'step')),
    length: src[axisOf(attrOf<number>(node, 'dim'), src.length)]!,
  };
};

const selected: Slice = (node, size, sizes) => {
  const index = sizes.dim(attrOf<Dim>(node, 'index'));
  return { start: index < 0 ? index + size : index, step: 1, length: 1 };
};

function overlay(node: Node, part: Slice): Dispatch {
  const [self, src] = [node.operand('self'), node.operand('src')];
  const output = node.results[0]!;
  return mapDispatch({
    label: 'overlay',
    inputs: [
      ['x', self],
      ['part', src],
    ],
    output,
    parameters: { inner: 'u32', size: 'u32', start: 'u32', step: 'u32', length: 'u32' },
    values: (sizes) => {
      const shape = sizes.shape(output);
      const axis = axisOf(attrOf<number>(node, 'dim'), shape.length);
      return { inner: shape.slice(axis + 1).reduce((a, b) => a * b, 1), size: shape[axis]!, ...part(node, shape[axis]!, sizes) };
    },
    element: `let along = (i / P.inner) % P.size;
let offset = along - P.start;
if (along < P.start || offset % P.step != 0u || offset / P.step >= P.length) { return load_x(i); }
return load_part((i / (P.inner * P.size) * P.length + offset / P.step) * P.inner + i % P.inner);`,
  });
}

const overlaid = (self: SampleTensor, src: SampleTensor, attrs: KernelSample['attrs']): KernelSample => ({
  operands: { self, src },
  attrs,
});
const triangles = (attrs?: KernelSample['attrs']): readonly KernelSample[] =>
  [f32(2, 4, 5), sample('bool', [3, 3]), sample('i8', [5, 3]), f32(2, 0)].map((self) => ({ operands: { self }, attrs }));

const emitters: Readonly<Record<string, readonly [emit: (node: Node) => Dispatch, samples: readonly KernelSample[]]>> = {
  tril: [(node) => triangle(node, '<='), [...triangles(), ...triangles({ diagonal: -1 })]],
  triu: [(node) => triangle(node, '>='), [...triangles(), ...triangles({ diagonal: 2 })]],
  slice_scatter: [
    (node) => overlay(node, slice),
    [
      overlaid(f32(3, 7), f32(3, 2), { dim: 1, start: 1, end: 6, step: 3 }),
      overlaid(f32(5), f32(2), { start: -2 }),
      overlaid(f32(5, 2), f32(0, 2), { start: 9 }),
      overlaid(sample('i8', [9]), sample('i8', [3]), { start: 2, end: 5 }),
    ],
  ],
  select_scatter: [
    (node) => overlay(node, selected),
    [overlaid(f32(3, 5), f32(3), { dim: 1, index: -2 }), overlaid(sample('bool', [4]), sample('bool', []), { dim: 0, index: 0 })],
  ],
};

/** The kernels of this family. */
export const overlayKernels: readonly WebGPUKernel[] = Object.entries(emitters).map(([name, [emit, samples]]) =>
  defineKernel({
    name: `overlay/aten.${name}`,
    op: op(`aten.${name}`),
    error: exact,
    samples,
    supports: () => yes,
    emit: (node) => [emit(node)],
  }),
);
