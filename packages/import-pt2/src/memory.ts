import type { Value } from '@qfuse/ir';
import { quote, unsupported } from './errors.js';

/** How a tensor that shares storage with another follows from it, and back. */
export interface View {
  /** The view's contents, from its source's. */
  readonly replay: (source: Value) => Value;
  /** The source's contents after `part` was written into the view; undefined when that cannot be written. */
  readonly scatter?: ((source: Value, part: Value) => Value) | undefined;
  /** The operator that made the view, for messages. */
  readonly op: string;
}

/** Memory that one or more tensors look at. */
class Storage {
  /** Counts writes. */
  version = 0;
  /** Storages that may or may not be this very one: torch decides by strides. */
  readonly relatives: Storage[] = [];
  /** The node whose write may have changed this storage. */
  doubt: string | undefined;
}

/** A tensor as torch sees it: a storage's root, or a view of another tensor. */
export class TensorRef {
  readonly storage: Storage;
  readonly source: TensorRef | undefined;
  readonly view: View | undefined;
  /** The contents at `version` of the storage. */
  value: Value;
  version: number;

  /** @internal made by {@link Memory} */
  constructor(storage: Storage, value: Value, source?: TensorRef, view?: View) {
    this.storage = storage;
    this.value = value;
    this.version = storage.version;
    this.source = source;
    this.view = view;
  }

  /** Whether anything was written to the storage. */
  get written(): boolean {
    return this.storage.version > 0;
  }
}

/**
 * Makes in-place programs functional: contents are graph values, and a write to a tensor gives new contents to
 * everything that shares its storage.
 *
 * A write through a view is carried back to the root by each view's `scatter`; other views are recomputed when
 * they are read next. Where torch's strides decide whether two tensors share storage and the file does not settle
 * it, a write to one makes reading the other an error: a program is functionalized rightly or refused.
 */
export class Memory {
  /** A tensor in memory of its own. */
  fresh(value: Value): TensorRef {
    return new TensorRef(new Storage(), value);
  }

  /** A view of `source` whose contents are now `value`. */
  view(source: TensorRef, view: View, value: Value): TensorRef {
    return new TensorRef(source.storage, value, source, view);
  }

  /** A tensor that is a view of `source` or a copy, one cannot tell. */
  perhaps(source: TensorRef, value: Value): TensorRef {
    const ref = this.fresh(value);
    // Relatives of relatives too: a view chain with two undecided steps may be one storage.
    for (const s of [source.storage, ...source.storage.relatives]) {
      s.relatives.push(ref.storage);
      ref.storage.relatives.push(s);
    }
    return ref;
  }

  /**
   * The contents of a tensor.
   * @param who - the node that reads, for messages
   * @throws QfuseError `pt2/unsupported-alias` when they are in doubt
   */
  read(ref: TensorRef, who: string): Value {
    const { storage } = ref;
    if (storage.doubt !== undefined)
      throw unsupported('alias', `${quote(who)} reads a tensor that ${quote(storage.doubt)} may have changed in place: whether the two share memory depends on strides`, 'clone the tensor before it is changed');
    const stale: TensorRef[] = [];
    let at = ref;
    while (at.version !== storage.version && at.source !== undefined) {
      stale.push(at);
      at = at.source;
    }
    for (const r of stale.reverse()) {
      r.value = r.view!.replay(r.source!.value);
      r.version = storage.version;
    }
    return ref.value;
  }

  /**
   * Gives a tensor new contents, of the same type.
   * @param who - the node that writes, for messages
   * @throws QfuseError `pt2/unsupported-alias` for a write through a view that cannot be carried back
   */
  write(ref: TensorRef, value: Value, who: string): void {
    // First every level as it was, then the new contents from the view up to the root.
    this.read(ref, who);
    const chain: TensorRef[] = [];
    for (let at: TensorRef | undefined = ref; at !== undefined; at = at.source) chain.push(at);
    let part = value;
    const contents = chain.map((r, i) => {
      if (i > 0) {
        const view = chain[i - 1]!.view!;
        if (view.scatter === undefined) throw unsupported('alias', `${quote(who)} writes in place through a view made by ${view.op}, which qfuse cannot undo`, 'clone the view before it is changed');
        part = view.scatter(this.read(r, who), part);
      }
      return part;
    });
    const { storage } = ref;
    storage.version++;
    for (const [i, r] of chain.entries()) {
      r.value = contents[i]!;
      r.version = storage.version;
    }
    for (const s of storage.relatives) s.doubt = who;
  }
}
