const { fround } = Math;

/** f32 numbers in a vector register of AVX2. */
const LANES = 8;

/** The sum of f32 numbers in the order of {@link cascadeSum}. */
export const sumOf = (data: Float32Array): number => cascadeSum(data, [data.length], [0])[0]!;

/**
 * Sums f32 numbers over axes in the order of torch's CPU kernel (`cascade_sum`) on AVX2 with one thread, so that the f32 roundings are
 * its own. With other widths of vectors, and from 32768 elements on with more threads, torch adds in other orders: the last bits of
 * its sums then differ from machine to machine. Scales follow from comparisons of sums, so those differ only where two ranges are as
 * good as each other to the last bits.
 * @param shape - of the row-major `data`
 * @param axes - the axes to sum over
 * @returns one sum for each index of the other axes, row-major
 */
export function cascadeSum(data: Float32Array, shape: readonly number[], axes: readonly number[]): Float32Array {
  const dims = loops(shape, axes);
  const kept = shape.filter((_, i) => !axes.includes(i)).reduce((a, b) => a * b, 1);
  const out = new Float32Array(kept);
  const [first, second = { size: 1, from: 0, to: 0, summed: true }, ...rest] = dims;
  if (first === undefined) return Float32Array.from(data);
  const count = rest.reduce((a, d) => a * d.size, 1);
  for (let i = 0; i < count; i++) {
    let [from, to, index] = [0, 0, i];
    for (const { size, ...step } of rest) {
      const at = index % size;
      index = (index - at) / size;
      from += at * step.from;
      to += at * step.to;
    }
    plane(data, from, out, to, first, second);
  }
  return out;
}

/** A loop: its length, its strides in the data and in the sums, and whether it is summed over. */
interface Loop {
  readonly size: number;
  readonly from: number;
  readonly to: number;
  readonly summed: boolean;
}

/** The loops from the innermost on: summed axes first, then by stride; neighbours that are one run of numbers are one loop. */
function loops(shape: readonly number[], axes: readonly number[]): readonly Loop[] {
  const all: Loop[] = [];
  let [from, to] = [1, 1];
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    const size = shape[axis]!;
    const summed = axes.includes(axis);
    if (size !== 1) all.push({ size, from, to: summed ? 0 : to, summed });
    from *= size;
    if (!summed) to *= size;
  }
  const out: Loop[] = [];
  for (const loop of [...all.filter((l) => l.summed), ...all.filter((l) => !l.summed)]) {
    const last = out.at(-1);
    const run = last !== undefined && loop.from === last.from * last.size && loop.to === last.to * last.size;
    if (run) out[out.length - 1] = { ...last, size: last.size * loop.size };
    else out.push(loop);
  }
  return out;
}

/** Adds the sums of two loops to `out`. */
function plane(data: Float32Array, from: number, out: Float32Array, to: number, first: Loop, second: Loop): void {
  const add = (j: number, sum: number): void => {
    const at = to + j * second.to;
    out[at] = out[at]! + sum;
  };
  if (!first.summed) {
    for (let j = 0; j < second.size; j++)
      for (let i = 0; i < first.size; i++) {
        const at = to + j * second.to + i * first.to;
        out[at] = out[at]! + data[from + j * second.from + i * first.from]!;
      }
  } else if (first.from === 1 && first.size >= LANES) {
    for (let j = 0; j < second.size; j++) add(j, contiguous(data, from + j * second.from, first.size));
  } else if (second.from === 1 && second.size >= LANES) {
    // Blocks of four registers, then single ones, then single numbers.
    let j = 0;
    for (; j + 4 * LANES <= second.size; j += 4 * LANES)
      for (let k = 0; k < 4 * LANES; k++) add(j + k, cascade(data, from + j + k, first.from, first.size));
    for (; j < second.size; j++) add(j, row(data, from + j, first.from, first.size));
  } else if (first.from < second.from) {
    for (let j = 0; j < second.size; j++) add(j, row(data, from + j * second.from, first.from, first.size));
  } else {
    let j = 0;
    for (; j + 3 < second.size; j += 4)
      for (let k = 0; k < 4; k++) add(j + k, cascade(data, from + (j + k) * second.from, first.from, first.size));
    for (; j < second.size; j++) add(j, row(data, from + j * second.from, first.from, first.size));
  }
}

/** The sum of `size` numbers from `from` on, in lanes. */
function contiguous(data: Float32Array, from: number, size: number): number {
  const registers = Math.floor(size / LANES);
  let sum = 0;
  for (let k = registers * LANES; k < size; k++) sum = fround(sum + data[from + k]!);
  for (let lane = 0; lane < LANES; lane++) sum = fround(sum + row(data, from + lane, LANES, registers));
  return sum;
}

/** The sum of `size` numbers `stride` apart: four interleaved cascades, then the rest onto the first. */
function row(data: Float32Array, from: number, stride: number, size: number): number {
  const quarter = Math.floor(size / 4);
  let sum = cascade(data, from, 4 * stride, quarter);
  for (let i = 4 * quarter; i < size; i++) sum = fround(sum + data[from + i * stride]!);
  for (let k = 1; k < 4; k++) sum = fround(sum + cascade(data, from + k * stride, 4 * stride, quarter));
  return sum;
}

/** The sum of `size` numbers `stride` apart: sums of runs of 16 or more, sums of runs of those, and so on, four levels. */
function cascade(data: Float32Array, from: number, stride: number, size: number): number {
  const power = Math.max(4, (32 - Math.clz32(size - 1)) >> 2);
  const step = 1 << power;
  const end = from + size * stride;
  let [run, one, two, three] = [0, 0, 0, 0];
  let at = from;
  for (let i = step; i <= size; i += step) {
    for (const stop = at + step * stride; at < stop; at += stride) run = fround(run + data[at]!);
    one = fround(one + run);
    run = 0;
    if ((i & ((step - 1) << power)) !== 0) continue;
    two = fround(two + one);
    one = 0;
    if ((i & ((step - 1) << (2 * power))) !== 0) continue;
    three = fround(three + two);
    two = 0;
  }
  for (; at < end; at += stride) run = fround(run + data[at]!);
  return fround(fround(fround(run + one) + two) + three);
}
