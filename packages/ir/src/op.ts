import type { AttrRecord, AttrSpec, AttrSpecs } from './attrs.js';
import type { DType } from './dtype.js';
import type { Verdict } from './error.js';
import type { ShapeEnv } from './shape-env.js';
import type { TensorType } from './types.js';
import type { Node, Value } from './handles.js';

/** How an operand slot may be filled. An op has at most one `variadic` operand. */
export type OperandKind = 'required' | 'optional' | 'variadic';

/** The declaration of one operand. */
export interface OperandSpec<K extends OperandKind = OperandKind> {
  readonly kind: K;
  /** Dtypes that are allowed; absent means any. */
  readonly dtypes?: readonly DType[] | undefined;
}

/** Declares a required operand, of one of `dtypes` when any are given. */
export const tensor = (...dtypes: DType[]): OperandSpec<'required'> =>
  Object.freeze({ kind: 'required', dtypes: dtypes.length > 0 ? dtypes : undefined });

/** Declares an operand that may be absent. */
export const optionalTensor = (...dtypes: DType[]): OperandSpec<'optional'> =>
  Object.freeze({ kind: 'optional', dtypes: dtypes.length > 0 ? dtypes : undefined });

/** Declares a list of operands; entries of the list may be absent (as in `aten.index.Tensor`). */
export const tensorList = (...dtypes: DType[]): OperandSpec<'variadic'> =>
  Object.freeze({ kind: 'variadic', dtypes: dtypes.length > 0 ? dtypes : undefined });

/** Operand declarations, in the order in which operands are written. */
export type OperandSpecs = Readonly<Record<string, OperandSpec>>;

/** What a shape rule sees: `X` is {@link TensorType} there, {@link Value} when a node is made. */
export type OperandValues<O extends OperandSpecs, X> = {
  readonly [K in keyof O as O[K]['kind'] extends 'optional' ? never : K]: O[K]['kind'] extends 'variadic' ? readonly (X | undefined)[] : X;
} & { readonly [K in keyof O as O[K]['kind'] extends 'optional' ? K : never]?: X | undefined };

type AttrType<S> = S extends AttrSpec<infer T> ? T : never;

/** Attribute values of a node: every declared attribute is present. */
export type AttrsOf<A extends AttrSpecs> = { readonly [K in keyof A]: AttrType<A[K]> };

/** Attribute values that are given when a node is made; optional ones may be left out. */
export type AttrsIn<A extends AttrSpecs> = {
  readonly [K in keyof A as A[K]['optional'] extends false ? K : never]: AttrType<A[K]>;
} & { readonly [K in keyof A as A[K]['optional'] extends false ? never : K]?: AttrType<A[K]> | undefined };

/** The input of a shape rule. */
export interface InferContext<O extends OperandSpecs = any, A extends AttrSpecs = any> {
  readonly operands: OperandValues<O, TensorType>;
  readonly attrs: AttrsOf<A>;
  readonly env: ShapeEnv;
  /** Refuses the operands: `fail('weight has rank 3, expected 2')`. The host adds the op and the node. */
  readonly fail: (why: string) => never;
}

/**
 * What the graph needs to know of an op. The op object itself is its identity: two definitions of one name do
 * not match each other.
 */
export interface Op<O extends OperandSpecs = any, A extends AttrSpecs = any> {
  /** `dialect.name`, e.g. `aten.linear`, `aten.mean.dim`. */
  readonly name: string;
  /** Version of the definition, from 1. */
  readonly version: number;
  readonly summary: string;
  readonly operands: O;
  readonly attrs: A;
  readonly operandNames: readonly string[];
  readonly attrNames: readonly string[];
  /** Index of the variadic operand in `operandNames`, or -1. */
  readonly variadic: number;
  /** Result types from operand types, attributes and facts of the env, and from nothing else: equal nodes are not all asked for. */
  readonly infer: (context: InferContext<O, A>) => readonly TensorType[];
  /** Checks beyond types and shapes, e.g. an axis that must be in range. */
  readonly verify?: ((node: Node) => Verdict) | undefined;
  /** Two operands that may be swapped. */
  readonly commutative?: readonly [string, string] | undefined;
  /** False for an op that must not be removed, merged or evaluated early (e.g. a random source). */
  readonly pure: boolean;
  /** Result elements depend on the operand elements of the same (broadcast) position only. */
  readonly elementwise: boolean;
  /** Same elements in the same row-major order under another shape. */
  readonly view: boolean;
}

/** Any op. */
export type AnyOp = Op<any, any>;

/** Names of the operands of an op. */
export type OperandName<D extends AnyOp> = keyof D['operands'] & string;

/** The operands object with which a node of `D` is made. */
export type OperandsOf<D extends AnyOp> = D extends Op<infer O, any> ? OperandValues<O, Value> : never;

/** The attributes object with which a node of `D` is made. */
export type AttrsInOf<D extends AnyOp> = D extends Op<any, infer A> ? AttrsIn<A> : never;

/** The attributes of a node of `D`. */
export type AttrsOutOf<D extends AnyOp> = D extends Op<any, infer A> ? (AttrSpecs extends A ? AttrRecord : AttrsOf<A>) : never;

/** Operand slots in order (a variadic operand spread out) grouped by operand name; a variadic operand is a list. */
export function namedOperands<T>(op: AnyOp, slots: readonly (T | undefined)[]): Record<string, T | undefined | readonly (T | undefined)[]> {
  const out: Record<string, T | undefined | readonly (T | undefined)[]> = {};
  const after = op.variadic < 0 ? 0 : op.operandNames.length - op.variadic - 1;
  op.operandNames.forEach((name, i) => {
    if (i === op.variadic) out[name] = slots.slice(i, slots.length - after);
    else out[name] = slots[op.variadic >= 0 && i > op.variadic ? slots.length - (op.operandNames.length - i) : i];
  });
  return out;
}
