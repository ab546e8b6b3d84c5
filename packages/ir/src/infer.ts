import { type AttrRecord, internAttrs } from './attrs.js';
import { QfuseError } from './error.js';
import type { AnyOp, InferContext } from './op.js';
import { describeOrigin, type Origin } from './origin.js';
import type { ShapeEnv } from './shape-env.js';
import { type TensorType, typeText } from './types.js';

/**
 * Checks operands and attributes of a would-be node and infers its result types.
 * @param types - types of the operand slots, undefined for absent ones
 * @throws QfuseError `ir/attr`, `ir/operands` or what the shape rule throws, naming op and origin
 */
export function inferTypes(
  env: ShapeEnv,
  op: AnyOp,
  types: readonly (TensorType | undefined)[],
  given: AttrRecord,
  origin: Origin,
): { readonly attrs: AttrRecord; readonly types: readonly TensorType[] } {
  try {
    const attrs = internAttrs(op.attrs, op.attrNames, given);
    return { attrs, types: inferResults(env, op, types, attrs) };
  } catch (cause) {
    // The checks and dim arithmetic report without knowing the node.
    if (cause instanceof QfuseError)
      throw new QfuseError(cause.code, `${op.name} at ${describeOrigin(origin)}: ${cause.message}`, { cause, help: cause.help });
    throw cause;
  }
}

/**
 * Result types of `op` for operands of `types` and canonical `attrs`.
 * @throws QfuseError without the node's name
 */
export function inferResults(
  env: ShapeEnv,
  op: AnyOp,
  types: readonly (TensorType | undefined)[],
  attrs: AttrRecord,
): readonly TensorType[] {
  return op.infer({ operands: operandTypes(op, types) as InferContext['operands'], attrs, env, fail });
}

const fail = (why: string): never => {
  throw new QfuseError('ir/infer', why);
};

/** The operand types by name, a list for the variadic one. */
function operandTypes(op: AnyOp, slots: readonly (TensorType | undefined)[]): Record<string, unknown> {
  const names = op.operandNames;
  const fixed = op.variadic < 0 ? names.length : names.length - 1;
  if (op.variadic < 0 ? slots.length > fixed : slots.length < fixed)
    throw new QfuseError('ir/operands', `${slots.length} operands, expected ${op.variadic < 0 ? 'at most' : 'at least'} ${fixed}`);
  const out: Record<string, unknown> = {};
  let at = 0;
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    if (i === op.variadic) {
      const end = slots.length - (names.length - i - 1);
      const list = slots.slice(at, end);
      for (const type of list) if (type !== undefined) checkDtype(op, name, type);
      out[name] = list;
      at = end;
      continue;
    }
    const type = slots[at++];
    if (type !== undefined) {
      checkDtype(op, name, type);
      out[name] = type;
    } else if (op.operands[name]!.kind === 'required') throw new QfuseError('ir/operands', `operand "${name}" is missing`);
  }
  return out;
}

function checkDtype(op: AnyOp, name: string, type: TensorType): void {
  const { dtypes } = op.operands[name]!;
  if (dtypes !== undefined && !dtypes.includes(type.dtype))
    throw new QfuseError('ir/operands', `operand "${name}" is ${typeText(type)}, expected dtype ${dtypes.join(' or ')}`);
}

/** Whether two types may be one type: same dtype and rank, and no dims that are known to differ. */
export const mayBeSameType = (env: ShapeEnv, a: TensorType, b: TensorType): boolean =>
  a === b || (a.dtype === b.dtype && a.shape.length === b.shape.length && a.shape.every((d, i) => env.equal(d, b.shape[i]!) !== 'no'));
