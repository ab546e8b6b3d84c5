import { describeOrigin, type Graph, type Node } from '@qfuse/ir';
import type { PipelineReport, RuleRecord } from '@qfuse/pass-manager';

/** Why one quantize, dequantize or choose_qparams node is still in the graph. */
export interface Stay {
  readonly op: string;
  readonly at: string;
  /** What reads it, by op name. */
  readonly readers: readonly string[];
  /** The rule that came nearest to taking it, and why it refused. */
  readonly rule: string | undefined;
  readonly why: string;
}

/** A rule looks at most this many nodes above a q/dq node: its operation, views between them, a clamp, a quantize. */
const REACH = 8;

/** For each `quant.*` node that a pipeline left: why it stays. Needs a report with recorded rules. */
export function explainStays(graph: Graph, report: PipelineReport): readonly Stay[] {
  const refused = new Map<Node, RuleRecord[]>();
  // Rules that bring programs to one form say nothing about fusing.
  const fusing = new Set(report.passes.filter((p) => p.phase === 'fuse').map((p) => p.pass));
  for (const r of report.rules)
    if (!r.applied && r.node !== undefined && fusing.has(r.pass)) refused.set(r.node, [...(refused.get(r.node) ?? []), r]);
  const out: Stay[] = [];
  for (const node of graph.nodes()) {
    if (!node.op.name.startsWith('quant.')) continue;
    const readers = node.results.flatMap((r) => r.readers()).map((r) => ('op' in r ? r.op.name : 'the graph return'));
    const border = borderOf(node, readers);
    const best = border === undefined ? nearestRefusal(node, refused) : undefined;
    const why = border ?? best?.why ?? `no rule of the pipeline takes ${node.op.name} into ${namesOf(readers)}`;
    out.push({ op: node.op.name, at: describeOrigin(node.origin), readers, rule: best?.rule, why });
  }
  return out;
}

const namesOf = (names: readonly string[]): string => [...new Set(names)].join(', ') || 'nothing';

/**
 * Of a node at the border of what is fused, what it is there for: it turns floats that come from outside into the integers of fused ops, or
 * their integers into the floats that the program returns.
 */
function borderOf(node: Node, readers: readonly string[]): string | undefined {
  const input = node.operands[0]!;
  const isFused = (name: string | undefined): boolean => name?.startsWith('fused.') === true;
  if (node.op.name === 'quant.quantize' && input.producer === undefined && readers.every(isFused))
    return `it makes the integers that ${namesOf(readers)} reads of the float ${input.constant === undefined ? 'input' : 'constant'} "${input.name}"`;
  if (node.op.name === 'quant.dequantize' && isFused(input.producer?.op.name) && readers.every((r) => r === 'the graph return'))
    return `it makes the floats that the program returns of the integers of ${input.producer!.op.name}`;
  // A value that the program returns in floats has to be dequantized, whatever made its integers.
  if (node.op.name === 'quant.dequantize' && readers.every((r) => r === 'the graph return'))
    return 'it makes floats that the program returns';
  return undefined;
}

function nearestRefusal(node: Node, refused: ReadonlyMap<Node, readonly RuleRecord[]>): RuleRecord | undefined {
  let level = new Set<Node>([node]);
  const seen = new Set<Node>(level);
  let best: RuleRecord | undefined;
  for (let distance = 0; distance <= REACH && level.size > 0; distance++) {
    const next = new Set<Node>();
    for (const n of level) {
      for (const r of refused.get(n) ?? []) if (best === undefined || r.depth > best.depth) best = r;
      for (const reader of n.results.flatMap((r) => r.readers())) {
        if (!('op' in reader) || seen.has(reader)) continue;
        next.add(reader);
        seen.add(reader);
      }
    }
    // The first operation that any rule looked at decides; what lies behind it is another story.
    if (best !== undefined) return best;
    level = next;
  }
  return best;
}
