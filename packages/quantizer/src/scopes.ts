import { type Graph, type Node, QfuseError, sourcesOf, type Value } from '@qfuse/plugin';

/** Names that a message lists. */
const SHOWN = 20;

interface Source {
  readonly name: string;
  readonly scope: string;
}

const sources = (node: Node): readonly Source[] => sourcesOf(node.origin).flatMap((o) => (o.kind === 'source' ? [o] : []));

/** What passes append to the name of a constant when they transpose or reshape it. */
const derived = /(\.(t|view)(_\d+)?)+$/;

/**
 * The module that a node comes from, e.g. `encoder.layers.0.linear1`; empty when that is not known. Of a node that was made from several it is the one
 * whose own parameters it reads, else that of the last one.
 */
export function moduleOf(node: Node): string {
  const scopes = sources(node).map((s) => s.scope);
  const parameters = node.operands.flatMap((v) => (v?.constant === undefined ? [] : [v.name!.replace(derived, '')]));
  const owners = new Set(parameters.map((name) => name.slice(0, Math.max(name.lastIndexOf('.'), 0))));
  return scopes.findLast((s) => s !== '' && owners.has(s)) ?? scopes.at(-1) ?? '';
}

/**
 * The parameter that a node reads as `value`. Where equal parameters of several modules were merged into one constant it is the module's own,
 * which the graph keeps without readers: sharing by the model's author and by chance stay apart.
 */
export function parameterOf(node: Node, value: Value): Value {
  const { name, constant } = value;
  if (name === undefined || constant === undefined) return value;
  const scope = moduleOf(node);
  if (scope === '' || name.startsWith(`${scope}.`)) return value;
  const own = node.graph.named(`${scope}${name.slice(name.lastIndexOf('.'))}`);
  const merged = own !== undefined && own.useCount === 0 && own.type === value.type && own.constant?.key === constant.key;
  return merged ? own : value;
}

/** Whether a node counts. */
export type NodeFilter = (node: Node) => boolean;

/**
 * Nodes of the modules that a pattern names, inner modules included, e.g. `blocks.0` or `encoder.layers.*.linear1`: `*` stands for any characters
 * but dots, `**` for any. A node without a module is named by its own name in the source program. torch: `get_module_name_filter`.
 */
export function moduleNameFilter(pattern: string): NodeFilter {
  const source = pattern
    .replaceAll(/[\\^$+?.()|[\]{}]/g, String.raw`\$&`)
    .replaceAll(/\*\*|\*/g, (stars) => (stars === '*' ? '[^.]*' : '.*'));
  const matches = new RegExp(`^${source}(\\.|$)`);
  return (node) => {
    const module = moduleOf(node);
    return (module !== '' && matches.test(module)) || sources(node).some((s) => new RegExp(`^${source}$`).test(s.name));
  };
}

/**
 * Refuses a pattern that names nothing, which is nearly always a mistake.
 * @throws QfuseError `quantizer/scope` listing the modules that there are
 */
export function checkPatterns(graph: Graph, patterns: readonly string[]): void {
  for (const pattern of patterns) {
    const filter = moduleNameFilter(pattern);
    if ([...graph.nodes()].some(filter)) continue;
    const modules = [...new Set([...graph.nodes()].map(moduleOf))].filter((m) => m !== '');
    const more = modules.length > SHOWN ? ` and ${modules.length - SHOWN} more` : '';
    throw new QfuseError('quantizer/scope', `no node comes from a module "${pattern}"`, {
      help: modules.length === 0 ? 'the program names no modules' : `its modules are ${modules.slice(0, SHOWN).join(', ')}${more}`,
    });
  }
}
