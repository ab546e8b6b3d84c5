import type { Diagnostic } from './diagnostics.js';
import type { PassOutcome } from './pass.js';

/** Listener signatures by event name. */
export type EventMap = { [name: string]: (event: any) => void };

/**
 * The part of an emitter's interface that observers need. A `TypedEmitter<E>` of typed-emitter is one; that package is
 * not named here, because its declarations do not resolve for users whose TypeScript is set to `nodenext`.
 */
export interface Emitter<E extends EventMap> {
  on<K extends keyof E>(name: K, listener: E[K]): this;
  once<K extends keyof E>(name: K, listener: E[K]): this;
  off<K extends keyof E>(name: K, listener: E[K]): this;
  /** Whether anybody listened. */
  emit<K extends keyof E>(name: K, ...event: Parameters<E[K]>): boolean;
  listenerCount(name: keyof E): number;
  /** Removes the listeners of one event, or of all. */
  removeAllListeners(name?: keyof E): this;
}

/**
 * What happens while a pipeline runs. Events are for observers: timing, dumps, progress, statistics.
 * A start has a `span`, what happens inside names it as `parent`, so that listeners can build trees.
 */
export type CompilerEvents = {
  'pipeline:start': (e: { readonly span: number; readonly passes: readonly string[]; readonly nodes: number }) => void;
  'pipeline:end': (e: { readonly span: number; readonly ms: number; readonly ok: boolean; readonly nodes: number }) => void;
  'pass:start': (e: { readonly span: number; readonly parent: number; readonly pass: string; readonly nodes: number }) => void;
  'pass:end': (e: {
    readonly span: number;
    readonly pass: string;
    readonly ms: number;
    readonly outcome: PassOutcome;
    readonly nodes: number;
  }) => void;
  'pass:fail': (e: { readonly span: number; readonly pass: string; readonly error: unknown; readonly reproducer: string }) => void;
  'analysis:end': (e: { readonly parent: number; readonly name: string; readonly ms: number; readonly cached: boolean }) => void;
  /** A rule was applied; `at` describes the origin of what it replaced. */
  'rule:apply': (e: { readonly parent: number; readonly rule: string; readonly at: string }) => void;
  /** A rule matched at least its root and refused. Emitted only while somebody listens. */
  'rule:refuse': (e: {
    readonly parent: number;
    readonly rule: string;
    readonly at: string;
    readonly why: string;
    readonly depth: number;
  }) => void;
  diagnostic: (e: Diagnostic) => void;
};

/** The emitter of {@link CompilerEvents}. */
export type CompilerEmitter = Emitter<CompilerEvents>;

type Listener = (event: unknown) => void;

/**
 * An emitter without Node's `events`, so that it runs in a browser. Listeners observe only: one that throws is
 * removed and handed to `onListenerError`, and the emitting code goes on.
 */
class SmallEmitter {
  readonly #listeners = new Map<string, Set<Listener>>();
  readonly #onError: (name: string, error: unknown) => void;

  constructor(onListenerError: (name: string, error: unknown) => void) {
    this.#onError = onListenerError;
  }

  on(name: string, listener: Listener): this {
    const known = this.#listeners.get(name);
    if (known === undefined) this.#listeners.set(name, new Set([listener]));
    else known.add(listener);
    return this;
  }

  once(name: string, listener: Listener): this {
    const wrapped: Listener = (event) => {
      this.off(name, wrapped);
      listener(event);
    };
    return this.on(name, wrapped);
  }

  off(name: string, listener: Listener): this {
    this.#listeners.get(name)?.delete(listener);
    return this;
  }

  emit(name: string, event: unknown): boolean {
    const listeners = [...(this.#listeners.get(name) ?? [])];
    for (const listener of listeners) {
      try {
        listener(event);
      } catch (error) {
        this.off(name, listener);
        this.#onError(name, error);
      }
    }
    return listeners.length > 0;
  }

  listenerCount(name: string): number {
    return this.#listeners.get(name)?.size ?? 0;
  }

  removeAllListeners(name?: string): this {
    if (name === undefined) this.#listeners.clear();
    else this.#listeners.delete(name);
    return this;
  }
}

/**
 * A new emitter.
 * @param onListenerError - told of a listener that threw and was removed; default: nobody is told
 */
export function createEmitter<E extends EventMap = CompilerEvents>(
  onListenerError: (name: string, error: unknown) => void = () => {},
): Emitter<E> {
  return new SmallEmitter(onListenerError) as unknown as Emitter<E>;
}
