/**
 * The part of torch's export schema (`torch/_export/serde/schema.py`, version 8.x) that a compiler needs, as types.
 * `decode-program.ts` reads it. Field names follow torch; unions become `kind`.
 */

/** A symbolic expression in sympy's `srepr` or infix form, e.g. `Mul(Integer(64), Symbol('s11', …))`. */
export interface SymExprText {
  readonly expr: string;
}

/** A value that is a number or a symbolic expression. */
export type Sym<T> = T | SymExprText;

/** What is recorded of one tensor value. */
export interface TensorMeta {
  /** Number of torch's `ScalarType` as serialized; see `dtypes.ts`. */
  readonly dtype: number;
  readonly sizes: readonly Sym<number>[];
  readonly strides: readonly Sym<number>[];
  readonly storageOffset: Sym<number>;
  readonly layout: number;
}

/** An argument that names a symbolic value of the program or gives a number. */
export type SymArgument<T> = { readonly name: string } | { readonly value: T };

/** An argument of a node, a graph input or output. */
export type Argument =
  | { readonly kind: 'none' }
  | { readonly kind: 'tensor'; readonly name: string }
  /** `undefined` for an absent entry of `Tensor?[]`. */
  | { readonly kind: 'tensors'; readonly names: readonly (string | undefined)[] }
  | { readonly kind: 'int'; readonly value: number | bigint }
  | { readonly kind: 'ints'; readonly values: readonly (number | bigint)[] }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'floats'; readonly values: readonly number[] }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'bools'; readonly values: readonly boolean[] }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'strings'; readonly values: readonly string[] }
  | { readonly kind: 'sym-int'; readonly arg: SymArgument<number | bigint> }
  | { readonly kind: 'sym-ints'; readonly args: readonly SymArgument<number | bigint>[] }
  | { readonly kind: 'sym-float'; readonly arg: SymArgument<number> }
  | { readonly kind: 'sym-floats'; readonly args: readonly SymArgument<number>[] }
  | { readonly kind: 'sym-bool'; readonly arg: SymArgument<boolean> }
  | { readonly kind: 'sym-bools'; readonly args: readonly SymArgument<boolean>[] }
  | { readonly kind: 'scalar-type'; readonly value: number }
  | { readonly kind: 'memory-format'; readonly value: number }
  | { readonly kind: 'layout'; readonly value: number }
  | { readonly kind: 'device'; readonly type: string }
  /** The body of a higher-order operator. */
  | { readonly kind: 'graph'; readonly graph: ProgramGraph }
  /** Kinds that qfuse has no use for: known to the schema, refused by name where they are used. */
  | { readonly kind: 'refused'; readonly what: string };

/** An argument of a node under its name in the operator's schema. */
export interface NamedArgument {
  /** Empty for higher-order operators. */
  readonly name: string;
  readonly arg: Argument;
}

/** One call of an operator. */
export interface ProgramNode {
  /** e.g. `torch.ops.aten.add.Tensor`, `_operator.mul` */
  readonly target: string;
  readonly inputs: readonly NamedArgument[];
  readonly outputs: readonly Argument[];
  /** The node's own name; older files have none, then it is the name of the first output. */
  readonly name: string;
  /** Module path, e.g. `encoder.layers.0`; empty when it is not recorded. */
  readonly scope: string;
}

/** What a graph input is. */
export type InputSpec =
  | { readonly kind: 'user-input'; readonly arg: Argument }
  | { readonly kind: 'parameter' | 'buffer' | 'tensor-constant'; readonly name: string; readonly target: string }
  | { readonly kind: 'constant-input'; readonly name: string }
  | { readonly kind: 'refused'; readonly what: string };

/** What a graph output is. */
export type OutputSpec =
  | { readonly kind: 'user-output'; readonly arg: Argument }
  | { readonly kind: 'loss-output'; readonly name: string }
  | { readonly kind: 'buffer-mutation' | 'parameter-mutation' | 'user-input-mutation'; readonly name: string; readonly target: string }
  | { readonly kind: 'refused'; readonly what: string };

/** Bounds of a symbol, inclusive; absent means none. */
export interface RangeConstraint {
  readonly min?: number | undefined;
  readonly max?: number | undefined;
}

/** Calls of operators in order, and what is recorded of the values that they define. */
export interface ProgramGraph {
  readonly inputs: readonly Argument[];
  readonly outputs: readonly Argument[];
  readonly nodes: readonly ProgramNode[];
  readonly tensorValues: ReadonlyMap<string, TensorMeta>;
  readonly symIntValues: ReadonlyMap<string, Sym<number>>;
  readonly symFloatValues: ReadonlyMap<string, Sym<number>>;
  readonly symBoolValues: ReadonlyMap<string, Sym<boolean>>;
}

/** One exported program. */
export interface Program extends ProgramGraph {
  readonly inputSpecs: readonly InputSpec[];
  readonly outputSpecs: readonly OutputSpec[];
  readonly rangeConstraints: ReadonlyMap<string, RangeConstraint>;
  /** Python expressions that torch checks before a run, e.g. `L['flat_args'][1].size()[0] == L['flat_args'][0].size()[0]`. */
  readonly guardsCode: readonly string[];
  readonly torchVersion: string;
}

/** One tensor of a weights or constants configuration. */
export interface PayloadMeta {
  readonly pathName: string;
  readonly usePickle: boolean;
  readonly tensorMeta: TensorMeta | undefined;
}
