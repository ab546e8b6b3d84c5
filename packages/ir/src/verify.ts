import { dimSymbols } from './dims.js';
import { QfuseError } from './error.js';
import type { Graph } from './graph.js';
import type { Node } from './handles.js';
import { describeOrigin } from './origin.js';
import type { InferContext } from './op.js';
import { printNode } from './print.js';
import type { NodeId } from './store.js';
import { type TensorType, typeText } from './types.js';

/** One broken invariant. */
export interface GraphError {
  /** `ir/order`, `ir/cycle`, `ir/type`, `ir/op`, `ir/symbol`, `ir/signature`. */
  readonly code: string;
  readonly message: string;
  readonly node?: Node | undefined;
}

/**
 * Checks every invariant of a graph and collects what is broken, in list order:
 * 1. each node stands after the producers of its operands, and there is no cycle;
 * 2. each node's result types are what its op infers from its operands (where both are known to differ);
 * 3. the op's own `verify` accepts the node;
 * 4. every symbol in a type is declared in the shape env;
 * 5. outputs and mutations are values of this graph that are defined; a mutation's value has its target's type.
 */
export function verifyGraph(graph: Graph): GraphError[] {
  const errors: GraphError[] = [];
  checkNodes(graph, errors);
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
  const operands: Record<string, unknown> = {};
  const after = op.variadic < 0 ? 0 : op.operandNames.length - op.variadic - 1;
  const typeAt = (slot: number): TensorType | undefined => (slot >= ids.arity(n) || ids.operand(n, slot) < 0 ? undefined : ids.type(ids.operand(n, slot)));
  for (let i = 0; i < op.operandNames.length; i++) {
    const name = op.operandNames[i]!;
    if (i === op.variadic) operands[name] = Array.from({ length: ids.arity(n) - after - i }, (_, k) => typeAt(i + k));
    else operands[name] = typeAt(op.variadic >= 0 && i > op.variadic ? ids.arity(n) - (op.operandNames.length - i) : i);
    if (operands[name] === undefined && op.operands[name]!.kind === 'required') return report(n, 'ir/operands', `operand "${name}" is missing`);
  }
  const fail = (why: string): never => {
    throw new QfuseError('ir/infer', why);
  };
  try {
    const inferred = op.infer({ operands: operands as InferContext['operands'], attrs: ids.attrs(n), env: graph.env, fail });
    for (let i = 0; i < Math.max(inferred.length, ids.resultCount(n)); i++) {
      const want = inferred[i];
      const have = i < ids.resultCount(n) ? ids.type(ids.result(n, i)) : undefined;
      if (want === have) continue;
      const differs =
        want === undefined ||
        have === undefined ||
        want.dtype !== have.dtype ||
        want.shape.length !== have.shape.length ||
        want.shape.some((d, k) => graph.env.equal(d, have.shape[k]!) === 'no');
      if (differs) report(n, 'ir/type', `result ${i} is ${have === undefined ? 'missing' : typeText(have)}, expected ${want === undefined ? 'none' : typeText(want)}`);
    }
  } catch (cause) {
    if (!(cause instanceof QfuseError)) throw cause;
    return report(n, 'ir/type', cause.message);
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
    if (missing !== undefined) errors.push({ code: 'ir/symbol', message: `input "${input.name}" is ${typeText(input.type)}, but symbol "${missing}" is not declared` });
  }
  for (const { target, value } of graph.mutations) {
    const isState = graph.inputs.includes(target) || graph.graphConstant(target)?.role === 'buffer';
    if (!isState) errors.push({ code: 'ir/signature', message: `"${target.name ?? `%v${target.id}`}" is mutated, but it is neither a graph input nor a buffer` });
    if (target.type.dtype !== value.type.dtype || target.type.shape.length !== value.type.shape.length || target.type.shape.some((d, i) => graph.env.equal(d, value.type.shape[i]!) === 'no'))
      errors.push({ code: 'ir/signature', message: `"${target.name}" is ${typeText(target.type)} and becomes ${typeText(value.type)}` });
  }
  for (const v of graph.outputs) if (v.producer?.erased === true) errors.push({ code: 'ir/signature', message: 'an output is a result of an erased node' });
}
