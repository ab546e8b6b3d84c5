import { type AttrRecord, type AttrsIn, type AttrsOf, type AttrSpecs, type Editor, type Graph, internAttrs, QfuseError } from '@qfuse/ir';
import type { DriverOptions, RewriteReport, Rule } from '@qfuse/rewrite';
import type { Diagnostic } from './diagnostics.js';
import type { Analysis, Property } from './property.js';

/** The order of the stages of compilation. */
export const phases = ['import', 'normalize', 'quantize', 'fuse', 'layout', 'lower'] as const;

/** One of {@link phases}. */
export type Phase = (typeof phases)[number];

/** What a pass did. */
export interface PassOutcome {
  /** False promises that the graph's edition is the one before the pass. */
  readonly changed: boolean;
  readonly stats?: Readonly<Record<string, number>>;
}

/** What a pass may use. There is nothing global. */
export interface PassContext<O extends AttrSpecs = any> {
  readonly graph: Graph;
  readonly edit: Editor;
  readonly options: AttrsOf<O>;
  /** What is known of the device that the program is compiled for; undefined when none is. */
  readonly target: unknown;
  readonly signal: AbortSignal;
  analysis<T>(key: Analysis<T>): T;
  report(diagnostic: Diagnostic): void;
  /** Runs rules with the events of this pass attached. */
  applyRules(rules: readonly Rule[], options?: Pick<DriverOptions, 'order'>): RewriteReport;
}

/** A step of a pipeline: rules, or code. Made by {@link definePass}. */
export interface Pass {
  /** In lower case with dashes; the name in pipelines. */
  readonly name: string;
  readonly summary: string;
  readonly phase: Phase;
  /** Must hold before: something must have provided it and nothing may have broken it since. */
  readonly requires: readonly Property[];
  /** Holds afterwards. */
  readonly provides: readonly Property[];
  /** May no longer hold afterwards. */
  readonly breaks: readonly Property[];
  /** Names of passes to run after, when both are in the pipeline. */
  readonly after: readonly string[];
  /** Names of passes to run before, when both are in the pipeline. */
  readonly before: readonly string[];
  /** Analyses whose answers stay right. */
  readonly keeps: readonly Analysis<any>[];
  readonly optionSpecs: AttrSpecs;
  readonly options: AttrRecord;
  /** The rules of a rule pass with its options; undefined for a pass that is code. */
  readonly rules: readonly Rule[] | undefined;
  readonly run: (context: PassContext<any>) => PassOutcome | Promise<PassOutcome>;
  /** The same pass with other options. @throws QfuseError `pass/options` */
  readonly with: (options: AttrRecord) => Pass;
}

interface PassBase<O extends AttrSpecs> {
  readonly name: string;
  readonly summary: string;
  readonly phase: Phase;
  readonly requires?: readonly Property[];
  readonly provides?: readonly Property[];
  readonly breaks?: readonly Property[];
  readonly after?: readonly string[];
  readonly before?: readonly string[];
  readonly keeps?: readonly Analysis<any>[];
  /** Declared with `attr.optional(…, default)`; they give types, pipeline text and documents. */
  readonly options?: O;
}

/** A pass made of rules. */
export interface RulePassInit<O extends AttrSpecs> extends PassBase<O> {
  readonly rules: readonly Rule[] | ((options: AttrsOf<O>) => readonly Rule[]);
  readonly order?: DriverOptions['order'];
}

/** A pass made of code. */
export interface CodePassInit<O extends AttrSpecs> extends PassBase<O> {
  readonly run: (context: PassContext<O>) => PassOutcome | Promise<PassOutcome>;
}

/**
 * Defines a pass.
 * @throws Error when the name is not in lower case with dashes or an option has no default
 */
export function definePass<const O extends AttrSpecs = {}>(
  init: RulePassInit<O> | CodePassInit<O>,
): Pass & { readonly with: (options: AttrsIn<O>) => Pass } {
  if (!/^[a-z][a-z0-9-]*$/.test(init.name)) throw new Error(`"${init.name}" is not a pass name: expected lower case, digits and dashes`);
  const specs: AttrSpecs = init.options ?? {};
  for (const [name, spec] of Object.entries(specs))
    if (!spec.optional) throw new Error(`pass ${init.name}: option "${name}" needs a default`);
  const make = (given: AttrRecord): Pass => {
    const options = boundOptions(init.name, specs, given);
    const rules = !('rules' in init) ? undefined : typeof init.rules === 'function' ? init.rules(options as AttrsOf<O>) : init.rules;
    const run = 'rules' in init ? runRules(rules!, init.order) : init.run;
    return Object.freeze({
      name: init.name,
      summary: init.summary,
      phase: init.phase,
      requires: init.requires ?? [],
      provides: init.provides ?? [],
      breaks: init.breaks ?? [],
      after: init.after ?? [],
      before: init.before ?? [],
      keeps: init.keeps ?? [],
      optionSpecs: specs,
      options,
      rules,
      run: run as Pass['run'],
      with: make,
    });
  };
  return make({});
}

const runRules =
  (rules: readonly Rule[], order: DriverOptions['order']) =>
  (context: PassContext): PassOutcome => {
    const report = context.applyRules(rules, order === undefined ? {} : { order });
    return { changed: report.applied > 0, stats: report.byRule };
  };

function boundOptions(pass: string, specs: AttrSpecs, given: AttrRecord): AttrRecord {
  try {
    return internAttrs(specs, Object.keys(specs), given);
  } catch (cause) {
    if (!(cause instanceof QfuseError)) throw cause;
    const known = Object.keys(specs).join(', ');
    throw new QfuseError('pass/options', `pass ${pass}: ${cause.message.replace('attribute', 'option')}`, {
      cause,
      help: known === '' ? 'it has no options' : `its options are ${known}`,
    });
  }
}
