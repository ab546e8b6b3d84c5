import { type AttrRecord, Editor, Graph, madeOrigin, namedOperands, QfuseError, type TensorType, type Value } from '@qfuse/ir';
import type { OpDefinition } from '@qfuse/ops';

/**
 * The body of an op as a graph whose inputs are the operands that are present.
 * @throws QfuseError when the op has no decomposition or refuses the types
 */
export function decomposition(op: OpDefinition, types: readonly (TensorType | undefined)[], attrs: AttrRecord): Graph {
  if (op.decompose === undefined) throw new QfuseError('interp/no-decomposition', `${op.name} has no decomposition`);
  const graph = new Graph(op.name);
  const edit = new Editor(graph);
  edit.origin = madeOrigin(op.name, []);
  const values = types.map((t, i): Value | undefined => (t === undefined ? undefined : edit.addInput(`x${i}`, t)));
  const fail = (why: string): never => {
    throw new QfuseError('ir/infer', `${op.name}: ${why}`);
  };
  const results = op.infer({ operands: namedOperands(op, types) as never, attrs: attrs as never, env: graph.env, fail });
  edit.setOutputs(
    op.decompose({ operands: namedOperands(op, values) as never, attrs: attrs as never, env: graph.env, builder: edit, results }),
  );
  return graph;
}
