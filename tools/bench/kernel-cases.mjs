/**
 * What `npm run bench -- kernels` measures: a record for each kernel. `build(make, { m, n, k })` makes the node in a graph; `make` has
 * constants with made-up numbers: `floats(shape)`, `scales(shape)`, `codes(dtype, shape)`, `zeros(dtype, shape)`, `whole(dtype, shape, value)`, and
 * `node(op, operands, attrs)`. A record may have `groupSize` (shapes whose K it does not divide are left out) and `takes(shape)`.
 * `counterpart` names the record of the float kernel that it is compared with; `note` says why it may be slower than that.
 */
import { aten, fused } from '@qfuse/ops';

const weightOnly = (op, dtype, { groupSize, zeros = false } = {}) => ({
  name: `${op.name.slice('fused.'.length)}${groupSize === undefined ? '' : ` gs ${groupSize}`}${zeros ? ' zero points' : ''}`,
  counterpart: 'aten.linear f32',
  groupSize,
  build: (make, { m, n, k }) => {
    const grid = groupSize === undefined ? [n] : [n, k / groupSize];
    return make.node(op, {
      input: make.floats([m, k]),
      weight: make.codes(dtype, [n, k]),
      scales: make.scales(grid),
      zero_points: zeros ? make.zeros('i32', grid) : undefined,
    });
  },
});

const lookup = (name, op, dtype, groupSize) => ({
  name,
  counterpart: dtype === 'f32' ? undefined : 'aten.embedding f32',
  groupSize,
  build: (make, { m, n, k }) => {
    const indices = make.indices([m], n);
    if (dtype === 'f32') return make.node(op, { weight: make.floats([n, k]), indices });
    return make.node(op, {
      weight: make.codes(dtype, [n, k]),
      scales: make.scales(groupSize === undefined ? [n] : [n, k / groupSize]),
      indices,
    });
  },
});

/** Float kernels that others are compared with. */
export const floatCases = [
  {
    name: 'aten.linear f32',
    build: (make, { m, n, k }) => make.node(aten.Linear, { input: make.floats([m, k]), weight: make.floats([n, k]) }),
  },
  lookup('aten.embedding f32', aten.Embedding, 'f32'),
];

/** Kernels with weights of integers and float inputs. */
export const weightOnlyCases = [
  weightOnly(fused.LinearQcs8w, 'i8'),
  weightOnly(fused.LinearQcs4w, 'i4'),
  weightOnly(fused.LinearQ8gsw, 'i8', { groupSize: 32 }),
  weightOnly(fused.LinearQ4gsw, 'i4', { groupSize: 32 }),
  weightOnly(fused.LinearQ4gsw, 'i4', { groupSize: 128 }),
  weightOnly(fused.LinearQ4gsw, 'i4', { groupSize: 32, zeros: true }),
  weightOnly(fused.LinearQ4gsw, 'i4', { groupSize: 8 }),
  lookup('embedding_q8csw', fused.EmbeddingQ8csw, 'i8'),
  lookup('embedding_q4csw', fused.EmbeddingQ4csw, 'i4'),
  lookup('embedding_q4gsw gs 32', fused.EmbeddingQ4gsw, 'i4', 32),
];

export const kernelCases = [...floatCases, ...weightOnlyCases];
