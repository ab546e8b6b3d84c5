/**
 * Every form of the packed linears that a GPU would run, checked against float64 on the device at hand: some elements of each result exactly,
 * all for being numbers. What a software adapter can only compile, or run with stand-ins, is run here.
 */
import { compileProgram, createTarget, planProgram } from '@qfuse/backend-webgpu';
import { constantOf, Constant, Editor, Graph, tensorOf, tensorType } from '@qfuse/ir';
import { fused } from '@qfuse/ops';

const rows = [1, 2, 4, 5, 16, 17, 32, 33, 64, 65, 130, 300];
const layers = [
  { n: 19, k: 37 },
  { n: 70, k: 96, groupSize: 32 },
  { n: 130, k: 1032, groupSize: 8 },
  { n: 2050, k: 4096, groupSize: 128 },
  { n: 4096, k: 4096 },
  { n: 40, k: 35, groupSize: 7 },
  { n: 33, k: 12320, groupSize: 32 },
];

/** Numbers in [-1, 1), the same in every run. */
function numbers(count, seed) {
  const out = new Float32Array(count);
  let state = seed >>> 0;
  for (let i = 0; i < count; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    out[i] = state / 2147483648 - 1;
  }
  return out;
}

function layerOf(bits, { n, k, groupSize }, zeros) {
  const half = 2 ** (bits - 1);
  const integers = Int8Array.from(numbers(n * k, n + k), (v) => Math.floor(v * half));
  const grid = groupSize === undefined ? [n] : [n, k / groupSize];
  const count = grid.reduce((a, b) => a * b, 1);
  // Scales of very different magnitude, within a row as well.
  const scales = numbers(count, k).map((v, i) => (v + 1.5) * 2 ** ((i % 7) - 12));
  const points = zeros ? Int32Array.from(numbers(count, n), (v) => Math.floor(v * half)) : undefined;
  const op =
    groupSize === undefined ? (bits === 8 ? fused.LinearQcs8w : fused.LinearQcs4w) : bits === 8 ? fused.LinearQ8gsw : fused.LinearQ4gsw;
  const bias = numbers(n, 5);
  const graph = (m) => {
    const made = new Graph('form');
    const edit = new Editor(made);
    const f32 = (name, shape, data) =>
      edit.addConstant(name, 'constant', Constant.of(tensorType('f32', shape), new Uint8Array(data.buffer)));
    const operands = {
      input: edit.addInput('x', tensorType('f32', [m, k])),
      weight: edit.addConstant('w', 'constant', constantOf(tensorOf(bits === 8 ? 'i8' : 'i4', [n, k], integers))),
      scales: f32('s', grid, scales),
      bias: f32('b', [n], bias),
      ...(points && { zero_points: edit.addConstant('z', 'constant', constantOf(tensorOf('i32', grid, points))) }),
    };
    edit.setOutputs([edit.create(op, operands).result]);
    return made;
  };
  const size = groupSize ?? k;
  /** What an element is in float64, with Σ|x · w| + |bias| and Σ|w|. */
  const element = (x, m, c) => {
    let [y, terms, weights] = [bias[c], Math.abs(bias[c]), 0];
    for (let i = 0; i < k; i++) {
      const g = c * (count / n) + Math.floor(i / size);
      const w = (integers[c * k + i] - (points?.[g] ?? 0)) * scales[g];
      const term = x[m * k + i] * w;
      y += term;
      terms += Math.abs(term);
      weights += Math.abs(w);
    }
    return { y, terms, weights };
  };
  return { op, graph, element };
}

/** The largest error as a share of what the kernels state; above 1 is wrong. */
function worstOf(y, x, [m, n, k], element, accuracy) {
  let worst = 0;
  let error = 0;
  const total = m * n;
  const picks = total <= 200 ? total : 200;
  for (let p = 0; p < picks; p++) {
    const at = total <= 200 ? p : p < 20 ? total - 1 - p : (p * 7919) % total;
    const [row, column] = [Math.floor(at / n), at % n];
    const exact = element(x, row, column);
    const largest = accuracy === 'f16' ? x.subarray(row * k, (row + 1) * k).reduce((a, b) => Math.max(a, Math.abs(b)), 0) : 0;
    const plain = (k + 4) * 2 ** -24 * exact.terms + 2 ** -100;
    const stated = accuracy === 'f16' ? plain + 2 ** -7 * exact.terms + 2 ** -19 * largest * exact.weights : plain;
    const difference = Math.abs(y[at] - exact.y);
    worst = Math.max(worst, Number.isNaN(difference) ? Infinity : difference / stated);
    error = Math.max(error, difference / exact.terms);
  }
  return { worst, error, notNumbers: y.reduce((count, v) => count + (Number.isFinite(v) ? 0 : 1), 0) };
}

/** Yields a record for each layer, number of rows and accuracy. */
export async function* checkForms(device, { quick = false } = {}) {
  for (const accuracy of ['f32', 'f16']) {
    const target = { ...createTarget(device, { accuracy }), software: false };
    for (const bits of [4, 8])
      for (const [index, layer] of layers.entries()) {
        if (quick && layer.n * layer.k > 50000) continue;
        const made = layerOf(bits, layer, index % 2 === 1);
        const wanted = (quick ? [1, 5] : rows).map((m) => ({ m, graph: made.graph(m) }));
        const programs = wanted.map(({ graph }) => compileProgram(graph, { device, target }).catch((error) => ({ error })));
        for (const [i, { m, graph }] of wanted.entries()) {
          const { n, k, groupSize } = layer;
          const forms = planProgram(graph, target).dispatches.map((d) => d.dispatch);
          const record = { op: made.op.name, accuracy, shape: `${m}×${n}×${k}`, groupSize, zeroPoints: index % 2 === 1, forms };
          const program = await programs[i];
          if (program.error !== undefined) {
            yield { ...record, right: false, failure: program.error.message };
            continue;
          }
          // A wide range, so that nothing hides behind inputs of one size.
          const x = numbers(m * k, m + 7).map((v, e) => v * 2 ** ((e % 23) - 11));
          const { outputs } = await program.run([tensorOf('f32', [m, k], x)]);
          program.dispose();
          const found = worstOf(outputs[0].data, x, [m, n, k], made.element, accuracy);
          yield { ...record, right: found.worst <= 1 && found.notNumbers === 0, ...found };
        }
      }
  }
}
