import type {
  AnyOp,
  AttrSpecs,
  AttrsOf,
  Builder,
  HostTensor,
  InferContext,
  Op,
  OperandSpecs,
  OperandValues,
  ShapeEnv,
  SymExpr,
  TensorType,
  Value,
  Verdict,
  Node,
} from '@qfuse/ir';

type Concrete<T> = T extends readonly (infer E)[] ? readonly Exclude<E, SymExpr>[] : Exclude<T, SymExpr>;

/** Attributes at run time: symbolic dims are numbers. */
export type ConcreteAttrs<A extends AttrSpecs> = { readonly [K in keyof AttrsOf<A>]: Concrete<AttrsOf<A>[K]> };

/** The input of a {@link OpDefinition.reference}. */
export interface ReferenceContext<O extends OperandSpecs = any, A extends AttrSpecs = any> {
  readonly operands: OperandValues<O, HostTensor>;
  readonly attrs: ConcreteAttrs<A>;
  /** Types of the results with numbers as dims. */
  readonly results: readonly { readonly dtype: TensorType['dtype']; readonly shape: readonly number[] }[];
  /** Refuses the operand values, e.g. an index out of range. The host adds op and node. */
  readonly fail: (why: string) => never;
}

/** The input of a {@link OpDefinition.decompose}. */
export interface DecomposeContext<O extends OperandSpecs = any, A extends AttrSpecs = any> {
  readonly operands: OperandValues<O, Value>;
  readonly attrs: AttrsOf<A>;
  readonly env: ShapeEnv;
  readonly builder: Builder;
  /** Types of the results. */
  readonly results: readonly TensorType[];
}

/** An op with its meaning. */
export interface OpDefinition<O extends OperandSpecs = any, A extends AttrSpecs = any> extends Op<O, A> {
  /**
   * Computes the results from the definition: floats in float64 with one rounding at the end of the op, integers
   * exactly and wrapped to their width. Must not change its operands; may return one of them.
   */
  readonly reference?: ((context: ReferenceContext<O, A>) => readonly HostTensor[]) | undefined;
  /** The same in terms of other ops. */
  readonly decompose?: ((context: DecomposeContext<O, A>) => readonly Value[]) | undefined;
}

/** What {@link defineOp} takes. */
export interface OpInit<O extends OperandSpecs, A extends AttrSpecs> {
  readonly name: string;
  /** Default 1. */
  readonly version?: number;
  readonly summary: string;
  readonly operands: O;
  readonly attrs?: A;
  readonly infer: (context: InferContext<O, A>) => readonly TensorType[];
  readonly verify?: (node: Node) => Verdict;
  readonly commutative?: readonly [keyof O & string, keyof O & string];
  /** Default true. */
  readonly pure?: boolean;
  readonly elementwise?: boolean;
  readonly view?: boolean;
  readonly reference?: OpDefinition<O, A>['reference'];
  readonly decompose?: OpDefinition<O, A>['decompose'];
}

/**
 * Defines an op. One of `reference` and `decompose` is required, so that every op runs in the interpreter the day
 * it exists.
 * @throws Error when the definition is incomplete or contradicts itself
 */
export function defineOp<const O extends OperandSpecs, const A extends AttrSpecs = {}>(init: OpInit<O, A>): OpDefinition<O, A> {
  if (!/^[a-z_][a-z0-9_]*(\.[A-Za-z0-9_]+)+$/.test(init.name)) throw new Error(`"${init.name}" is not an op name: expected dialect.name`);
  if (init.reference === undefined && init.decompose === undefined)
    throw new Error(`${init.name} has neither a reference nor a decomposition`);
  const operandNames = Object.freeze(Object.keys(init.operands));
  const lists = operandNames.filter((n) => init.operands[n]!.kind === 'variadic');
  if (lists.length > 1) throw new Error(`${init.name} has ${lists.length} variadic operands, at most one is possible`);
  const variadic = lists.length === 0 ? -1 : operandNames.indexOf(lists[0]!);
  if (variadic >= 0 && operandNames.slice(variadic + 1).some((n) => init.operands[n]!.kind === 'optional'))
    throw new Error(`${init.name}: operands after the variadic "${lists[0]}" must be required`);
  const attrs = (init.attrs ?? {}) as A;
  return Object.freeze({
    version: 1,
    pure: true,
    elementwise: false,
    view: false,
    ...init,
    attrs: Object.freeze(attrs),
    operands: Object.freeze(init.operands),
    operandNames,
    attrNames: Object.freeze(Object.keys(attrs)),
    variadic,
  });
}

/** A lookup of ops by name, for parsers and importers. Two ops of one name are an error. */
export function opTable(ops: Iterable<AnyOp>): ReadonlyMap<string, AnyOp> {
  const table = new Map<string, AnyOp>();
  for (const op of ops) {
    if (table.has(op.name) && table.get(op.name) !== op) throw new Error(`op ${op.name} is defined twice`);
    table.set(op.name, op);
  }
  return table;
}

/** Whether an op carries its meaning (ops made with {@link defineOp} do). */
export const isDefinition = (op: AnyOp): op is OpDefinition => 'reference' in op || 'decompose' in op;
