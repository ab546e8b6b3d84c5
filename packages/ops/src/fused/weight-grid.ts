import { type Constant, decodeElements, type DType, encodeElements, newElements, type Node, numel, tensorType } from '@qfuse/ir';
import type { Dequantize } from '../quant/quantize.js';

/** Which scale each weight of a matrix `[N, K]` has, as the fused ops ask for it: one a channel, or one for each run of `groupSize` along K. */
export interface Grid {
  readonly ok: true;
  readonly granularity: 'channel' | 'group';
  /** Consecutive weights that share a scale; K per channel. */
  readonly groupSize: number;
  /** Shape that scales and zero points get: `[N]` or `[N, G]`. */
  readonly shape: readonly number[];
  /** Output channels that share a scale; all of them for one scale in total. */
  readonly rows: number;
}

/** A grid, or why there is none. */
export type GridVerdict = Grid | { readonly ok: false; readonly why: string };

/** Repeated for every channel, the scales of smaller groups than this would take more bytes than 4-bit weights themselves. */
const SMALLEST_REPEATED_GROUP = 8;

const no = (why: string): GridVerdict => ({ ok: false, why });

/** The {@link Grid} of a dequantize of a matrix. */
export function gridOf(dq: Node<typeof Dequantize>, [n, k]: readonly [number, number]): GridVerdict {
  const { granularity, axis, group_size: size, block_size: block } = dq.attrs;
  const at = axis !== undefined && axis < 0 ? axis + 2 : axis;
  if (granularity === 'tensor') return runs(n, k, n, k);
  if (granularity === 'row') return runs(n, k, 1, k);
  if (granularity === 'axis')
    return at === 0 ? runs(n, k, 1, k) : no(`the scales lie along axis ${axis}, expected 0 (the output channels)`);
  if (granularity === 'group')
    return at === 1 ? runs(n, k, 1, size!) : no(`the groups lie along axis ${axis}, expected 1 (the input channels)`);
  return runs(n, k, ...(block as readonly [number, number]));
}

function runs(n: number, k: number, rows: number, groupSize: number): GridVerdict {
  if (groupSize === k) return { ok: true, granularity: 'channel', groupSize, shape: [n], rows };
  if (k === 0) return no('the weight has no input channels');
  if (rows > 1 && groupSize < SMALLEST_REPEATED_GROUP)
    return no(
      `${rows} output channels share one scale for every ${groupSize} input channels, expected at least ${SMALLEST_REPEATED_GROUP}`,
    );
  return { ok: true, granularity: 'group', groupSize, shape: [n, k / groupSize], rows };
}

/**
 * Scales or zero points in the grid's shape, less `offset`: what channels share is repeated for each. Derived once; the
 * constant itself where nothing changes.
 */
export function onGrid(source: Constant, { shape, rows }: Grid, dtype: DType, offset = 0): Constant {
  const type = tensorType(dtype, shape);
  if (source.type === type && offset === 0) return source;
  const count = shape.reduce((a, b) => a * b, 1);
  const groups = shape[1] ?? 1;
  const format = `${dtype}${offset === 0 ? '' : ` less ${offset}`} for every ${rows}×${groups}`;
  return source.derive(format, type, (bytes) => {
    const given = decodeElements(source.type.dtype, bytes, numel(source.type) as number);
    const out = newElements(dtype, count);
    for (let i = 0; i < count; i++) {
      const from = Math.floor(i / (groups * rows)) * groups + (i % groups);
      out[i] = Number(given[given.length === 1 ? 0 : from]) - offset;
    }
    return encodeElements(dtype, out);
  });
}

/** The zero point `zero` everywhere: a constant of the grid that belongs to the scales `source`. */
export const sameZeros = (source: Constant, { shape }: Grid, zero: number): Constant =>
  source.derive(
    `zero points ${zero}`,
    tensorType('i32', shape),
    () => new Uint8Array(new Int32Array(shape.reduce((a, b) => a * b, 1)).fill(zero).buffer),
  );
