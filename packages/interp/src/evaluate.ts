import {
  type AnyOp,
  type AttrRecord,
  type Dim,
  Editor,
  Graph,
  type HostTensor,
  QfuseError,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/ir';
import { isDefinition, type OpDefinition } from '@qfuse/ops';
import { runGraph } from './run.js';

type Slots = readonly (HostTensor | undefined)[];

/** Operand slots in order grouped by operand name; a variadic operand is a list. */
function byName<T>(op: AnyOp, slots: readonly (T | undefined)[]): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  const after = op.variadic < 0 ? 0 : op.operandNames.length - op.variadic - 1;
  op.operandNames.forEach((name, i) => {
    if (i === op.variadic) out[name] = slots.slice(i, slots.length - after);
    else out[name] = slots[op.variadic >= 0 && i > op.variadic ? slots.length - (op.operandNames.length - i) : i];
  });
  return out;
}

/** Evaluates single ops: by their reference, else by their decomposition. Decompositions are kept per operand types. */
export class Evaluator {
  readonly #bodies = new Map<AnyOp, Map<string, Graph>>();

  /**
   * @param op - an op with a meaning
   * @param slots - operand slots in order
   * @param attrs - attributes without symbolic dims
   * @param types - result types without symbolic dims
   * @throws QfuseError `interp/no-reference`, or `interp/value` when the op refuses operand values (e.g. an index out of range)
   */
  evaluate(op: AnyOp, slots: Slots, attrs: AttrRecord, types: readonly TensorType[]): readonly HostTensor[] {
    if (!isDefinition(op)) throw new QfuseError('interp/no-reference', `${op.name} has neither a reference nor a decomposition`);
    if (op.reference === undefined) return runGraph(this.#body(op, slots, attrs), slots.filter((s) => s !== undefined), this).outputs;
    const fail = (why: string): never => {
      throw new QfuseError('interp/value', `${op.name}: ${why}`);
    };
    const results = types.map((t) => ({ dtype: t.dtype, shape: t.shape as readonly number[] }));
    const out = op.reference({ operands: byName(op, slots) as never, attrs: attrs as never, results, fail });
    out.forEach((tensor, i) => checkResult(op, tensor, results[i]));
    return out;
  }

  #body(op: OpDefinition, slots: Slots, attrs: AttrRecord): Graph {
    const types = slots.map((s) => (s === undefined ? undefined : tensorType(s.dtype, s.shape)));
    const key = `${types.map((t) => (t === undefined ? '_' : `${t.dtype}[${t.shape.join()}]`)).join()} ${JSON.stringify(attrs, (_, v) => (typeof v === 'bigint' ? `${v}n` : typeof v === 'number' ? String(v) : v))}`;
    const known = this.#bodies.get(op) ?? new Map<string, Graph>();
    this.#bodies.set(op, known);
    let body = known.get(key);
    if (body === undefined) known.set(key, (body = decomposition(op, types, attrs)));
    return body;
  }
}

/**
 * The body of an op as a graph whose inputs are the operands that are present.
 * @throws QfuseError when the op has no decomposition or refuses the types
 */
export function decomposition(op: OpDefinition, types: readonly (TensorType | undefined)[], attrs: AttrRecord): Graph {
  if (op.decompose === undefined) throw new QfuseError('interp/no-decomposition', `${op.name} has no decomposition`);
  const graph = new Graph(op.name);
  const edit = new Editor(graph);
  const values = types.map((t, i): Value | undefined => (t === undefined ? undefined : edit.addInput(`x${i}`, t)));
  const fail = (why: string): never => {
    throw new QfuseError('ir/infer', `${op.name}: ${why}`);
  };
  const results = op.infer({ operands: byName(op, types) as never, attrs: attrs as never, env: graph.env, fail });
  edit.setOutputs(op.decompose({ operands: byName(op, values) as never, attrs: attrs as never, env: graph.env, builder: edit, results }));
  return graph;
}

function checkResult(op: AnyOp, tensor: HostTensor, wanted: { readonly dtype: string; readonly shape: readonly Dim[] } | undefined): void {
  if (wanted === undefined || tensor.dtype !== wanted.dtype || tensor.shape.length !== wanted.shape.length || tensor.shape.some((d, i) => d !== wanted.shape[i]))
    throw new Error(`the reference of ${op.name} returned ${tensor.dtype}[${tensor.shape.join(', ')}], its shape rule says ${wanted?.dtype}[${wanted?.shape.join(', ')}]`);
}

