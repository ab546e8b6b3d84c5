import type { Dispatch } from '../kernel.js';
import type { WebGPUTarget } from '../target.js';
import { packedGemm, tilesFor } from './packed-gemm.js';
import { packedGemv } from './packed-gemv.js';
import { packedGemvHalf, takesGemvHalf } from './packed-gemv-half.js';
import { matrixTilesFor, packedMatrix, takesMatrix } from './packed-matrix.js';
import { packedTile } from './packed-tile.js';
import type { PackedLinear } from './packed-weights.js';

/** Rows up to which a GPU takes the dot product kernel. */
const FEW_ROWS = 4;

/** A form and the largest number of rows that it is for. */
interface Path {
  readonly to: number;
  readonly make: (takes: (m: number) => boolean) => readonly Dispatch[];
}

/** The dispatches for a packed linear layer; those that can never run are left out. */
export function packedLinear(init: PackedLinear, target: WebGPUTarget): readonly Dispatch[] {
  const paths = target.software || init.k === 0 ? softwarePaths(init) : gpuPaths(init, target);
  return paths.flatMap(({ to, make }, i) => {
    const from = i === 0 ? 0 : paths[i - 1]!.to + 1;
    const takes = (m: number): boolean => m >= from && m <= to;
    return init.staticRows === undefined || takes(init.staticRows) ? make(takes) : [];
  });
}

const softwarePaths = (init: PackedLinear): readonly Path[] => [
  { to: 1, make: (takes) => [packedTile(init, 1, takes)] },
  { to: Infinity, make: (takes) => [packedTile(init, 4, takes)] },
];

function gpuPaths(init: PackedLinear, target: WebGPUTarget): readonly Path[] {
  const half = takesGemvHalf(init, target);
  return [
    { to: 1, make: (takes) => [half ? packedGemvHalf(init, target, takes) : packedGemv(init, 1, target, takes)] },
    { to: FEW_ROWS, make: (takes) => [packedGemv(init, FEW_ROWS, target, takes)] },
    ...(takesMatrix(init, target)
      ? matrixTilesFor(target).map(({ rows, tiles }): Path => ({ to: rows, make: (takes) => packedMatrix(init, tiles, takes) }))
      : tilesFor(target).map(({ rows, tiles }): Path => ({ to: rows, make: (takes) => packedGemm(init, tiles, takes) }))),
  ];
}
