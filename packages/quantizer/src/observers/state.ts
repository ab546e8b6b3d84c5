import { type DType, hostTensor, type HostTensor, isDType, isFloat, QfuseError } from '@qfuse/plugin';
import type { ObserverState } from '../observer.js';
import type { Extremes } from './extremes.js';

/** Numbers as JSON holds them: those that are not finite as strings. */
export const saveNumbers = (numbers: ArrayLike<number>): readonly (number | string)[] =>
  Array.from(numbers, (x) => (Number.isFinite(x) ? x : String(x)));

/** Extremes as entries of a state; none when nothing was seen. */
export function saveExtremes(seen: Extremes | undefined): ObserverState {
  if (seen === undefined) return {};
  const { min, max } = seen;
  const list = ({ data }: HostTensor) => saveNumbers(data as Float32Array);
  return { dtype: min.dtype, shape: [...min.shape], min: list(min), max: list(max) };
}

/** The error of a state that no observer `name` saved. */
export const badState = (name: string, why: string): QfuseError =>
  new QfuseError('quantizer/state', `this is not the state of a "${name}" observer: ${why}`, {
    help: 'States can only be merged into observers of the factory and options that made them.',
  });

/** Reads the entries of a saved state. All methods throw QfuseError `quantizer/state` for what does not fit. */
export class StateReader {
  readonly #name: string;
  readonly #state: ObserverState;

  /** @throws QfuseError `quantizer/state` unless the state names the observer */
  constructor(name: string, state: ObserverState) {
    this.#name = name;
    this.#state = state;
    const found: unknown = (state as ObserverState | null)?.['observer'];
    if (found !== name) throw badState(name, `its observer is ${JSON.stringify(found)}`);
  }

  /** The numbers of entry `key`; `count` of them, when it is given. */
  numbers(key: string, count?: number): readonly number[] {
    const list: unknown = this.#state[key];
    if (!Array.isArray(list)) throw badState(this.#name, `"${key}" is not a list`);
    const wrong = list.find((x: unknown) => typeof x !== 'number' && !notFinite.has(x));
    if (wrong !== undefined) throw badState(this.#name, `"${key}" has an element that is not a number`);
    if (count !== undefined && list.length !== count) throw badState(this.#name, `"${key}" has ${list.length} elements, expected ${count}`);
    return list.map(Number);
  }

  /** The number of entry `key`. */
  number(key: string): number {
    const x: unknown = this.#state[key];
    if (typeof x !== 'number') throw badState(this.#name, `"${key}" is not a number`);
    return x;
  }

  /** The dims of entry `key`. */
  shape(key: string): readonly number[] {
    const dims = this.numbers(key);
    if (dims.every((d) => Number.isInteger(d) && d >= 0)) return dims;
    throw badState(this.#name, `"${key}" is not a shape`);
  }

  /** What {@link saveExtremes} wrote; undefined when nothing had been seen. */
  extremes(): Extremes | undefined {
    if (!this.has('min')) return undefined;
    const dtype: unknown = this.#state['dtype'];
    if (typeof dtype !== 'string' || !isDType(dtype) || !isFloat(dtype)) throw badState(this.#name, '"dtype" is not a float dtype');
    const shape = this.shape('shape');
    const tensor = (key: string): HostTensor =>
      readTensor(
        dtype,
        shape,
        this.numbers(
          key,
          shape.reduce((a, b) => a * b, 1),
        ),
      );
    return { min: tensor('min'), max: tensor('max') };
  }

  /** The states of entry `key`. */
  states(key: string): readonly ObserverState[] {
    const list: unknown = this.#state[key];
    if (Array.isArray(list)) return list as readonly ObserverState[];
    throw badState(this.#name, `"${key}" is not a list of states`);
  }

  /** Whether there is an entry `key`. */
  has(key: string): boolean {
    return this.#state[key] !== undefined;
  }
}

const readTensor = (dtype: DType, shape: readonly number[], numbers: readonly number[]): HostTensor =>
  hostTensor(dtype, shape, Float32Array.from(numbers));

const notFinite: ReadonlySet<unknown> = new Set(['Infinity', '-Infinity', 'NaN']);
