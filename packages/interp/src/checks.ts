import {
  type AnyOp,
  type AttrRecord,
  describeOrigin,
  type HostTensor,
  namedOperands,
  type Node,
  QfuseError,
  ShapeEnv,
  type TensorType,
  tensorType,
  typeText,
} from '@qfuse/ir';

/**
 * Asks the op's shape rule again, now that every size is a number: of symbolic sizes that may be equal the rule had
 * to assume that they are.
 */
export function checkShapes(
  node: Node,
  slots: readonly (HostTensor | undefined)[],
  attrs: AttrRecord,
  stated: readonly TensorType[],
): void {
  const { op } = node;
  const fail = (why: string): never => {
    throw new QfuseError('interp/shape', `${op.name}: ${why}`);
  };
  const types = slots.map((s) => (s === undefined ? undefined : tensorType(s.dtype, s.shape)));
  const inferred = op.infer({ operands: namedOperands(op, types) as never, attrs, env: new ShapeEnv(), fail });
  inferred.forEach((t, i) => {
    if (t !== stated[i])
      fail(`result ${i} is ${typeText(t)}, but the program says ${stated[i] === undefined ? 'there is none' : typeText(stated[i])}`);
  });
}

/** Runs `body`; its errors say at which node. */
export function located<T>(node: Node, body: () => T): T {
  try {
    return body();
  } catch (cause) {
    const where = `at ${describeOrigin(node.origin)}`;
    if (cause instanceof QfuseError) throw new QfuseError(cause.code, `${where}: ${cause.message}`, { cause, help: cause.help });
    throw new Error(`${where}, ${node.op.name}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** A reference or decomposition that does not keep to its shape rule is a defect of the op. */
export function checkResults(op: AnyOp, results: readonly HostTensor[], wanted: readonly TensorType[]): void {
  const has = results.map((t) => typeText(t));
  const says = wanted.map(typeText);
  if (has.join() !== says.join()) throw new Error(`${op.name} returned ${has.join(', ')}, its shape rule says ${says.join(', ')}`);
}
