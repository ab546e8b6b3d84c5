import { byteLength } from './dtype.js';
import { QfuseError } from './error.js';
import { contentKey } from './hash.js';
import { isStatic, numel, type TensorType, typeText } from './types.js';

/** Random access to bytes: a buffer, a file. Reads are synchronous; `read` may return a view or a copy. */
export interface ByteSource {
  readonly size: number;
  /** `length` bytes from `offset`. The result must not be written to. */
  read(offset: number, length: number): Uint8Array;
}

/** A {@link ByteSource} over memory; reads are views, nothing is copied. */
export const bufferSource = (bytes: Uint8Array): ByteSource => ({
  size: bytes.byteLength,
  read: (offset, length) => bytes.subarray(offset, offset + length),
});

/**
 * An immutable tensor known at compile time, behind a handle: row-major contiguous little-endian bytes that are
 * produced when they are read (`i4`/`u4`: two elements to a byte, low nibble first). Two constants with equal
 * type and bytes have equal `key`s.
 */
export class Constant {
  readonly type: TensorType;
  /** What the bytes are, for messages: `slice of model.pt2`, `packed from …`. */
  readonly source: string;
  readonly #produce: () => Uint8Array;
  readonly #derived = new Map<string, Constant>();
  #key: string | undefined;

  private constructor(type: TensorType, source: string, produce: () => Uint8Array, key?: string) {
    if (!isStatic(type.shape)) throw new QfuseError('ir/constant', `a constant needs a static shape, found ${typeText(type)}`);
    this.type = type;
    this.source = source;
    this.#produce = produce;
    this.#key = key;
  }

  /** A constant over bytes in memory (not copied; must not be changed afterwards). @throws QfuseError on a wrong length */
  static of(type: TensorType, bytes: Uint8Array, source = 'memory'): Constant {
    return new Constant(type, source, () => bytes).#checkedOnce(bytes);
  }

  /** A constant whose bytes are produced at each read, e.g. a slice of a file. `key` is given when it is known already. */
  static lazy(type: TensorType, source: string, produce: () => Uint8Array, key?: string): Constant {
    return new Constant(type, source, produce, key);
  }

  /** A constant of which only type and key are known, as in a text without its data. Reading it is an error. */
  static unresolved(type: TensorType, key: string): Constant {
    return new Constant(
      type,
      'unresolved',
      () => {
        throw new QfuseError('ir/unresolved-constant', `the data of constant #${key} (${typeText(type)}) is not known`, {
          help: 'give the text together with the file that it was printed from',
        });
      },
      key,
    );
  }

  #checkedOnce(bytes: Uint8Array): this {
    if (bytes.byteLength !== this.byteLength)
      throw new QfuseError(
        'ir/constant',
        `constant ${typeText(this.type)} (${this.source}) has ${bytes.byteLength} bytes, expected ${this.byteLength}`,
      );
    return this;
  }

  /** Bytes that the elements take. */
  get byteLength(): number {
    return byteLength(this.type.dtype, numel(this.type) as number);
  }

  /** Whether the data can be read. */
  get resolved(): boolean {
    return this.source !== 'unresolved';
  }

  /** The bytes. Must not be written to. @throws QfuseError when they cannot be produced or have a wrong length */
  bytes(): Uint8Array {
    const bytes = this.#produce();
    this.#checkedOnce(bytes);
    return bytes;
  }

  /** Content key: 32 hex digits of a hash over type and bytes; computed at the first use. */
  get key(): string {
    this.#key ??= contentKey(typeText(this.type), this.bytes());
    return this.#key;
  }

  /**
   * The constant that `pack` makes from this one, made once per `format`. This constant stays as it is for its
   * other users. The bytes are produced when they are read.
   */
  derive(format: string, type: TensorType, pack: (bytes: Uint8Array) => Uint8Array): Constant {
    const id = `${format} ${typeText(type)}`;
    let made = this.#derived.get(id);
    if (made === undefined) {
      let kept: WeakRef<Uint8Array> | undefined;
      made = new Constant(type, `${format} of ${this.source}`, () => {
        const known = kept?.deref();
        if (known !== undefined) return known;
        const bytes = pack(this.bytes());
        kept = new WeakRef(bytes);
        return bytes;
      });
      this.#derived.set(id, made);
    }
    return made;
  }
}
