import { type DType, integerRange, isInteger, QfuseError } from '@qfuse/plugin';
import type { Grid } from '../observer.js';

/** What {@link quantRange} takes. */
export interface RangeOptions {
  readonly qmin?: number | undefined;
  readonly qmax?: number | undefined;
  /** Halves the range, so that products of two codes fit 16 bits on some processors. torch: `reduce_range`. */
  readonly reduceRange?: boolean | undefined;
}

/**
 * The integers of a grid: those asked for, or all that the dtype holds. `reduceRange` gives `[-64, 63]` for i8, `[0, 127]` for
 * u8, and `floor(qmin / 2)`, `floor(qmax / 2)` for a range that was asked for; other dtypes keep their own.
 * torch: `calculate_qmin_qmax`; torch takes no notice of a lone `quant_min` or `quant_max`, which is an error here.
 * @throws QfuseError `quantizer/range` when only one end is given or {@link checkGrid} refuses the range
 */
export function quantRange(dtype: DType, options: RangeOptions = {}): Pick<Grid, 'dtype' | 'qmin' | 'qmax' | 'customRange'> {
  const { qmin, qmax, reduceRange = false } = options;
  if ((qmin === undefined) !== (qmax === undefined))
    throw new QfuseError('quantizer/range', `the range has ${qmin === undefined ? 'only qmax' : 'only qmin'}, expected both or neither`);
  if (qmin !== undefined && qmax !== undefined) {
    checkRange(dtype, qmin, qmax);
    return { dtype, customRange: true, qmin: reduceRange ? Math.floor(qmin / 2) : qmin, qmax: reduceRange ? Math.floor(qmax / 2) : qmax };
  }
  checkRange(dtype, 0, 1);
  const [low, high] = integerRange(dtype).map(Number) as [number, number];
  const half = reduceRange && (dtype === 'i8' || dtype === 'u8');
  return { dtype, customRange: false, qmin: half ? Math.floor(low / 2) : low, qmax: half ? Math.floor(high / 2) : high };
}

/**
 * Refuses grids that no observer can use.
 * @throws QfuseError `quantizer/range` unless qmin and qmax are integers of the dtype with `qmin <= 0 <= qmax`, `qmin < qmax`
 */
export function checkGrid({ dtype, qmin, qmax }: Grid): void {
  checkRange(dtype, qmin, qmax);
}

function checkRange(dtype: DType, qmin: number, qmax: number): void {
  const refuse = (why: string): never => {
    throw new QfuseError('quantizer/range', why, { help: 'The range must contain 0 and fit the dtype, e.g. -128 to 127 for i8.' });
  };
  if (!isInteger(dtype) || dtype.endsWith('64')) refuse(`codes are stored as ${dtype}, expected an integer dtype of 4 to 32 bits`);
  if (!Number.isInteger(qmin) || !Number.isInteger(qmax)) refuse(`the range [${qmin}, ${qmax}] is not of integers`);
  const [low, high] = integerRange(dtype).map(Number) as [number, number];
  if (qmin < low || qmax > high) refuse(`the range [${qmin}, ${qmax}] does not fit ${dtype}, which holds [${low}, ${high}]`);
  if (qmin > 0 || qmax < 0) refuse(`the range [${qmin}, ${qmax}] does not contain 0`);
  if (qmin >= qmax) refuse(`qmin ${qmin} is not below qmax ${qmax}`);
}
