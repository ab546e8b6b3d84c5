import { Editor, type Graph, type AnyOp, parseGraph, printGraph, verifyGraph } from '@qfuse/ir';
import { allOps } from '@qfuse/ops';
import {
  createPlan,
  createRegistry,
  definePlugin,
  type Pass,
  type Plugin,
  type PluginInput,
  type Registry,
  runPlan,
} from '@qfuse/pass-manager';
import { applyRules, type Numerics, type Rule } from '@qfuse/rewrite';
import { describe, expect, test } from 'vitest';
import { expectEquivalent } from './equivalence.js';
import { type GoldenCase, goldenFiles, readGolden, updateGolden } from './golden.js';
import { readGraph } from './graph-text.js';
import { plant, type Soil } from './plant.js';

/** Options of {@link testPass}. */
export interface TestPassOptions {
  /** Plugins beside the tested one whose passes goldens may name. */
  readonly with?: PluginInput;
  /** What planted graphs need to know, by rule name. */
  readonly soil?: Readonly<Record<string, Soil>>;
  /** Planted graphs for each rule. Default 60. */
  readonly plants?: number;
  /** Share of planted graphs that a rule must apply to, so that the fuzz really reaches it. Default 0.1. */
  readonly reach?: number;
  /** The same text whatever order the worklist has. Default true. */
  readonly confluent?: boolean;
}

/**
 * Tests a pass package: every golden file beside the test, both sides of each golden, graphs planted from each rule's
 * own pattern, idempotence, honesty about changes, and independence of the order of the worklist.
 * @param testUrl - `import.meta.url` of the test file
 */
export function testPass(testUrl: string, plugin: Plugin, options: TestPassOptions = {}): void {
  const core = definePlugin({ name: '@qfuse/ops', version: '0.1.0', api: 1, ops: allOps });
  const registry = createRegistry([core, plugin, options.with]);
  const own = (plugin.passes ?? []).map((p) => p.name);
  for (const file of goldenFiles(testUrl))
    describe(file.replace(/^.*[\\/]/, ''), () => void readGolden(file).forEach((c) => test(c.name, () => checkGolden(c, registry, own))));
  for (const pass of plugin.passes ?? []) for (const rule of pass.rules ?? []) describe(rule.name, () => plantedTests(rule, pass, options));
}

async function runPasses(graph: Graph, passes: readonly Pass[]) {
  return runPlan(graph, createPlan(passes), { verify: 'each', recordRules: true });
}

async function checkGolden(golden: GoldenCase, registry: Registry, own: readonly string[]): Promise<void> {
  const passes = (golden.passes ?? own).map((name) => {
    const pass = registry.passes.get(name);
    if (pass === undefined) throw new Error(`${golden.file}: there is no pass "${name}"`);
    return pass;
  });
  const before = readGraph(golden.input, registry.ops);
  const graph = readGraph(golden.input, registry.ops);
  const original = printGraph(graph);
  const report = await runPasses(graph, passes);
  const output = printGraph(graph);
  const refusals = report.rules.filter((r) => !r.applied).sort((a, b) => b.depth - a.depth);
  // A reason that is written already and still given stays; else the rule that matched most is the one that was meant.
  const reason = refusals.find((r) => r.why === golden.unchanged) ?? refusals[0];
  const result = output === original ? { unchanged: reason?.why ?? '' } : { output };
  if (updating()) updateGolden(golden, result);
  else if (golden.output !== undefined) expect(output.trim(), missText(refusals)).toBe(normalized(golden.output, registry.ops));
  else {
    expect(output, 'the graph was to stay as it is').toBe(original);
    if (golden.unchanged !== '')
      expect(
        refusals.map((r) => r.why),
        'reasons of the rules that refused',
      ).toContain(golden.unchanged);
  }
  expectEquivalent(before, graph, numericsOf(passes));
  const once = printGraph(graph);
  await runPasses(graph, passes);
  expect(printGraph(graph), 'a second run changes nothing').toBe(once);
}

