import { Editor, describeOrigin, type Graph, madeOrigin, type Node, QfuseError, verifyGraph } from '@qfuse/ir';
import { type Application, applyRules, type DriverOptions, type Match, type RewriteReport, type Rule } from '@qfuse/rewrite';
import { type Diagnostic, renderDiagnostic } from './diagnostics.js';
import { type CompilerEmitter, createEmitter } from './events.js';
import type { Pass, PassContext, PassOutcome, Phase } from './pass.js';
import type { Plan } from './plan.js';
import type { Plugin } from './plugin.js';
import { AnalysisCache } from './property.js';
import { captureGraph, reproducerText } from './reproducer.js';

/** When the graph and the promises of passes are checked. */
export type VerifyMode = 'off' | 'borders' | 'each';

/** A rule that matched at least its root and refused, or a rule that was applied. */
export interface RuleRecord {
  readonly pass: string;
  readonly rule: string;
  /** Description of the place in the source program. */
  readonly at: string;
  readonly applied: boolean;
  /** Why it refused; empty when it was applied. */
  readonly why: string;
  readonly depth: number;
  /** The node it was tried at (or the one it made), for as long as the graph lives. */
  readonly node: Node | undefined;
  /** The node at which the match failed. */
  readonly failedAt: Node | undefined;
}

/** Options of {@link runPlan}. */
export interface RunPlanOptions {
  readonly events?: CompilerEmitter | undefined;
  /** Default `borders`: before the first and after the last pass. */
  readonly verify?: VerifyMode | undefined;
  /** Named in reproducers; their `observe` is attached. */
  readonly plugins?: readonly Plugin[] | undefined;
  readonly target?: unknown;
  readonly signal?: AbortSignal | undefined;
  /** Keep what rules did and refused, for explanations. Default false: it costs a little per near miss. */
  readonly recordRules?: boolean | undefined;
  /** Sees both sides of each rewrite; for verification. Reads only. */
  readonly watch?: { readonly onMatch: (match: Match) => void; readonly onApply: (application: Application) => void } | undefined;
}

/** One pass that ran. */
export interface PassRecord {
  readonly pass: string;
  readonly phase: Phase;
  readonly ms: number;
  readonly outcome: PassOutcome;
  readonly nodesBefore: number;
  readonly nodesAfter: number;
}

/** What a pipeline did. */
export interface PipelineReport {
  readonly passes: readonly PassRecord[];
  readonly diagnostics: readonly Diagnostic[];
  /** Filled when `recordRules` was set. */
  readonly rules: readonly RuleRecord[];
}

/** A pass failed: a defect of the pass or of qfuse, with what is needed to see it again. */
export class PassFailure extends Error {
  readonly pass: string;
  /** Text of a reproducer file. */
  readonly reproducer: string;

