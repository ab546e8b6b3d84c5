import { dtypeInfo, type Elements, hostTensor, type HostTensor, isInteger, storer } from '@qfuse/ir';

/** How several values that meet in one element are joined. */
export type Joining = 'last' | 'sum' | 'prod' | 'mean' | 'amax' | 'amin';

/** A number that may be a bigint; the two never meet in one tensor, so the arithmetic of numbers is written once. */
const join: Readonly<Record<Joining, (a: number, b: number) => number>> = {
  last: (_, b) => b,
  sum: (a, b) => a + b,
  mean: (a, b) => a + b,
  prod: (a, b) => a * b,
  // A NaN stays, as in torch.
  amax: (a, b) => (Number.isNaN(a) || a > b ? a : b),
  amin: (a, b) => (Number.isNaN(a) || a < b ? a : b),
};

/** Elements of a tensor into which values are joined: integers exactly and then wrapped, floats in float64 with one rounding. */
export class Accumulator {
  readonly #self: HostTensor;
  readonly #joining: Joining;
  readonly #includeSelf: boolean;
  readonly #values: (number | bigint)[];
  readonly #counts: Uint32Array;

  /** @param includeSelf - whether the elements that are there take part; those that nothing meets stay in any case */
  constructor(self: HostTensor, joining: Joining, includeSelf = true) {
    this.#self = self;
    this.#joining = joining;
    this.#includeSelf = includeSelf;
    this.#values = this.#widen(self.data);
    this.#counts = new Uint32Array(self.data.length);
  }

  #widen(data: Elements): (number | bigint)[] {
    return isInteger(this.#self.dtype) ? Array.from(data as Int32Array, (v) => BigInt(v)) : Array.from(data as Float32Array);
  }

  /** Joins elements of `source`, a tensor of the same dtype, by positions in it; `at` gives the element of `self`. */
  from(source: HostTensor): (at: number, position: number) => void {
    const values = this.#widen(source.data) as number[];
    const own = this.#values as number[];
    const combine = join[this.#joining];
    return (at, position) => {
      const value = values[position]!;
      own[at] = this.#counts[at] === 0 && !this.#includeSelf ? value : combine(own[at]!, value);
      this.#counts[at]!++;
    };
  }

  /** The tensor that has come out. */
  result(): HostTensor {
    const { dtype, shape } = this.#self;
    const out = hostTensor(dtype, shape);
    const store = storer(dtype);
    this.#values.forEach((value, i) => store(out.data, i, this.#joining === 'mean' ? this.#mean(value, this.#counts[i]!) : value));
    return out;
  }

  #mean(sum: number | bigint, met: number): number | bigint {
    const count = met + (this.#includeSelf || met === 0 ? 1 : 0);
    if (typeof sum === 'number') return sum / count;
    // The sum wraps before it is divided, and the quotient goes to the smaller integer.
    const { kind, bits } = dtypeInfo(this.#self.dtype);
    const wrapped = kind === 'uint' ? BigInt.asUintN(bits, sum) : BigInt.asIntN(bits, sum);
    const n = BigInt(count);
    return wrapped / n - (wrapped % n < 0n ? 1n : 0n);
  }
}
