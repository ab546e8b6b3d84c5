import { dimSymbols } from './dims.js';
import { QfuseError } from './error.js';
import type { Graph } from './graph.js';
import type { Node, Value } from './handles.js';
import { inferResults, mayBeSameType } from './infer.js';
import { describeOrigin } from './origin.js';
import { printNode } from './print.js';
import { cycleText, topologicalOrder } from './sort.js';
import type { NodeId } from './store.js';
import { type TensorType, typeText } from './types.js';

/** One broken invariant. */
export interface GraphError {
  /** `ir/order`, `ir/cycle`, `ir/erased`, `ir/operands`, `ir/type`, `ir/op`, `ir/symbol`, `ir/signature`. */
  readonly code: string;
  readonly message: string;
  readonly node?: Node | undefined;
}

/**
 * Checks every invariant of a graph and collects what is broken, in list order:
 * 1. each node stands after the producers of its operands, and there is no cycle;
 * 2. each node's operands are what its op declares, and its result types what the op infers from them (an error where
 *    the two are known to differ);
 * 3. the op's own `verify` accepts the node;
 * 4. every symbol in a type is declared in the shape env;
 * 5. outputs and mutations are values of this graph that are defined; a mutation's value has its target's type.
 */
export function verifyGraph(graph: Graph): GraphError[] {
  const errors: GraphError[] = [];
  checkNodes(graph, errors);
  if (errors.some((e) => e.code === 'ir/order')) checkCycle(graph, errors);
  checkSignature(graph, errors);
  return errors;
}

/** @throws QfuseError `ir/invalid-graph` listing all errors of {@link verifyGraph}, when there are any */
export function assertValid(graph: Graph, when: string): void {
  const errors = verifyGraph(graph);
  if (errors.length === 0) return;
  const shown = errors.slice(0, 20).map((e) => `  ${e.code}: ${e.message}`);
  throw new QfuseError('ir/invalid-graph', `${errors.length} error(s) in the graph ${when}:\n${shown.join('\n')}`);
}

function checkNodes(graph: Graph, errors: GraphError[]): void {
  const { ids } = graph;
  const seen = new Uint8Array(ids.nodeLimit);
  const symbols = new SymbolCheck(graph);
  const report = (n: number, code: string, message: string): void => {
    const node = graph.node(n as NodeId);
    const line = printNode(node, (v) => v.name ?? `%v${v.id}`);
    errors.push({ code, message: `${message}, at ${describeOrigin(node.origin)}: ${line}`, node });
  };
  for (let n = ids.first; n >= 0; n = ids.next(n)) {
    for (let i = 0; i < ids.arity(n); i++) {
      const v = ids.operand(n, i);
      const p = v < 0 ? -1 : ids.producer(v);
      if (p < 0) continue;
      if (ids.op(p) === undefined) report(n, 'ir/erased', `operand ${i} is a result of an erased node`);
      else if (seen[p] === 0) report(n, 'ir/order', `operand ${i} is defined later or by the node itself`);
    }
    seen[n] = 1;
    checkOne(graph, n, report);
    for (let i = 0; i < ids.resultCount(n); i++) {
      const missing = symbols.undeclared(ids.type(ids.result(n, i)));
      if (missing !== undefined) report(n, 'ir/symbol', `symbol "${missing}" is not declared`);
    }
  }
}

/** A wrong order may be one that no order can mend. */
function checkCycle(graph: Graph, errors: GraphError[]): void {
  const found = topologicalOrder(graph);
  if ('cycle' in found)
    errors.push({ code: 'ir/cycle', message: cycleText(graph, found.cycle), node: graph.node(found.cycle[0] as NodeId) });
}

class SymbolCheck {
  readonly #declared: ReadonlySet<string>;
  readonly #known = new Map<TensorType, string | undefined>();

  constructor(graph: Graph) {
    this.#declared = new Set(graph.env.symbols());
  }

  undeclared(type: TensorType): string | undefined {
    if (this.#known.has(type)) return this.#known.get(type);
    const used = new Set<string>();
    for (const d of type.shape) dimSymbols(d, used);
    const missing = [...used].find((s) => !this.#declared.has(s));
    this.#known.set(type, missing);
    return missing;
  }
}

function checkOne(graph: Graph, n: number, report: (n: number, code: string, message: string) => void): void {
  const { ids } = graph;
  const op = ids.op(n)!;
  const operands: (TensorType | undefined)[] = [];
  for (let i = 0; i < ids.arity(n); i++) operands.push(ids.operand(n, i) < 0 ? undefined : ids.type(ids.operand(n, i)));
  try {
    const inferred = inferResults(graph.env, op, operands, ids.attrs(n));
    for (let i = 0; i < Math.max(inferred.length, ids.resultCount(n)); i++) {
      const want = inferred[i];
      const have = i < ids.resultCount(n) ? ids.type(ids.result(n, i)) : undefined;
      if (want === have || (want !== undefined && have !== undefined && mayBeSameType(graph.env, want, have))) continue;
      report(
        n,
        'ir/type',
        `result ${i} is ${have === undefined ? 'missing' : typeText(have)}, expected ${want === undefined ? 'none' : typeText(want)}`,
      );
    }
  } catch (cause) {
    if (!(cause instanceof QfuseError)) throw cause;
    return report(n, cause.code === 'ir/operands' ? 'ir/operands' : 'ir/type', cause.message);
  }
  if (op.verify !== undefined) {
    const verdict = op.verify(graph.node(n as NodeId));
    if (!verdict.ok) report(n, 'ir/op', verdict.why);
  }
}

function checkSignature(graph: Graph, errors: GraphError[]): void {
  const symbols = new SymbolCheck(graph);
  for (const input of graph.inputs) {
    const missing = symbols.undeclared(input.type);
    if (missing !== undefined)
      errors.push({
        code: 'ir/symbol',
        message: `input "${input.name}" is ${typeText(input.type)}, but symbol "${missing}" is not declared`,
      });
  }
  const targets = new Set<Value>();
  for (const { target, value } of graph.mutations) {
    const name = target.name ?? `%v${target.id}`;
    const isState = graph.inputs.includes(target) || graph.graphConstant(target)?.role === 'buffer';
    if (!isState) errors.push({ code: 'ir/signature', message: `"${name}" is mutated, but it is neither a graph input nor a buffer` });
    if (targets.has(target)) errors.push({ code: 'ir/signature', message: `"${name}" is mutated twice` });
    targets.add(target);
    if (!mayBeSameType(graph.env, target.type, value.type))
      errors.push({ code: 'ir/signature', message: `"${name}" is ${typeText(target.type)} and becomes ${typeText(value.type)}` });
    if (value.producer?.erased === true) errors.push({ code: 'ir/signature', message: `"${name}" becomes a result of an erased node` });
  }
  graph.outputs.forEach((v, i) => {
    if (v.producer?.erased === true) errors.push({ code: 'ir/signature', message: `output ${i} is a result of an erased node` });
  });
}
