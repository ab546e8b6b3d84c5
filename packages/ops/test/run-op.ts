import {
  type AnyOp,
  type AttrRecord,
  Editor,
  Graph,
  type HostTensor,
  namedOperands,
  type Node,
  nodeAttrs,
  QfuseError,
  tensorOf,
  type TensorType,
  tensorType,
  type Value,
} from '@qfuse/ir';
import type { OpDefinition } from '../src/index.js';

type Given = HostTensor | readonly (HostTensor | undefined)[] | undefined;

/** The types of the results of one op; shapes may be symbolic. @throws QfuseError when the op refuses */
export function inferOp(
  op: OpDefinition,
  operands: Readonly<Record<string, TensorType | readonly (TensorType | undefined)[] | undefined>>,
  attrs: AttrRecord = {},
  graph = new Graph(),
): readonly TensorType[] {
  return nodeOf(new Editor(graph), op, operands, attrs).results.map((r) => r.type);
}

/**
 * Runs one op on host tensors, by its reference or, when `by` says so or there is none, its decomposition: ops cannot
 * use the interpreter, which stands on them.
 */
export function runOp(
  op: OpDefinition,
  operands: Readonly<Record<string, Given>>,
  attrs: AttrRecord = {},
  by: 'reference' | 'decompose' = 'reference',
): readonly HostTensor[] {
  const typeOf = (t: HostTensor | undefined): TensorType | undefined => (t === undefined ? undefined : tensorType(t.dtype, t.shape));
  const types = Object.fromEntries(Object.entries(operands).map(([name, g]) => [name, isList(g) ? g.map(typeOf) : typeOf(g)]));
  const graph = new Graph();
  const edit = new Editor(graph);
  const node = nodeOf(edit, op, types, attrs);
  const slots: readonly (HostTensor | undefined)[] = op.operandNames.flatMap((name) => operands[name]);
  if (op.reference !== undefined && by === 'reference') return evaluate(node, slots);
  const values = new Map<Value, HostTensor>();
  node.operands.forEach((v, i) => v !== undefined && values.set(v, slots[i]!));
  edit.setOutputs(
    op.decompose!({
      operands: namedOperands(op, node.operands) as never,
      attrs: nodeAttrs(node) as never,
      env: graph.env,
      builder: edit,
      results: node.results.map((r) => r.type),
    }),
  );
  for (const inner of graph.nodes()) {
    if (inner === node) continue;
    const out = evaluate(
      inner,
      inner.operands.map((v) => (v === undefined ? undefined : values.get(v))),
    );
    inner.results.forEach((r, i) => values.set(r, out[i]!));
  }
  return graph.outputs.map((v) => values.get(v)!);
}

const isList = (given: unknown): given is readonly (HostTensor | undefined)[] => Array.isArray(given);

/** One node over graph inputs of these types. */
function nodeOf(edit: Editor, op: AnyOp, operands: Readonly<Record<string, unknown>>, attrs: AttrRecord): Node {
  const input = (t: TensorType | undefined): Value | undefined =>
    t === undefined ? undefined : edit.addInput(`x${edit.graph.inputs.length}`, t);
  const slots = op.operandNames.flatMap((name) => operands[name]).map((t) => input(t as TensorType | undefined));
  return edit.createFromSlots(op, slots, attrs);
}

function evaluate(node: Node, slots: readonly (HostTensor | undefined)[]): readonly HostTensor[] {
  const op = node.op as OpDefinition;
  if (op.reference === undefined) return runOp(op, namedOperands(op, slots) as Readonly<Record<string, Given>>, nodeAttrs(node));
  const fail = (why: string): never => {
    throw new QfuseError('test/value', `${op.name}: ${why}`);
  };
  const results = node.results.map((r) => ({ dtype: r.type.dtype, shape: r.type.shape as readonly number[] }));
  return op.reference({ operands: namedOperands(op, slots) as never, attrs: nodeAttrs(node) as never, results, fail });
}

/** The numbers `i mod modulus - 2` for `i` from 0, in the given shape: small, of both signs, with repeats. */
export function pattern(shape: readonly number[], modulus = 7): HostTensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return tensorOf(
    'f32',
    shape,
    Array.from({ length: count }, (_, i) => (i % modulus) - 2),
  );
}

/** Elements as numbers, rounded to so many digits after the point. */
export const roundedTo =
  (digits: number) =>
  (t: HostTensor | undefined): number[] =>
    Array.from(t!.data as ArrayLike<number | bigint>, (x) => Math.round(Number(x) * 10 ** digits) / 10 ** digits + 0);

/** Elements as numbers, rounded to six digits after the point. */
export const rounded = roundedTo(6);
