import { QfuseError } from '@qfuse/plugin';
import type { Grid, SpecGranularity } from '../observer.js';
import { checkGrid } from './range.js';

/** The error of an observer that is asked for parameters and saw nothing. */
export const unobserved = (name: string): QfuseError =>
  new QfuseError('quantizer/unobserved', `a "${name}" observer saw no tensor with elements, so there are no scales`, {
    help: 'Calibrate with inputs that reach this value.',
  });

/**
 * Refuses grids that an observer is not made for.
 * @throws QfuseError `quantizer/observer` for another granularity, `quantizer/range` as {@link checkGrid}
 */
export function checkObserver(name: string, grid: Grid, ...kinds: readonly SpecGranularity['kind'][]): void {
  checkGrid(grid);
  const { granularity } = grid;
  if (!kinds.includes(granularity.kind))
    throw new QfuseError(
      'quantizer/observer',
      `a "${name}" observer has no granularity "${granularity.kind}", expected ${kinds.map((k) => `"${k}"`).join(' or ')}`,
    );
  if (granularity.kind === 'group' && !(Number.isInteger(granularity.size) && granularity.size > 0))
    throw new QfuseError('quantizer/observer', `a group has ${granularity.size} elements, expected a positive integer`);
}

/** @throws QfuseError `quantizer/observer` unless the smallest scale is a positive number */
export function checkEps(name: string, eps: number | undefined): void {
  if (eps === undefined || (eps > 0 && Number.isFinite(eps))) return;
  throw new QfuseError('quantizer/observer', `eps of a "${name}" observer is ${eps}, expected a positive number`);
}
