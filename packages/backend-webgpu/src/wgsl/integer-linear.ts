import type { Dispatch } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { integerTile } from './integer-tile.js';
import type { IntegerLinear } from './integer-weights.js';

/** The dispatches for a linear layer of integers; those that can never run are left out. */
export function integerForms(init: IntegerLinear, target: WebGPUTarget): readonly Dispatch[] {
  void target;
  const paths: readonly { readonly to: number; readonly make: (takes: (m: number) => boolean) => readonly Dispatch[] }[] = [
    { to: 1, make: (takes) => [integerTile(init, 1, takes)] },
    { to: Infinity, make: (takes) => [integerTile(init, 4, takes)] },
  ];
  return paths.flatMap(({ to, make }, i) => {
    const from = i === 0 ? 0 : paths[i - 1]!.to + 1;
    const takes = (m: number): boolean => m >= from && m <= to;
    return init.staticRows === undefined || takes(init.staticRows) ? make(takes) : [];
  });
}
