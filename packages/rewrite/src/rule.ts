import type { AnyOp, Builder, Graph, Node, ShapeEnv, Value, Verdict } from '@qfuse/ir';
import { compilePattern, type CompiledPattern } from './match.js';
import type { CapturesOf, OpPattern } from './pattern.js';

/**
 * How a rewrite may change numbers: `exact` not at all; `reassociates` as another order of the same sums does;
 * `relative` at most by this factor of the largest intermediate. With `steps`, quantized integers may be so many steps off where
 * the number before rounding lies within that factor of a tie; without it integers are exact. Tests take their tolerance from here.
 */
export type Numerics = 'exact' | 'reassociates' | { readonly relative: number; readonly steps?: number };

/** What `where` and `rewrite` see besides the captures. */
export interface RuleContext<D extends AnyOp = AnyOp> {
  readonly graph: Graph;
  readonly env: ShapeEnv;
  /** The node that the pattern's root matched. */
  readonly root: Node<D>;
}

/** New values: the root's results, and one for each exposed node by its name. */
export interface Replacement {
  /** Undefined takes the place of a result that nobody reads; `where` must have asked. */
  readonly results: readonly (Value | undefined)[];
  readonly exposed?: Readonly<Record<string, Value>>;
}

/** A rewrite rule. Made by {@link defineRule}. */
export interface Rule {
  /** `pass/what`, unique in a set of rules. */
  readonly name: string;
  readonly summary: string;
  readonly root: OpPattern<any, any>;
  readonly numerics: Numerics;
  /** Rules of a higher benefit are tried first; default: the number of ops in the pattern. */
  readonly benefit: number;
  readonly where: ((captures: any, context: RuleContext<any>) => Verdict) | undefined;
  readonly rewrite: (captures: any, builder: Builder, context: RuleContext<any>) => Value | readonly Value[] | Replacement;
  readonly pattern: CompiledPattern;
}

type RootOp<P> = P extends OpPattern<infer D, any> ? D : never;

/** What {@link defineRule} takes. */
export interface RuleInit<P extends OpPattern<any, any>> {
  readonly name: string;
  readonly summary: string;
  readonly root: P;
  readonly numerics: Numerics;
  readonly benefit?: number;
  /** Reads only. Says whether the match may be rewritten, and why not. */
  readonly where?: (captures: CapturesOf<P>, context: RuleContext<RootOp<P>>) => Verdict;
  /** Builds only. The driver redirects the readers, erases what is dead and queues what may match now. */
  readonly rewrite: (captures: CapturesOf<P>, builder: Builder, context: RuleContext<RootOp<P>>) => Value | readonly Value[] | Replacement;
}

/**
 * Defines a rule.
 * @throws Error when the name is not `pass/what` or the pattern contradicts itself
 */
export function defineRule<P extends OpPattern<any, any>>(init: RuleInit<P>): Rule {
  if (!/^[a-z0-9-]+\/[a-z0-9-]+$/.test(init.name)) throw new Error(`"${init.name}" is not a rule name: expected pass/what in lower case`);
  const pattern = compilePattern(init.root);
  return Object.freeze({ ...init, where: init.where, benefit: init.benefit ?? pattern.size, pattern });
}
