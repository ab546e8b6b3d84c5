import { QfuseError } from '@qfuse/ir';
import { type Pass, phases } from './pass.js';
import type { Property } from './property.js';

/** Why one pass runs before another. */
export interface PlanEdge {
  readonly from: string;
  readonly to: string;
  readonly why: string;
}

/** Passes in the order in which they run, with the reasons. */
export interface Plan {
  readonly passes: readonly Pass[];
  readonly edges: readonly PlanEdge[];
}

const phaseOf = (p: Pass): number => phases.indexOf(p.phase);

/**
 * Orders passes: by phase, within a phase by `requires`/`provides` and `after`/`before`, and otherwise as given.
 * Refuses a plan that cannot hold before anything runs.
 * @param initially - properties that the imported graph has
 * @throws QfuseError `plan/duplicate`, `plan/phase`, `plan/cycle` (each edge with who asked), `plan/missing` (who needs it, who broke it)
 */
export function createPlan(passes: readonly Pass[], initially: readonly Property[] = []): Plan {
  const index = new Map<string, number>();
  passes.forEach((p, i) => {
    if (index.has(p.name)) throw new QfuseError('plan/duplicate', `pass "${p.name}" is in the plan twice`);
    index.set(p.name, i);
  });
  const edges: (PlanEdge & { readonly a: number; readonly b: number })[] = [];
  const edge = (a: number, b: number, why: string): void => {
    if (a === b || edges.some((e) => e.a === a && e.b === b)) return;
    if (phaseOf(passes[a]!) > phaseOf(passes[b]!))
      throw new QfuseError(
        'plan/phase',
        `${passes[a]!.name} (phase ${passes[a]!.phase}) would have to run before ${passes[b]!.name} (phase ${passes[b]!.phase}): ${why}`,
      );
    edges.push({ a, b, from: passes[a]!.name, to: passes[b]!.name, why });
  };
  passes.forEach((p, i) => {
    for (const name of p.after) if (index.has(name)) edge(index.get(name)!, i, `${p.name} says after ${name}`);
    for (const name of p.before) if (index.has(name)) edge(i, index.get(name)!, `${p.name} says before ${name}`);
    for (const need of p.requires)
      passes.forEach(
        (q, j) =>
          q.provides.includes(need) && phaseOf(q) <= phaseOf(p) && edge(j, i, `${p.name} requires ${need.name}, ${q.name} provides it`),
      );
  });
  const order = sorted(passes, edges);
  checkProperties(order, initially);
  return Object.freeze({
    passes: Object.freeze(order),
    edges: Object.freeze(edges.map(({ from, to, why }) => Object.freeze({ from, to, why }))),
  });
}

function sorted(passes: readonly Pass[], edges: readonly { readonly a: number; readonly b: number; readonly why: string }[]): Pass[] {
  const waiting = passes.map((_, i) => edges.filter((e) => e.b === i).length);
  const left = new Set(passes.keys());
  const order: Pass[] = [];
  while (left.size > 0) {
    let best = -1;
    for (const i of left) if (waiting[i] === 0 && (best < 0 || phaseOf(passes[i]!) < phaseOf(passes[best]!))) best = i;
    if (best < 0) {
      const reasons = edges
        .filter((e) => left.has(e.a) && left.has(e.b))
        .map((e) => `${passes[e.a]!.name} before ${passes[e.b]!.name} (${e.why})`);
      throw new QfuseError('plan/cycle', `no order satisfies all passes: ${reasons.join('; ')}`);
    }
    left.delete(best);
    order.push(passes[best]!);
    for (const e of edges) if (e.a === best) waiting[e.b]!--;
  }
  return order;
}

function checkProperties(order: readonly Pass[], initially: readonly Property[]): void {
  const have = new Set(initially);
  const brokenBy = new Map<Property, string>();
  for (const pass of order) {
    for (const need of pass.requires) {
      if (have.has(need)) continue;
      const givers = order.filter((q) => q.provides.includes(need)).map((q) => q.name);
      const broken = brokenBy.get(need);
      const why =
        broken !== undefined
          ? `${broken} breaks it before`
          : givers.length > 0
            ? `${givers.join(', ')} provides it, but later`
            : 'no pass of the plan provides it';
      throw new QfuseError('plan/missing', `${pass.name} requires "${need.name}" (${need.summary}): ${why}`);
    }
    for (const p of pass.breaks) {
      have.delete(p);
      brokenBy.set(p, pass.name);
    }
    for (const p of pass.provides) have.add(p);
  }
}

/** The plan as lines: each pass with its phase, what it needs and gives, and why it stands where it stands. */
export function explainPlan(plan: Plan): string {
  const lines = plan.passes.map((p, i) => {
    const reasons = plan.edges.filter((e) => e.to === p.name).map((e) => `     after ${e.from}: ${e.why}`);
    return [`${String(i + 1).padStart(3)}. ${p.name} (${p.phase}): ${p.summary}`, ...reasons].join('\n');
  });
  return lines.join('\n');
}
