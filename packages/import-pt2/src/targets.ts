/** The parts of an operator name such as `torch.ops.aten.add.Tensor`. */
export interface Target {
  /** e.g. `aten` */
  readonly namespace: string;
  /** e.g. `add` */
  readonly name: string;
  /** e.g. `Tensor`, `default` */
  readonly overload: string;
}

/** The parts of `torch.ops.<namespace>.<name>.<overload>`; undefined for Python functions and higher-order operators. */
export function parseTarget(text: string): Target | undefined {
  const match = /^torch\.ops\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)\.([A-Za-z0-9_]+)$/.exec(text);
  return match === null ? undefined : { namespace: match[1]!, name: match[2]!, overload: match[3]! };
}

/** The name under which ops are defined: `aten.add.Tensor`, and `aten.relu` for the overload `default`. */
export const opName = ({ namespace, name, overload }: Target): string =>
  overload === 'default' ? `${namespace}.${name}` : `${namespace}.${name}.${overload}`;

/** A target as messages show it: without the part that all have. */
export const shortTarget = (text: string): string => text.replace(/^torch\.ops\./, '').replace(/^_operator\./, 'operator.');

/** Other names of the same operator. */
const synonyms: Readonly<Record<string, string>> = {
  __and__: 'bitwise_and',
  __or__: 'bitwise_or',
  __xor__: 'bitwise_xor',
  __lshift__: 'bitwise_left_shift',
  __rshift__: 'bitwise_right_shift',
  __iand__: 'bitwise_and_',
  __ior__: 'bitwise_or_',
  __ixor__: 'bitwise_xor_',
  __ilshift__: 'bitwise_left_shift_',
  __irshift__: 'bitwise_right_shift_',
  absolute: 'abs',
  negative: 'neg',
  subtract: 'sub',
  multiply: 'mul',
  divide: 'div',
  true_divide: 'div',
  greater: 'gt',
  greater_equal: 'ge',
  less: 'lt',
  less_equal: 'le',
  not_equal: 'ne',
  clip: 'clamp',
  concat: 'cat',
  concatenate: 'cat',
  swapdims: 'transpose',
  moveaxis: 'movedim',
  arccos: 'acos',
  arcsin: 'asin',
  arctan: 'atan',
  arctan2: 'atan2',
  fix: 'trunc',
  _unsafe_view: 'view',
  _reshape_alias: 'view',
  _unsafe_index: 'index',
};

const overloads: Readonly<Record<string, string>> = { 'transpose.default': 'int', 'max.other': 'default', 'min.other': 'default' };
const renamed: Readonly<Record<string, string>> = { 'max.other': 'maximum', 'min.other': 'minimum' };

/** The operator that `target` is another name of, in-place form kept; `target` itself when it is none. */
export function canonicalTarget({ namespace, name, overload }: Target): Target {
  if (namespace !== 'aten') return { namespace, name, overload };
  const base = name.endsWith('_') && Object.hasOwn(synonyms, name.slice(0, -1)) ? `${synonyms[name.slice(0, -1)]!}_` : name;
  const other = renamed[`${name}.${overload}`] ?? (Object.hasOwn(synonyms, base) ? synonyms[base]! : base);
  return { namespace, name: other, overload: overloads[`${other}.${overload}`] ?? overloads[`${name}.${overload}`] ?? overload };
}

/** Whether an operator writes its first argument: `add_`, not `__and__`. */
export const isInPlace = ({ name }: Target): boolean => name.endsWith('_') && !name.endsWith('__');

/** The functional operator of an in-place one. */
export const functional = (target: Target): Target => ({ ...target, name: target.name.slice(0, -1) });

/** Overloads that take Python numbers (`sym`: sizes that depend on input shapes) where `overload` takes tensors, and back. */
const siblings: Readonly<Record<string, readonly string[]>> = {
  Tensor: ['Scalar', 'Tensor_Scalar', 'Scalar_Tensor'],
  Tensor_mode: ['Scalar_mode'],
  Tensor_Tensor: ['Tensor_Scalar', 'Scalar'],
  self: ['ScalarOther', 'ScalarSelf', 'Scalar'],
  default: ['Scalar', 'sym'],
  start: ['sym'],
  start_step: ['sym'],
  Scalar: ['Tensor', 'default'],
  Scalar_mode: ['Tensor_mode'],
  Tensor_Scalar: ['Tensor_Tensor'],
  Scalar_Tensor: ['Tensor_Tensor'],
};

/** The operator and those that differ from it in which arguments are numbers. */
export const withSiblings = (target: Target): readonly Target[] => [
  target,
  ...(siblings[target.overload] ?? []).map((overload) => ({ ...target, overload })),
];