/** The expected text in canonical form, so that a golden may be written with names of its own. */
function normalized(text: string, ops: ReadonlyMap<string, AnyOp>): string {
  return printGraph(parseGraph(text, { ops: (name) => ops.get(name) })).trim();
}

const missText = (refusals: readonly { readonly rule: string; readonly why: string }[]): string =>
  refusals.length === 0 ? 'no rule refused' : `rules that refused:\n${refusals.map((r) => `  ${r.rule}: ${r.why}`).join('\n')}`;

/** Whether vitest was asked to update (`-u`). */
const updating = (): boolean =>
  (expect.getState() as unknown as { snapshotState?: Record<string, unknown> }).snapshotState?.['_updateSnapshot'] === 'all';

/** The loosest promise of the rules of some passes; integers may be as many steps off as any of them says. */
function numericsOf(passes: readonly Pass[]): Numerics {
  let result: Numerics = 'exact';
  let steps = 0;
  for (const { numerics } of passes.flatMap((p) => p.rules ?? [])) {
    if (typeof numerics === 'object') steps = Math.max(steps, numerics.steps ?? 0);
    if (typeof numerics === 'object' && (typeof result !== 'object' || numerics.relative > result.relative)) result = numerics;
    else if (numerics === 'reassociates' && result === 'exact') result = numerics;
  }
  return typeof result === 'object' && steps > 0 ? { relative: result.relative, steps } : result;
}

/** Runs one planted graph; what goes wrong names its seed, with which `plant` grows it again. */
function atSeed(rule: Rule, seed: number, run: () => void): void {
  try {
    run();
  } catch (error) {
    if (error instanceof Error) error.message = `${rule.name}, planted with seed ${seed}: ${error.message}`;
    throw error;
  }
}

function plantedTests(rule: Rule, pass: Pass, options: TestPassOptions): void {
  const soil = options.soil?.[rule.name];
  const seeds = Array.from({ length: options.plants ?? 60 }, (_, i) => i + 1);
  const few = seeds.slice(0, Math.ceil(seeds.length / 3));
  const rules = pass.rules ?? [];

  test('planted graphs compute the same before and after', () => {
    let planted = 0;
    let applied = 0;
    let compared = 0;
    for (const seed of seeds)
      atSeed(rule, seed, () => {
        const before = plant(rule, seed, soil);
        const after = plant(rule, seed, soil);
        if (before === undefined || after === undefined) return;
        planted++;
        const report = applyRules(new Editor(after), [rule]);
        applied += report.applied > 0 ? 1 : 0;
        expect(verifyGraph(after), 'the graph is valid').toEqual([]);
        compared += expectEquivalent(before, after, rule.numerics, seed);
      });
    expect(planted, `graphs planted from ${rule.name}`).toBeGreaterThan(0);
    expect(compared, 'runs whose results were compared').toBeGreaterThan(0);
    expect(applied / planted, `share of ${planted} planted graphs that ${rule.name} applies to`).toBeGreaterThanOrEqual(
      options.reach ?? 0.1,
    );
  });

  test.runIf(options.confluent ?? true)('the order of the worklist does not matter', () => {
    for (const seed of few)
      atSeed(rule, seed, () => {
        const texts = [undefined, 1, 2].map((shuffle) => {
          const graph = plant(rule, seed, soil);
          if (graph === undefined) return '';
          applyRules(new Editor(graph), rules, shuffle === undefined ? {} : { seed: shuffle });
          return printGraph(graph);
        });
        expect(new Set(texts).size, texts.join('\n')).toBe(1);
      });
  });

  test('applying the rules again changes nothing, and unchanged graphs are not written', () => {
    for (const seed of few)
      atSeed(rule, seed, () => {
        const graph = plant(rule, seed, soil);
        if (graph === undefined) return;
        applyRules(new Editor(graph), rules);
        const text = printGraph(graph);
        const { edition } = graph;
        const again = applyRules(new Editor(graph), rules);
        expect([again.applied, graph.edition, printGraph(graph)]).toEqual([0, edition, text]);
      });
  });
}
