import { type DType, type HostTensor, integerRange, isFloat, tensorOf } from '@qfuse/ir';

/** A small deterministic generator of numbers (xorshift32), so that a failing seed can be run again. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed + 1, 0x9e3779b1) | 0 || 1;
    for (let i = 0; i < 4; i++) this.next();
  }

  /** A number in [0, 1). */
  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) / 4294967296;
  }

  /** A whole number in [min, max]. */
  int(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** One of `options`. */
  pick<T>(options: readonly T[]): T {
    return options[this.int(0, options.length - 1)]!;
  }

  /** True with probability `share`. */
  chance(share: number): boolean {
    return this.next() < share;
  }
}

/**
 * A tensor of edge values first (0, the range's ends, sign changes) and random ones after.
 * @param range - smallest and largest value; default -2 to 2 for floats, 0 and 1 for wide integers (they are indices as
 * a rule), the whole range for 8 bits and less
 */
export function randomTensor(random: Random, dtype: DType, shape: readonly number[], range?: readonly [number, number]): HostTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  if (isFloat(dtype)) {
    if (range !== undefined)
      return tensorOf(
        dtype,
        shape,
        Array.from({ length: count }, (_, i) =>
          i === 0 ? range[0] : i === 1 ? range[1] : range[0] + random.next() * (range[1] - range[0]),
        ),
      );
    const edges = [0, -0, 1, -1, 0.5, -2.5, 3e-3];
    return tensorOf(
      dtype,
      shape,
      Array.from({ length: count }, (_, i) =>
        i < edges.length && random.chance(0.5) ? edges[i]! : (random.next() + random.next() - 1) * 2,
      ),
    );
  }
  const whole = integerRange(dtype).map(Number) as [number, number];
  const [min, max] = range ?? (Math.abs(whole[1]) > 255 ? [0, 1] : whole);
  return tensorOf(
    dtype,
    shape,
    Array.from({ length: count }, (_, i) => (i === 0 ? min : i === 1 ? max : random.int(min, max))),
  );
}
