/**
 * What `npm run bench -- kernels` measures: a record for each kernel. `build(make, { m, n, k })` makes the node in a graph; `make` has
 * constants with made-up numbers: `floats(shape)`, `scales(shape)`, `codes(dtype, shape)`, `zeros(dtype, shape)`, `whole(dtype, shape, value)`, and
 * `node(op, operands, attrs)`. A record may have `groupSize` (shapes whose K it does not divide are left out) and `takes(shape)`.
 * `counterpart` names the record of the float kernel that it is compared with; `note(shape)` says why it may be slower than that.
 */
import { aten, fused } from '@qfuse/ops';

/** Why a kernel of packed weights may be slower than the float kernel on software adapters. */
const oddK = ({ k }) =>
  k % 4 === 0
    ? undefined
    : 'rows of K that is no multiple of 4 are read number by number, as in the float kernel, and unpacking comes on top';

const weightOnly = (op, dtype, { groupSize, zeros = false } = {}) => ({
  name: `${op.name.slice('fused.'.length)}${groupSize === undefined ? '' : ` gs ${groupSize}`}${zeros ? ' zero points' : ''}`,
  counterpart: 'aten.linear f32',
  note: oddK,
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
const floatCases = [
  {
    name: 'aten.linear f32',
    build: (make, { m, n, k }) => make.node(aten.Linear, { input: make.floats([m, k]), weight: make.floats([n, k]) }),
  },
  lookup('aten.embedding f32', aten.Embedding, 'f32'),
];

/** Kernels with weights of integers and float inputs. */
const weightOnlyCases = [
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

const integer = (op, input, dtype, groupSize) => ({
  name: `${op.name.slice('fused.'.length)}${groupSize === undefined ? '' : ` gs ${groupSize}`}`,
  counterpart: 'aten.linear f32',
  note: oddK,
  groupSize,
  build: (make, { m, n, k }) => {
    const perRow = op.name.includes('dq8ca');
    return make.node(op, {
      input: make.codes(input, [m, k]),
      input_scale: make.scales(perRow ? [m, 1] : []),
      input_zero_point: make.zeros('i32', perRow ? [m, 1] : []),
      weight: make.codes(dtype, [n, k]),
      scales: make.scales(groupSize === undefined ? [n] : [n, k / groupSize]),
    });
  },
});

/** Kernels whose inputs are integers too, and the one that makes them. */
const integerCases = [
  integer(fused.LinearDq8caQ8csw, 'i8', 'i8'),
  integer(fused.LinearDq8caQ4csw, 'i8', 'i4'),
  integer(fused.LinearDq8caQ8gsw, 'i8', 'i8', 32),
  integer(fused.LinearDq8caQ4gsw, 'i8', 'i4', 32),
  integer(fused.LinearDq8caQ4gsw, 'i8', 'i4', 128),
  integer(fused.LinearQ8taQ8csw, 'i8', 'i8'),
  integer(fused.LinearQ8taQ4gsw, 'u8', 'i4', 32),
  {
    name: 'q8ta_linear',
    counterpart: 'aten.linear f32',
    build: (make, { m, n, k }) =>
      make.node(
        fused.Q8taLinear,
        {
          input: make.codes('i8', [m, k]),
          input_scale: make.scales([]),
          weight: make.codes('i8', [n, k]),
          scales: make.scales([n]),
          output_scale: make.scales([]),
          input_zero_point: make.zeros('i32', []),
        },
        { qmin: -128, qmax: 127 },
      ),
  },
  {
    name: 'dynamic_quantize',
    build: (make, { m, k }) =>
      make.node(
        fused.DynamicQuantize,
        { input: make.floats([m, k]) },
        { granularity: 'row', mapping: 'asymmetric', qmin: -128, qmax: 127, dtype: 'i8' },
      ),
  },
];

export const kernelCases = [...floatCases, ...weightOnlyCases, ...integerCases];
