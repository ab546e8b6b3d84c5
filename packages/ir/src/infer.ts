import { type AttrRecord, internAttrs } from './attrs.js';
import type { SharedColumn } from './columns.js';
import { QfuseError } from './error.js';
import type { AnyOp, InferContext } from './op.js';
import type { ShapeEnv } from './shape-env.js';
import { NONE } from './store.js';
import { type TensorType, typeText } from './types.js';

/** What a node gets from its op. */
export interface Inferred {
  /** Types of the operand slots, undefined for absent ones. */
  readonly operands: readonly (TensorType | undefined)[];
  /** The canonical attributes. */
  readonly attrs: AttrRecord;
  /** The result types. */
  readonly results: readonly TensorType[];
}

/** Results that are kept of an op. */
const KEPT = 4;

/**
 * Infers the nodes of one graph. Most nodes of a program have the operand types and attributes of another one, so the
 * last results of each op are kept: they follow from types, attributes and the facts of the env.
 */
export class Inference {
  readonly #env: ShapeEnv;
  /** The facts from which the kept results follow. */
  #edition: number;
  readonly #kept = new Map<AnyOp, Inferred[]>();

  constructor(env: ShapeEnv) {
    this.#env = env;
    this.#edition = env.edition;
  }

  /**
   * Checks operands and attributes of a would-be node and infers its result types.
   * @param operands - values in the `arity` operand slots, -1 for absent ones
   * @param types - types of values, by id
   * @throws QfuseError `ir/attr`, `ir/operands` or what the shape rule throws, without the node's name
   */
  infer(op: AnyOp, operands: readonly number[], arity: number, types: SharedColumn<TensorType>, given: AttrRecord): Inferred {
    const attrs = internAttrs(op.attrs, op.attrNames, given);
    const kept = this.#keptOf(op);
    for (let i = 0; i < kept.length; i++)
      if (kept[i]!.attrs === attrs && haveTypes(operands, arity, types, kept[i]!.operands)) return kept[i]!;
    const slots = operands.slice(0, arity).map((v) => (v === NONE ? undefined : types.get(v)));
    const made = { operands: slots, attrs, results: inferResults(this.#env, op, slots, attrs) };
    if (kept.length === KEPT) kept.pop();
    kept.unshift(made);
    return made;
  }

  #keptOf(op: AnyOp): Inferred[] {
    if (this.#edition !== this.#env.edition) {
      this.#edition = this.#env.edition;
      this.#kept.clear();
    }
    let kept = this.#kept.get(op);
    if (kept === undefined) this.#kept.set(op, (kept = []));
    return kept;
  }
}

function haveTypes(
  operands: readonly number[],
  arity: number,
  types: SharedColumn<TensorType>,
  want: readonly (TensorType | undefined)[],
): boolean {
  if (arity !== want.length) return false;
  for (let i = 0; i < want.length; i++) {
    const v = operands[i]!;
    if ((v === NONE ? undefined : types.get(v)) !== want[i]) return false;
  }
  return true;
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
