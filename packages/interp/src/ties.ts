import type { AttrRecord, DType, HostTensor, Node } from '@qfuse/ir';
import { arithmeticRounder, type GranularityAttrs, quant, qparamsIndex } from '@qfuse/ops';

/** Operands of a node that rounds numbers to integers, and how far those numbers may be off. */
interface Rounding {
  readonly operands: readonly (HostTensor | undefined)[];
  readonly attrs: AttrRecord;
  readonly error: number;
}

/** Where a node rounds numbers to integers. */
export interface Ties {
  /** The result that holds the integers. */
  readonly result: number;
  /** Says of each integer whether the number that became it lies so near a tie that the error reaches over it. */
  readonly near: (rounding: Rounding) => (index: number) => boolean;
}

/** Unit roundoff of the float dtypes: half the distance from 1 to the next number. */
const roundoff: Partial<Record<DType, number>> = { f64: 2 ** -53, f32: 2 ** -24, f16: 2 ** -11, bf16: 2 ** -8 };

/** Reciprocal, product and sum of quantizing are rounded themselves, and what one run has in f64 the other one has in f32. */
const ownRoundings = (compute: DType): number => 4 * Math.max(roundoff[compute]!, roundoff.f32!);

/** Whether `x`, which may be off by `error`, may be on the other side of a tie. */
const nearTie = (x: number, error: number): boolean => !Number.isFinite(x) || Math.abs(x - Math.floor(x) - 0.5) <= error;

const fail = (why: string): never => {
  throw new Error(why);
};

/** How far x / s and low / s may be off where s is computed from the same x, in units of `error / s`. */
const CHOSEN = 3;

/**
 * x / s of `quant.quantize`, which is off by `error / s` for a constant s. Where s is chosen from x for a range of `r` steps,
 * `s = (high − low) / r`, it moves too: x / s by `error / s · (1 + 2·|x / s| / r)`, at most {@link CHOSEN} times as much, as x lies in [low, high].
 */
const quantize = (factor: number): Ties => ({
  result: 0,
  near: ({ operands: [input, scale, zero], attrs, error }) => {
    const group = qparamsIndex(input!.shape, attrs as unknown as GranularityAttrs, fail);
    const { compute } = attrs as unknown as { readonly compute: DType };
    // A scale of 16 bits has a reciprocal that is rounded to them, in both runs.
    const round = arithmeticRounder(scale!.dtype);
    return (i) => {
      const g = group(i);
      const inverse = round(1 / Number(scale!.data[g]));
      const x = Number(input!.data[i]) * inverse;
      const size = Math.abs(x) + (zero === undefined ? 0 : Math.abs(Number(zero.data[g])));
      return nearTie(x, factor * error * Math.abs(inverse) + ownRoundings(compute) * size);
    };
  },
});
const [quantizeFixed, quantizeChosen] = [quantize(1), quantize(CHOSEN)];

/** low / s of `quant.choose_qparams`, which moves as above; so does high / s, from which the zero point may be computed as well. */
const chooseQparams: Ties = {
  result: 1,
  near: ({ operands: [input], attrs, error }) => {
    const { qmin, qmax, compute } = attrs as unknown as { readonly qmin: number; readonly qmax: number; readonly compute?: DType };
    const group = qparamsIndex(input!.shape, attrs as unknown as GranularityAttrs, fail);
    const [lows, highs] = [new Map<number, number>(), new Map<number, number>()];
    input!.data.forEach((x: number | bigint, i: number) => {
      const g = group(i);
      lows.set(g, Math.min(lows.get(g) ?? 0, Number(x)));
      highs.set(g, Math.max(highs.get(g) ?? 0, Number(x)));
    });
    return (g) => {
      const [low, high] = [lows.get(g) ?? 0, highs.get(g) ?? 0];
      const s = (high - low) / (qmax - qmin);
      return nearTie(low / s, (CHOSEN * error) / s + ownRoundings(compute ?? input!.dtype) * Math.abs(low / s));
    };
  },
};

/** Where a node rounds numbers to integers; undefined when it does not. */
export function tiesOf(node: Node): Ties | undefined {
  if (node.op === quant.ChooseQparams) return chooseQparams;
  if (node.op !== quant.Quantize) return undefined;
  return (node as Node<typeof quant.Quantize>).operand('scale').constant === undefined ? quantizeChosen : quantizeFixed;
}
