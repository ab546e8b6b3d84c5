import { SymExpr, type Value } from '@qfuse/plugin';
import { scalarOf } from './attributes.js';
import { quote, unsupported } from './errors.js';
import type { Call, Handle, Lowering } from './lowering.js';
import { defineFresh, type Handler } from './handler.js';
import { embeddingHandlers } from './embedding-handlers.js';
import { quantHandlers } from './quant-handlers.js';
import type { Argument } from './schema.js';

/** Defines the call's first result as another name of a tensor; a later `t_` of one name does not touch the other. */
function defineAlias(call: Call, lowering: Lowering, handle: Handle): void {
  const [name] = lowering.resultNames(call.node);
  if (name !== undefined) lowering.define(name, { ref: handle.ref });
}

const firstName = (call: Call): string => call.node.inputs[0]?.name ?? 'self';

/** The result is the operand: nothing is computed and the storage is shared. */
const alias: Handler = (call, lowering) => defineAlias(call, lowering, lowering.tensorArgument(call, firstName(call)).handle);

/** The result has the operand's contents in memory of its own. */
const copy: Handler = (call, lowering) => defineFresh(call, lowering, lowering.tensorArgument(call, firstName(call)).value);

const isTrue = (arg: Argument | undefined): boolean => arg?.kind === 'bool' && arg.value;

/** `torch.channels_last` and its 3-d form change strides, hence decide whether a copy is made. */
const keepsFormat = (arg: Argument | undefined): boolean => arg?.kind !== 'memory-format' || (arg.value !== 2 && arg.value !== 3);

const contiguous: Handler = (call, lowering) => {
  const { name } = lowering.tensorArgument(call, firstName(call));
  (lowering.symbols.contiguous(name) && keepsFormat(call.args.get('memory_format')) ? alias : copy)(call, lowering);
};

/** All casts and moves: the recorded result says the dtype; devices and layouts are none of ours. */
const cast =
  (copies: boolean): Handler =>
  (call, lowering) => {
    const { value } = lowering.tensorArgument(call, firstName(call));
    const [name] = lowering.resultNames(call.node);
    if (name === undefined) return;
    const { dtype } = lowering.symbols.type(name);
    if (dtype !== value.type.dtype) defineFresh(call, lowering, lowering.cast(value, dtype, call.who));
    else if (copies || isTrue(call.args.get('copy'))) copy(call, lowering);
    else if (keepsFormat(call.args.get('memory_format'))) alias(call, lowering);
    else lowering.define(name, { ref: lowering.memory.perhaps(lowering.tensorArgument(call, firstName(call)).handle.ref, value) });
  };

const dropout: Handler = (call, lowering) => {
  const train = call.args.get('train');
  const p = call.args.get('p');
  const off = (train !== undefined && !isTrue(train) && train.kind !== 'none') || (p?.kind === 'float' && p.value === 0);
  if (!off)
    throw unsupported(
      'training',
      `${call.who} drops elements at random: the model was exported in training mode`,
      'call model.eval() before torch.export.export',
    );
  alias(call, lowering);
};

/** `src` as the new contents of `self`: broadcast and cast. */
function contentsFor(lowering: Lowering, self: Value, src: Value, who: string): Value {
  return lowering.expand(lowering.cast(src, self.type.dtype, who), self.type.shape, who);
}

/** Writes into the first argument, whose name the result then also is. */
export function writeBack(call: Call, lowering: Lowering, value: Value): void {
  const { handle } = lowering.tensorArgument(call, firstName(call));
  lowering.memory.write(handle.ref, value, call.who);
  const [name] = lowering.resultNames(call.node);
  if (name !== undefined) lowering.define(name, handle);
}

/** What `copy`, `fill` and `zero` put into their first argument. */
const contents: Readonly<Record<string, (call: Call, lowering: Lowering) => Value>> = {
  copy: (call, lowering) =>
    contentsFor(lowering, lowering.tensorArgument(call, 'self').value, lowering.tensorArgument(call, 'src').value, call.who),
  zero: (call, lowering) => filled(call, lowering, lowering.tensorArgument(call, 'self').value, { kind: 'int', value: 0 }),
  fill: (call, lowering) => filled(call, lowering, lowering.tensorArgument(call, 'self').value, call.args.get('value') ?? { kind: 'none' }),
};