  constructor(pass: string, cause: unknown, reproducer: string) {
    super(`pass ${pass} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'PassFailure';
    this.pass = pass;
    this.reproducer = reproducer;
  }
}

/**
 * Runs the passes of a plan on a graph.
 * @throws PassFailure when a pass throws or breaks a promise, with a reproducer; the graph is then as before that pass
 * @throws QfuseError when the graph is not valid before the first pass, or a pass reports an error diagnostic
 */
export async function runPlan(graph: Graph, plan: Plan, options: RunPlanOptions = {}): Promise<PipelineReport> {
  return new PipelineRun(graph, plan, options).run();
}

class PipelineRun {
  readonly #graph: Graph;
  readonly #plan: Plan;
  readonly #options: RunPlanOptions;
  readonly #events: CompilerEmitter;
  readonly #verify: VerifyMode;
  readonly #signal: AbortSignal;
  readonly #analyses: AnalysisCache;
  readonly #passes: PassRecord[] = [];
  readonly #diagnostics: Diagnostic[] = [];
  readonly #rules: RuleRecord[] = [];
  #spans = 0;
  #span = 0;

  constructor(graph: Graph, plan: Plan, options: RunPlanOptions) {
    this.#graph = graph;
    this.#plan = plan;
    this.#options = options;
    this.#events = options.events ?? createEmitter();
    this.#verify = options.verify ?? 'borders';
    this.#signal = options.signal ?? new AbortController().signal;
    this.#analyses = new AnalysisCache(graph, (name, ms, cached) =>
      this.#events.emit('analysis:end', { parent: this.#span, name, ms, cached }),
    );
    for (const plugin of options.plugins ?? []) plugin.observe?.(this.#events);
  }

  async run(): Promise<PipelineReport> {
    const span = ++this.#spans;
    const start = performance.now();
    let ok = false;
    this.#events.emit('pipeline:start', { span, passes: this.#plan.passes.map((p) => p.name), nodes: this.#graph.size });
    try {
      if (this.#verify !== 'off') this.#checkGraph('before the first pass');
      for (const [i, pass] of this.#plan.passes.entries()) await this.#runPass(pass, i, span);
      ok = true;
    } finally {
      this.#events.emit('pipeline:end', { span, ms: performance.now() - start, ok, nodes: this.#graph.size });
    }
    return { passes: this.#passes, diagnostics: this.#diagnostics, rules: this.#rules };
  }

  async #runPass(pass: Pass, index: number, parent: number): Promise<void> {
    this.#signal.throwIfAborted();
    const graph = this.#graph;
    const span = (this.#span = ++this.#spans);
    const edit = new Editor(graph);
    const before = {
      nodes: graph.size,
      edition: graph.edition,
      snapshot: edit.snapshot(),
      errors: this.#diagnostics.filter((d) => d.severity === 'error').length,
    };
    this.#events.emit('pass:start', { span, parent, pass: pass.name, nodes: before.nodes });
    const start = performance.now();
    try {
      const outcome = await pass.run(this.#context(pass, edit));
      this.#checkPromises(pass, outcome, before.edition, index);
      if (outcome.changed) this.#analyses.keep(pass.keeps, before.edition);
      const ms = performance.now() - start;
      const record = { pass: pass.name, phase: pass.phase, ms, outcome, nodesBefore: before.nodes, nodesAfter: graph.size };
      this.#passes.push(record);
      this.#events.emit('pass:end', { span, pass: pass.name, ms: record.ms, outcome, nodes: graph.size });
    } catch (error) {
      if (this.#signal.aborted) throw error;
      edit.restore(before.snapshot);
      const captured = captureGraph(graph);
      const reproducer = reproducerText(
        captured.text,
        captured.constants,
        this.#plan.passes.slice(index),
        this.#options.plugins ?? [],
        error,
      );
      this.#events.emit('pass:fail', { span, pass: pass.name, error, reproducer });
      throw new PassFailure(pass.name, error, reproducer);
    }
    const errors = this.#diagnostics.filter((d) => d.severity === 'error').slice(before.errors);
    if (errors.length > 0) throw new QfuseError(errors[0]!.code, errors.map(renderDiagnostic).join('\n'), { help: errors[0]!.help });
  }

  #context(pass: Pass, edit: Editor): PassContext {
    edit.origin = madeOrigin(pass.name, []);
    return {
      graph: this.#graph,
      edit,
      options: pass.options,
      target: this.#options.target,
      signal: this.#signal,
      analysis: (key) => this.#analyses.get(key),
      report: (diagnostic) => {
        this.#diagnostics.push(diagnostic);
        this.#events.emit('diagnostic', diagnostic);
      },
      applyRules: (rules, driver) => this.#applyRules(pass, edit, rules, driver),
    };
  }

  #applyRules(pass: Pass, edit: Editor, rules: readonly Rule[], driver: Pick<DriverOptions, 'order'> = {}): RewriteReport {
    const parent = this.#span;
    const keep = this.#options.recordRules === true;
    const wantsApply = keep || this.#events.listenerCount('rule:apply') > 0;
    const wantsRefuse = keep || this.#events.listenerCount('rule:refuse') > 0;
    return applyRules(edit, rules, {
      ...driver,
      signal: this.#signal,
      onMatch: this.#options.watch?.onMatch,
      onApply:
        !wantsApply && this.#options.watch === undefined
          ? undefined
          : ({ rule, results }) => {
              this.#options.watch?.onApply({ rule, results });
              const node = results[0]?.producer;
              const at = node === undefined ? '' : describeOrigin(node.origin);
              this.#events.emit('rule:apply', { parent, rule: rule.name, at });
              if (keep)
                this.#rules.push({ pass: pass.name, rule: rule.name, at, applied: true, why: '', depth: 0, node, failedAt: undefined });
            },
      onRefuse: !wantsRefuse
        ? undefined
        : ({ rule, node, why, depth, at: failedAt }) => {
            const at = describeOrigin(node.origin);
            this.#events.emit('rule:refuse', { parent, rule: rule.name, at, why, depth });
            if (keep) this.#rules.push({ pass: pass.name, rule: rule.name, at, applied: false, why, depth, node, failedAt });
          },
    });
  }

  #checkPromises(pass: Pass, outcome: PassOutcome, edition: number, index: number): void {
    if (!outcome.changed && this.#graph.edition !== edition)
      throw new Error(`pass ${pass.name} says that it changed nothing, but it wrote ${this.#graph.edition - edition} times`);
    const last = index === this.#plan.passes.length - 1;
    if (this.#verify === 'each' || (this.#verify === 'borders' && last)) this.#checkGraph(`after pass ${pass.name}`);
    if (this.#verify !== 'each') return;
    for (const property of [...pass.requires.filter((p) => !pass.breaks.includes(p)), ...pass.provides]) {
      const verdict = property.check(this.#graph);
      if (!verdict.ok) throw new Error(`after pass ${pass.name} the property "${property.name}" does not hold: ${verdict.why}`);
    }
  }

  #checkGraph(when: string): void {
    const errors = verifyGraph(this.#graph);
    if (errors.length > 0)
      throw new QfuseError(
        'ir/invalid-graph',
        `${errors.length} error(s) in the graph ${when}:\n${errors
          .slice(0, 20)
          .map((e) => `  ${e.code}: ${e.message}`)
          .join('\n')}`,
      );
  }
}
