import type { Dispatch } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { integerGemm, type IntegerTiles } from './integer-gemm.js';
import { fitsCells, integerGemv } from './integer-gemv.js';
import { integerTile } from './integer-tile.js';
import type { IntegerLinear } from './integer-weights.js';

/** Rows up to which a GPU takes the dot product kernel. */
const FEW_ROWS = 4;

/** Tiles by the largest number of rows they are for, the last for all more. */
const tiles: readonly (IntegerTiles & { readonly to: number })[] = [
  { to: 16, rows: 16, enough: 1024 },
  { to: 32, rows: 32, enough: 512 },
  { to: Infinity, rows: 64, enough: 512 },
];

/** A form and the largest number of rows that it is for. */
interface Path {
  readonly to: number;
  readonly make: (takes: (m: number) => boolean) => readonly Dispatch[];
}

/** The dispatches for a linear layer of integers; those that can never run are left out. */
export function integerForms(init: IntegerLinear, target: WebGPUTarget): readonly Dispatch[] {
  const paths: readonly Path[] =
    target.software || init.k === 0 || !fitsCells(init)
      ? [
          { to: 1, make: (takes) => [integerTile(init, 1, takes)] },
          { to: Infinity, make: (takes) => [integerTile(init, 4, takes)] },
        ]
      : [
          { to: 1, make: (takes) => [integerGemv(init, 1, target, takes)] },
          { to: FEW_ROWS, make: (takes) => [integerGemv(init, FEW_ROWS, target, takes)] },
          ...tiles.map((t): Path => ({ to: t.to, make: (takes) => integerGemm(init, t, takes) })),
        ];
  return paths.flatMap(({ to, make }, i) => {
    const from = i === 0 ? 0 : paths[i - 1]!.to + 1;
    const takes = (m: number): boolean => m >= from && m <= to;
    return init.staticRows === undefined || takes(init.staticRows) ? make(takes) : [];
  });
}