function filled(call: Call, lowering: Lowering, self: Value, arg: Argument): Value {
  if (arg.kind === 'tensor') return contentsFor(lowering, self, lowering.read(arg.name, call.who), call.who);
  const scalar = scalarOf(arg, lowering.symbols, call.who);
  if (scalar === undefined) throw unsupported('dynamic', `${call.who} fills with a number that depends on sizes`);
  return lowering.expand(lowering.scalar(scalar, self.type.dtype), self.type.shape, call.who);
}

/** Assertions about sizes: facts for the shape env. */
const assertScalar: Handler = (call, { symbols }) => {
  const arg = call.args.get('self');
  if (arg?.kind !== 'sym-bool' || !('name' in arg.arg)) return;
  const relation = symbols.conditionOf(arg.arg.name);
  if (relation !== undefined) symbols.learn(relation, `assertion ${quote(call.node.name)} of the file`);
};

const constrainRange: Handler = (call, { symbols }) => {
  const arg = call.args.get('size');
  if (arg?.kind !== 'sym-int' || !('name' in arg.arg)) return;
  const recorded = symbols.recordedInteger(arg.arg.name);
  const source = `constraint ${quote(call.node.name)} of the file`;
  const bound = (name: string): number | undefined => {
    const given = call.args.get(name);
    return given?.kind === 'int' && typeof given.value === 'number' ? given.value : undefined;
  };
  if (!(recorded instanceof SymExpr)) return;
  const [min, max] = [bound('min'), bound('max')];
  if (min !== undefined) symbols.learn({ kind: 'le', left: min, right: recorded }, source);
  if (max !== undefined) symbols.learn({ kind: 'le', left: recorded, right: max }, source);
};

const drop: Handler = () => {};

/** Operators that need more than their op's definition, by name in the ATen namespace, all overloads. */
const byName: Readonly<Record<string, Handler>> = {
  alias,
  detach: alias,
  detach_: alias,
  lift: alias,
  lift_fresh: alias,
  positive: alias,
  conj: alias,
  _conj: alias,
  resolve_conj: alias,
  resolve_neg: alias,
  requires_grad_: alias,
  clone: copy,
  lift_fresh_copy: copy,
  alias_copy: copy,
  detach_copy: copy,
  contiguous,
  to: cast(false),
  type_as: cast(false),
  _to_copy: cast(true),
  _autocast_to_full_precision: cast(false),
  _autocast_to_reduced_precision: cast(false),
  dropout,
  dropout_: dropout,
  feature_dropout: dropout,
  alpha_dropout: dropout,
  feature_alpha_dropout: dropout,
  native_dropout: dropout,
  copy: (call, lowering) => defineFresh(call, lowering, contents['copy']!(call, lowering)),
  fill: (call, lowering) => defineFresh(call, lowering, contents['fill']!(call, lowering)),
  zero: (call, lowering) => defineFresh(call, lowering, contents['zero']!(call, lowering)),
  copy_: (call, lowering) => writeBack(call, lowering, contents['copy']!(call, lowering)),
  fill_: (call, lowering) => writeBack(call, lowering, contents['fill']!(call, lowering)),
  zero_: (call, lowering) => writeBack(call, lowering, contents['zero']!(call, lowering)),
  _assert_scalar: assertScalar,
  sym_constrain_range: constrainRange,
  sym_constrain_range_for_size: constrainRange,
  _assert_tensor_metadata: drop,
  _assert_async: drop,
  _functional_assert_async: drop,
  _print: drop,
};

const quantized: Readonly<Record<string, Handler>> = { ...quantHandlers, ...embeddingHandlers };

/** The handler of an operator, when its op's definition alone does not do. */
export function handlerOf(namespace: string, name: string): Handler | undefined {
  if (namespace === 'aten') return Object.hasOwn(byName, name) ? byName[name] : undefined;
  if (namespace === 'prims' && name === 'convert_element_type') return cast(true);
  const key = `${namespace}.${name}`;
  return Object.hasOwn(quantized, key) ? quantized[key] : undefined;
}
