import { sumOf } from './cascade-sum.js';
import { linspace, neighbour } from './float32.js';

/** Counts in equal bins between two numbers. torch: the buffers of `HistogramObserver`. */
export interface Histogram {
  /** f32 numbers. */
  readonly min: number;
  readonly max: number;
  readonly counts: Float32Array;
}

/** How many bins each bin is split into when a histogram is brought to wider bins. torch: `upsample_rate`. */
const UPSAMPLE = 16;

const { fround } = Math;

/**
 * How many elements fall into each of `bins` equal bins between min and max, the last one closed; for `min === max` between the
 * numbers one below and one above, or the next ones where those are farther. Elements outside and NaN are not counted. Equals `torch.histc` bit for bit: the bin is
 * `trunc((x - min) · bins / (max - min))`, each step in the arithmetic of the elements: f32, or f64 when `data` is of f64. A
 * quotient that overflows lands in the first bin, as torch's cast does on x86; a range that overflows counts nothing.
 */
export function histc(data: Float32Array | Float64Array, min: number, max: number, bins: number): Float32Array {
  const counts = new Float32Array(bins);
  const round = data instanceof Float32Array ? fround : (x: number): number => x;
  const [low, high] = (min === max ? around(min, data instanceof Float32Array ? 'f32' : 'f64') : [min, max]).map(round) as [number, number];
  const width = round(high - low);
  if (!Number.isFinite(width)) return counts;
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (!(x >= low && x <= high)) continue;
    const bin = Math.trunc(round(round(round(x - low) * bins) / width));
    counts[bin < bins ? bin : bin === bins ? bins - 1 : 0]! += 1;
  }
  return counts;
}

/** A range around one number. */
function around(x: number, precision: 'f32' | 'f64'): readonly number[] {
  // Below 2^24 integers are no farther apart than 1, also in f32.
  if (Math.abs(x) < 2 ** 24) return [x - 1, x + 1];
  return [Math.min(neighbour(x, 'below', precision), x - 1), Math.max(neighbour(x, 'above', precision), x + 1)];
}

/**
 * The counts of a histogram in bins between `min` and `max`, which contain its own range. torch:
 * `HistogramObserver._combine_histograms`: every bin is split into 16 parts, and each goes to the bin that its middle lies in; a
 * histogram of one number goes to that number's bin.
 */
export function rebin(histogram: Histogram, min: number, max: number): Float32Array {
  const { counts } = histogram;
  if (histogram.min === min && histogram.max === max) return counts;
  const bins = counts.length;
  if (histogram.min === histogram.max) {
    const total = sumOf(counts);
    return histc(Float32Array.of(histogram.min), min, max, bins).map((one) => one * total);
  }
  const parts = bins * UPSAMPLE;
  const half = fround(fround(fround(histogram.max - histogram.min) / parts) * 0.5);
  const [starts, edges] = [linspace(histogram.min, histogram.max, parts + 1), linspace(fround(min), fround(max), bins + 1)];
  const out = new Float32Array(bins);
  let bin = 0;
  for (let i = 0; i < parts; i++) {
    const middle = fround(starts[i]! + half);
    while (bin > 0 && edges[bin]! > middle) bin--;
    while (bin < bins - 1 && edges[bin + 1]! <= middle) bin++;
    out[bin]! += fround(counts[Math.floor(i / UPSAMPLE)]! / UPSAMPLE);
  }
  return out;
}
