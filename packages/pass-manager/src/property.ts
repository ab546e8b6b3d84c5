import type { Graph, Verdict } from '@qfuse/ir';

/** A fact about a graph that passes ask for, provide and break. Compared by identity. */
export interface Property {
  readonly name: string;
  readonly summary: string;
  /** Whether it holds, with what contradicts it. Run in tests and with `verify: 'each'`. */
  readonly check: (graph: Graph) => Verdict;
}

/** Defines a property. */
export const defineProperty = (property: Property): Property => Object.freeze(property);

/** A typed key of a cached answer about a graph. Compared by identity. */
export interface Analysis<T> {
  readonly name: string;
  readonly compute: (graph: Graph, get: <U>(other: Analysis<U>) => U) => T;
}

/** Defines an analysis. */
export const defineAnalysis = <T>(analysis: Analysis<T>): Analysis<T> => Object.freeze(analysis);

/** Answers of analyses, kept until the graph changes. */
export class AnalysisCache {
  readonly #graph: Graph;
  readonly #answers = new Map<Analysis<any>, { readonly edition: number; readonly value: unknown }>();
  readonly #onAnswer: (name: string, ms: number, cached: boolean) => void;

  constructor(graph: Graph, onAnswer: (name: string, ms: number, cached: boolean) => void = () => {}) {
    this.#graph = graph;
    this.#onAnswer = onAnswer;
  }

  /** The answer of `analysis` for the graph as it is now. */
  get<T>(analysis: Analysis<T>): T {
    const known = this.#answers.get(analysis);
    if (known?.edition === this.#graph.edition) {
      this.#onAnswer(analysis.name, 0, true);
      return known.value as T;
    }
    const start = performance.now();
    const value = analysis.compute(this.#graph, (other) => this.get(other));
    this.#answers.set(analysis, { edition: this.#graph.edition, value });
    this.#onAnswer(analysis.name, performance.now() - start, false);
    return value;
  }

  /** Says that the answers of `kept` are still right after the edits since `edition`. */
  keep(kept: readonly Analysis<any>[], edition: number): void {
    for (const analysis of kept) {
      const known = this.#answers.get(analysis);
      if (known?.edition === edition) this.#answers.set(analysis, { edition: this.#graph.edition, value: known.value });
    }
  }
}
