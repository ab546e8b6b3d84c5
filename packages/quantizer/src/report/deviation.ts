import { type HostTensor, QfuseError } from '@qfuse/plugin';

/** How far a tensor is from another, over any number of batches. */
export class Deviation {
  #signal = 0;
  #other = 0;
  #product = 0;
  #noise = 0;

  /** Takes a pair into account. @throws QfuseError `quantizer/report` when they differ in shape */
  add(expected: HostTensor, actual: HostTensor): void {
    if (expected.shape.join() !== actual.shape.join())
      throw new QfuseError(
        'quantizer/report',
        `tensors of shape [${expected.shape.join(', ')}] and [${actual.shape.join(', ')}] are compared`,
      );
    for (let i = 0; i < expected.data.length; i++) {
      const [x, y] = [Number(expected.data[i]), Number(actual.data[i])];
      this.#signal += x * x;
      this.#other += y * y;
      this.#product += x * y;
      this.#noise += (x - y) ** 2;
    }
  }

  /** `Σ(x - y)² / Σx²`; 0 for equal tensors, infinite for a difference from zeros. */
  get noise(): number {
    return this.#noise === 0 ? 0 : this.#noise / this.#signal;
  }

  /** Signal-to-noise ratio in dB, `10 · log10(Σx² / Σ(x - y)²)`; infinite for equal tensors. */
  get snr(): number {
    return this.noise === 0 ? Infinity : -10 * Math.log10(this.noise);
  }

  /** `Σxy / √(Σx² · Σy²)`; 1 for two tensors of zeros, 0 for one. */
  get cosine(): number {
    if (this.#signal === 0 || this.#other === 0) return this.#signal === this.#other ? 1 : 0;
    return this.#product / Math.sqrt(this.#signal * this.#other);
  }
}
