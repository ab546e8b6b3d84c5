import { sumOf } from './cascade-sum.js';
import { floorDivide } from './float32.js';
import type { Histogram } from './histogram-bins.js';

const { fround } = Math;

/** How much of the elements each step of the search leaves out at one end. torch: `stepsize`. */
const STEP = 1e-5;

/**
 * The range to quantize a histogram in: the one with the smallest {@link quantizationError}, as far as a walk inwards finds it that
 * leaves out 1e-5 of the elements at one end a step, at the end where that moves over more bins, until the error grows. Equals torch's
 * `HistogramObserver._non_linear_param_search` bit for bit.
 * @param levels - how many codes the grid has
 */
export function searchRange(histogram: Histogram, levels: number): readonly [min: number, max: number] {
  const { min, max, counts } = histogram;
  const bins = counts.length;
  const width = fround(fround(max - min) / bins);
  const total = sumOf(counts);
  const below = cumulative(counts);
  let [alpha, beta, start, end, best] = [0, 1, 0, bins - 1, Infinity];
  while (alpha < beta) {
    const [nextAlpha, nextBeta] = [alpha + STEP, beta - STEP];
    // torch compares f32 counts with a Python number, which it rounds to f32 for that.
    const [fewest, most] = [fround(nextAlpha * total), fround(nextBeta * total)];
    let [left, right] = [start, end];
    while (left < end && below[left]! < fewest) left++;
    while (right > start && below[right]! > most) right--;
    let [nextStart, nextEnd] = [start, end];
    if (left - start > end - right) [nextStart, alpha] = [left, nextAlpha];
    else [nextEnd, beta] = [right, nextBeta];
    if (nextStart === start && nextEnd === end) continue;
    const error = quantizationError(histogram, nextStart, nextEnd, levels);
    if (error > best) break;
    [best, start, end] = [error, nextStart, nextEnd];
  }
  return [fround(min + fround(width * start)), fround(min + fround(width * (end + 1)))];
}

/** Running sums, added in f64 and stored in f32, as `torch.cumsum` does. */
function cumulative(counts: Float32Array): Float32Array {
  let sum = 0;
  return counts.map((count) => (sum += count));
}

/**
 * The squared error of quantizing to `levels` steps between the start of bin `start` and the end of bin `end`, with the elements of
 * each bin spread evenly over it: `density · (e³ - b³) / 3` for each piece of a bin between b and e from the nearest code; pieces
 * beyond the range belong to its outermost code. Equals torch's `_compute_quantization_error` bit for bit: widths of bins and codes are f64,
 * everything else f32.
 */
function quantizationError({ min, max, counts }: Histogram, start: number, end: number, levels: number): number {
  const bins = counts.length;
  const width = (max - min) / bins;
  const codeWidth = (width * (end - start + 1)) / levels;
  if (codeWidth === 0) return 0;
  const [w, code, half, last] = [fround(width), fround(codeWidth), fround(codeWidth / 2), fround(levels - 1)];
  const [halfCube, negativeCube] = [cube(half), cube(-half)];
  const whole = fround(fround(halfCube - negativeCube) / 3);
  const codeOf = (x: number): number => Math.min(Math.max(floorDivide(x, code), 0), last);
  const errors = new Float32Array(bins);
  for (let i = 0; i < bins; i++) {
    const first = fround((i - start) * w);
    const behind = fround(first + w);
    const [a, b] = [codeOf(first), codeOf(behind)];
    const density = fround(counts[i]! / w);
    const toFirst = fround(first - fround(fround(a + 0.5) * code));
    const toBehind = fround(behind - fround(fround(b * code) + half));
    const head = fround(density * fround(fround(halfCube - cube(toFirst)) / 3));
    const middle = fround(fround(fround(b - a) - 1) * fround(density * whole));
    const tail = fround(density * fround(fround(cube(toBehind) - negativeCube) / 3));
    errors[i] = fround(head + middle) + tail;
  }
  return sumOf(errors);
}

const cube = (x: number): number => fround(fround(x * x) * x);
