import type { Dispatch } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { packedGemm } from './packed-gemm.js';
import { packedGemv } from './packed-gemv.js';
import { packedTile } from './packed-tile.js';
import type { PackedLinear } from './packed-weights.js';

/** Rows up to which a GPU takes the dot product kernel. */
const FEW_ROWS = 4;

/** The dispatches for a packed linear layer; those that can never run are left out. */
export function packedLinear(init: PackedLinear, target: WebGPUTarget): readonly Dispatch[] {
  const paths: readonly { readonly from: number; readonly to: number; readonly make: (takes: (m: number) => boolean) => Dispatch }[] =
    target.software || init.k === 0
      ? [
          { from: 0, to: 1, make: (takes) => packedTile(init, 1, takes) },
          { from: 2, to: Infinity, make: (takes) => packedTile(init, 4, takes) },
        ]
      : [
          { from: 0, to: 1, make: (takes) => packedGemv(init, 1, target, takes) },
          { from: 2, to: FEW_ROWS, make: (takes) => packedGemv(init, FEW_ROWS, target, takes) },
          { from: FEW_ROWS + 1, to: Infinity, make: (takes) => packedGemm(init, target, takes) },
        ];
  return paths
    .filter(({ from, to }) => init.staticRows === undefined || (init.staticRows >= from && init.staticRows <= to))
    .map(({ from, to, make }) => make((m) => m >= from && m <= to));
}
