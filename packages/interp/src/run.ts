import {
  type AnyOp,
  type AttrRecord,
  attrText,
  bindSymbols,
  concreteAttrs,
  concreteType,
  type Graph,
  type HostTensor,
  namedOperands,
  nodeAttrs,
  QfuseError,
  tensorFrom,
  type TensorType,
  tensorType,
  typeText,
  type Value,
} from '@qfuse/ir';
import { isDefinition, type OpDefinition } from '@qfuse/ops';
import { checkResults, checkShapes, located } from './checks.js';
import { decomposition } from './decompose.js';

/** What a run returns. */
export interface RunResult {
  /** The graph's outputs, in order. */
  readonly outputs: readonly HostTensor[];
  /** New contents of mutated buffers and inputs, by name. */
  readonly mutated: ReadonlyMap<string, HostTensor>;
}

/** Options of {@link runGraph}. */
export interface RunOptions {
  /** Contents of mutated buffers at the start, by name, e.g. `mutated` of the run before; default: those of the program. */
  readonly buffers?: ReadonlyMap<string, HostTensor> | undefined;
  /** Is told each result, those without a reader included. The tensor must not be changed. */
  readonly observe?: ((value: Value, tensor: HostTensor) => void) | undefined;
  /** May put another tensor of the same type in the place of a result, before it is observed. */
  readonly replace?: ((value: Value, tensor: HostTensor) => HostTensor) | undefined;
}

/**
 * Runs a graph on host tensors, node by node, each op by its reference or decomposition.
 * Values are dropped after their last reader. The program's constants, and so its buffers, are not changed.
 * @param inputs - one tensor for each graph input, in order; may be returned as outputs, never changed
 * @param evaluator - give the same one to several runs to keep decompositions
 * @throws QfuseError `run/inputs` or `ir/dim-range` when inputs do not fit, `run/buffers` when buffers do not,
 * `interp/shape` when sizes that were symbolic contradict each other, `interp/value` when a node refuses its
 * operand values; the latter two name the node
 */
export function runGraph(
  graph: Graph,
  inputs: readonly HostTensor[],
  evaluator: Evaluator = new Evaluator(),
  { buffers, observe, replace }: RunOptions = {},
): RunResult {
  const bindings = bindSymbols(graph, inputs);
  const values = new Map<Value, HostTensor>(graph.inputs.map((v, i) => [v, inputs[i]!]));
  for (const [name, tensor] of buffers ?? []) values.set(bufferOf(graph, name, tensor), tensor);
  const get = (v: Value): HostTensor => {
    const known = values.get(v);
    if (known !== undefined) return known;
    const entry = graph.graphConstant(v);
    if (entry === undefined) throw new Error(`value ${v.id} is read before it is computed`);
    const tensor = tensorFrom(entry.constant);
    values.set(v, tensor);
    return tensor;
  };
  const left = new Map<Value, number>();
  for (const node of graph.nodes()) {
    const { operands, results } = node;
    const out = located(node, () => {
      const slots = operands.map((v) => (v === undefined ? undefined : get(v)));
      const attrs = concreteAttrs(nodeAttrs(node), bindings);
      const types = results.map((r) => concreteType(r.type, bindings));
      if (bindings.size > 0) checkShapes(node, slots, attrs, types);
      return evaluator.evaluate(node.op, slots, attrs, types);
    });
    results.forEach((r, i) => {
      const tensor = replace?.(r, out[i]!) ?? out[i]!;
      observe?.(r, tensor);
      if (r.useCount > 0) values.set(r, tensor);
    });
    for (const v of operands) {
      if (v === undefined) continue;
      const uses = (left.get(v) ?? v.useCount) - 1;
      left.set(v, uses);
      if (uses === 0) values.delete(v);
    }
  }
  return {
    outputs: graph.outputs.map(get),
    mutated: new Map(graph.mutations.map(({ target, value }) => [target.name!, get(value)] as const)),
  };
}

/** The mutated buffer called `name`, when `tensor` fits it. */
function bufferOf(graph: Graph, name: string, tensor: HostTensor): Value {
  const target = graph.mutations.find((m) => m.target.name === name)?.target;
  const names = graph.mutations.map((m) => m.target.name).join(', ');
  if (target === undefined || graph.graphConstant(target) === undefined)
    throw new QfuseError('run/buffers', `the program changes no buffer "${name}"; it changes ${names === '' ? 'none' : names}`);
  if (typeText(target.type) !== typeText(tensor))
    throw new QfuseError('run/buffers', `buffer "${name}" is ${typeText(tensor)}, expected ${typeText(target.type)}`);
  return target;
}

type Slots = readonly (HostTensor | undefined)[];

/** Decompositions that are kept for one op: programs have fewer, runs with ever new sizes have no end of them. */
const MAX_BODIES = 256;

/** Evaluates single ops: by their reference, else by their decomposition. Decompositions are kept per operand types. */
export class Evaluator {
  readonly #bodies = new Map<AnyOp, Map<string, Graph>>();

  /**
   * The results of one op on host tensors.
   * @param op - an op with a meaning
   * @param slots - operand slots in order
   * @param attrs - attributes without symbolic dims
   * @param types - result types without symbolic dims
   * @throws QfuseError `interp/no-reference`, or `interp/value` when the op refuses operand values (e.g. an index out of range)
   */
  evaluate(op: AnyOp, slots: Slots, attrs: AttrRecord, types: readonly TensorType[]): readonly HostTensor[] {
    if (!isDefinition(op))
      throw new QfuseError('interp/no-reference', `${op.name} has neither a reference nor a decomposition`, {
        help: 'define the op with defineOp of @qfuse/ops',
      });
    const out = op.reference === undefined ? this.#decomposed(op, slots, attrs) : this.#referenced(op, op.reference, slots, attrs, types);
    checkResults(op, out, types);
    return out;
  }

  #decomposed(op: OpDefinition, slots: Slots, attrs: AttrRecord): readonly HostTensor[] {
    const given = slots.filter((s) => s !== undefined);
    return runGraph(this.#body(op, slots, attrs), given, this).outputs;
  }

  #referenced(
    op: OpDefinition,
    reference: NonNullable<OpDefinition['reference']>,
    slots: Slots,
    attrs: AttrRecord,
    types: readonly TensorType[],
  ): readonly HostTensor[] {
    const fail = (why: string): never => {
      throw new QfuseError('interp/value', `${op.name}: ${why}`);
    };
    const results = types.map((t) => ({ dtype: t.dtype, shape: t.shape as readonly number[] }));
    return reference({ operands: namedOperands(op, slots) as never, attrs: attrs as never, results, fail });
  }

  #body(op: OpDefinition, slots: Slots, attrs: AttrRecord): Graph {
    const types = slots.map((s) => (s === undefined ? undefined : tensorType(s.dtype, s.shape)));
    const operands = types.map((t) => (t === undefined ? '_' : typeText(t)));
    const key = [...operands, ...op.attrNames.map((name) => attrText(op.attrs[name]!, attrs[name]))].join('; ');
    const known = this.#bodies.get(op) ?? new Map<string, Graph>();
    this.#bodies.set(op, known);
    let body = known.get(key);
    if (body !== undefined) return body;
    body = decomposition(op, types, attrs);
    if (known.size >= MAX_BODIES) known.delete(known.keys().next().value!);
    known.set(key, body);
    return body;
  }
}
