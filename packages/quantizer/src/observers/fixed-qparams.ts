import { QfuseError, tensorOf } from '@qfuse/plugin';
import type { Grid, ObserverFactory } from '../observer.js';
import { checkObserver } from './refuse.js';
import { StateReader } from './state.js';

/** What {@link fixedQParamsObserver} takes. */
export interface FixedQParams {
  /** A positive number; rounded to f32. */
  readonly scale: number;
  /** An integer of the grid. Default 0. */
  readonly zeroPoint?: number | undefined;
}

/**
 * Gives the same scale and zero point whatever it sees, for results of known range: 1/256 and 0 for a sigmoid in u8. One scale for
 * the tensor. torch: `FixedQParamsObserver`.
 * @throws QfuseError `quantizer/observer` when the scale is not positive; on `create`, when the zero point is not on the grid
 */
export function fixedQParamsObserver({ scale, zeroPoint = 0 }: FixedQParams): ObserverFactory {
  const name = 'fixed-qparams';
  if (!(Math.fround(scale) > 0 && Number.isFinite(Math.fround(scale))))
    throw new QfuseError('quantizer/observer', `the fixed scale is ${scale}, expected a positive number that f32 holds`);
  return {
    name,
    create: (grid: Grid) => {
      checkObserver(name, grid, 'tensor');
      if (!Number.isInteger(zeroPoint) || zeroPoint < grid.qmin || zeroPoint > grid.qmax)
        throw new QfuseError(
          'quantizer/observer',
          `the fixed zero point is ${zeroPoint}, expected an integer of the grid [${grid.qmin}, ${grid.qmax}]`,
        );
      return {
        observe: () => undefined,
        qparams: () => ({ scale: tensorOf('f32', [], [scale]), zeroPoint: tensorOf('i32', [], [zeroPoint]) }),
        save: () => ({ observer: name }),
        merge: (other) => void new StateReader(name, other),
      };
    },
  };
}
