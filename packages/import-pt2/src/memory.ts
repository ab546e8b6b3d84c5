import type { Value } from '@qfuse/plugin';
import { unsupported } from './errors.js';
import { MAX_VIEW_DEPTH } from './limits.js';

/** How a tensor that shares storage with another follows from it, and back. */
export interface View {
  /** The view's contents, from its source's. */
  readonly replay: (source: Value) => Value;
  /** The source's contents after `part` was written into the view; undefined when that cannot be written. */
  readonly scatter?: ((source: Value, part: Value) => Value) | undefined;
  /** The operator that made the view, for messages. */
  readonly op: string;
}

/** A write to one of several storages that may be one. */
interface Write {
  readonly storage: Storage;
  readonly who: string;
  readonly time: number;
}

/** Storages that may or may not be one and the same: torch decides by strides. */
class Family {
  /** Counts writes to members. */
  time = 0;
  /** The last write, and the last one to another member than that. */
  last: Write | undefined;
  before: Write | undefined;

  note(storage: Storage, who: string): void {
    if (this.last !== undefined && this.last.storage !== storage) this.before = this.last;
    this.last = { storage, who, time: ++this.time };
  }
}

/** Memory that one or more tensors look at. */
class Storage {
  /** Counts writes. */
  version = 0;
  family: Family | undefined;
  /** The family's time when this storage became a member. */
  joined = 0;

  /** The last write to a relative, after which nobody knows the contents. */
  get doubt(): Write | undefined {
    const { family } = this;
    const write = family?.last?.storage === this ? family.before : family?.last;
    return write !== undefined && write.time > this.joined ? write : undefined;
  }
}

/** A tensor as torch sees it: a storage's root, or a view of another tensor. */
export class TensorRef {
  readonly storage: Storage;
  readonly source: TensorRef | undefined;
  readonly view: View | undefined;
  /** The contents at `version` of the storage. */
  value: Value;
  version: number;
  /** Views between this tensor and the root. */
  readonly depth: number;

  /** @internal made by {@link Memory} */
  constructor(storage: Storage, value: Value, source?: TensorRef, view?: View) {
    this.storage = storage;
    this.value = value;
    this.version = storage.version;
    this.source = source;
    this.view = view;
    this.depth = source === undefined ? 0 : source.depth + 1;
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

  /**
   * A view of `source` whose contents are now `value`.
   * @throws QfuseError `pt2/unsupported-alias` for views of views without end
   */
  view(source: TensorRef, view: View, value: Value, who: string): TensorRef {
    if (source.depth >= MAX_VIEW_DEPTH)
      throw unsupported('alias', `${who} is a view of a view, ${MAX_VIEW_DEPTH} deep`, 'clone one of the tensors in between');
    return new TensorRef(source.storage, value, source, view);
  }

  /** A tensor that is a view of `source` or a copy, one cannot tell. */
  perhaps(source: TensorRef, value: Value): TensorRef {
    const ref = this.fresh(value);
    const family = (source.storage.family ??= new Family());
    ref.storage.family = family;
    ref.storage.joined = family.time;
    return ref;
  }

  /**
   * The contents of a tensor.
   * @param who - who reads, for messages
   * @throws QfuseError `pt2/unsupported-alias` when they are in doubt
   */
  read(ref: TensorRef, who: string): Value {
    const { storage } = ref;
    const { doubt } = storage;
    if (doubt !== undefined)
      throw unsupported(
        'alias',
        `${who} reads a tensor that ${doubt.who} may have changed in place: whether the two share memory depends on strides`,
        'clone the tensor before it is changed',
      );
    const stale: TensorRef[] = [];
    let at = ref;
    while (at.version !== storage.version && at.source !== undefined) {
      stale.push(at);
      at = at.source;
    }
    for (const r of stale.toReversed()) {
      r.value = r.view!.replay(r.source!.value);
      r.version = storage.version;
    }
    return ref.value;
  }

  /**
   * Gives a tensor new contents, of the same type.
   * @param who - who writes, for messages
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
        if (view.scatter === undefined)
          throw unsupported(
            'alias',
            `${who} writes in place through a view made by ${view.op}, which qfuse cannot undo`,
            'clone the view before it is changed',
          );
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
    storage.family?.note(storage, who);
  }
}
