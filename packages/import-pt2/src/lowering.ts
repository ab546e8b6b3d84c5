import {
  type AnyOp,
  type AttrValue,
  type ConstantRole,
  constantOf,
  type Dim,
  type DType,
  Editor,
  type Graph,
  type HostTensor,
  type Node,
  type OperandsOf,
  QfuseError,
  type Scalar,
  sourceOrigin,
  SymExpr,
  tensorOf,
  type TensorType,
  tensorType,
  typeText,
  type Value,
} from '@qfuse/plugin';
import { resultType } from '@qfuse/ops';
import { attributeOf, describeArgument, scalarOf } from './attributes.js';
import { programError, quote, unsupported } from './errors.js';
import { Memory, type TensorRef } from './memory.js';
import type { Argument, Program, ProgramNode } from './schema.js';
import { Symbols } from './symbols.js';
import { canonicalTarget, opName, shortTarget, type Target, withSiblings } from './targets.js';

/** One call of an operator, prepared for lowering. */
export interface Call {
  readonly node: ProgramNode;
  readonly args: ReadonlyMap<string, Argument>;
  /** For messages: `node "add_1" (aten.add.Tensor)`. */
  readonly who: string;
}

/** The torch tensors of one name; in-place changes of metadata (`t_`) replace `ref`. */
export interface Handle {
  ref: TensorRef;
}

/** Arguments that say where and how torch computes, not what. */
const IGNORED = new Set([
  'layout',
  'device',
  'pin_memory',
  'memory_format',
  'non_blocking',
  'requires_grad',
  'implicit',
  'cudnn_enabled',
  'padding_idx',
  'scale_grad_by_freq',
  'sparse',
]);

/** The cast of Core ATen, which other casts become. */
const CAST = 'aten._to_copy';

/** What handlers build a graph with: names to tensors, arguments to operands and attributes, nodes with origins. */
export class Lowering {
  readonly graph: Graph;
  readonly editor: Editor;
  readonly program: Program;
  readonly symbols: Symbols;
  readonly memory = new Memory();
  readonly #ops: ReadonlyMap<string, AnyOp>;
  readonly #handles = new Map<string, Handle>();
  readonly #scalars = new Map<string, Value>();

  constructor(graph: Graph, program: Program, ops: ReadonlyMap<string, AnyOp>) {
    this.graph = graph;
    this.editor = new Editor(graph);
    this.program = program;
    this.symbols = new Symbols(program, graph.env);
    this.#ops = ops;
  }

  /** Prepares a node and makes it the origin of what is created next. */
  begin(node: ProgramNode): Call {
    this.editor.origin = sourceOrigin(node.name, node.scope);
    return { node, args: new Map(node.inputs.map((i) => [i.name, i.arg])), who: `node ${quote(node.name)} (${shortTarget(node.target)})` };
  }

  /** Binds a torch name to a tensor. */
  define(name: string, handle: Handle): void {
    this.#handles.set(name, handle);
  }

  /** The tensor of a torch name. */
  handle(name: string): Handle {
    const handle = this.#handles.get(name);
    if (handle === undefined) throw programError(`tensor ${quote(name)} is used, but what makes it was dropped`);
    return handle;
  }

  /** The current contents of a torch name. */
  read(name: string, who: string): Value {
    return this.memory.read(this.handle(name).ref, who);
  }

  /** The tensor argument `name` of a call. @throws QfuseError `pt2/program` when it is none */
  tensorArgument(call: Call, name: string): { readonly name: string; readonly handle: Handle; readonly value: Value } {
    const arg = call.args.get(name);
    if (arg?.kind !== 'tensor')
      throw programError(
        `argument ${quote(name)} of ${call.who} is ${arg === undefined ? 'missing' : describeArgument(arg)}, expected a tensor`,
      );
    const handle = this.handle(arg.name);
    return { name: arg.name, handle, value: this.memory.read(handle.ref, call.who) };
  }

  /** Names of the tensors that a node defines, in the order of its results; undefined where a result is None. */
  resultNames(node: ProgramNode): readonly (string | undefined)[] {
    return node.outputs.flatMap((o) => (o.kind === 'tensor' ? [o.name] : o.kind === 'tensors' ? o.names : [undefined]));
  }

  /** The op called `name`, or undefined. */
  op(name: string): AnyOp | undefined {
    return this.#ops.get(name);
  }

  /** Makes a node of the op called `name`. @throws QfuseError `pt2/unsupported-op` when the op is not known, `pt2/node` when it refuses */
  create(
    name: string,
    operands: Readonly<Record<string, Value | readonly Value[] | undefined>>,
    attrs: Readonly<Record<string, AttrValue>>,
    who: string,
    types?: readonly TensorType[],
  ): Node {
    const op = this.#ops.get(name);
    if (op === undefined) throw unsupported('op', `${who} needs the operator ${name}, which qfuse does not have`);
    return this.#guard(who, () => this.editor.create(op, operands as OperandsOf<AnyOp>, attrs, { types }));
  }

  /** As {@link create}, with operands as slots. */
  createFromSlots(
    op: AnyOp,
    slots: readonly (Value | undefined)[],
    attrs: Readonly<Record<string, AttrValue>>,
    who: string,
    types?: readonly TensorType[],
  ): Node {
    return this.#guard(who, () => this.editor.createFromSlots(op, slots, attrs, { types }));
  }

  #guard(who: string, make: () => Node): Node {
    try {
      return make();
    } catch (cause) {
      if (!(cause instanceof QfuseError) || !cause.code.startsWith('ir/')) throw cause;
      throw new QfuseError('pt2/node', `${who}: ${cause.message}`, { cause, help: cause.help });
    }
  }

  /** `value` as `dtype`. */
  cast(value: Value, dtype: DType, who: string): Value {
    if (value.type.dtype === dtype) return value;
    return this.create(this.#ops.has(CAST) ? CAST : 'aten.to.dtype', { self: value }, { dtype }, who).result;
  }

  /** `value` broadcast to `shape`. */
  expand(value: Value, shape: readonly Dim[], who: string): Value {
    const { type } = value;
    if (tensorType(type.dtype, shape) === type) return value;
    return this.create('aten.expand', { self: value }, { size: shape }, who, [tensorType(type.dtype, shape)]).result;
  }

  /** `value` with the same elements under another shape. */
  reshape(value: Value, shape: readonly Dim[], who: string): Value {
    const { type } = value;
    if (tensorType(type.dtype, shape) === type) return value;
    return this.create('aten.view', { self: value }, { size: shape }, who, [tensorType(type.dtype, shape)]).result;
  }

  /** A graph constant with the contents of a host tensor; small ones of equal contents are made once. */
  constant(tensor: HostTensor): Value {
    const constant = constantOf(tensor, 'a number of the program');
    const known = this.#scalars.get(constant.key);
    if (known !== undefined) return known;
    const made = this.editor.constant(constant);
    this.#scalars.set(constant.key, made);
    return made;
  }

  /** A graph input, parameter, buffer or constant under a name that is free, preferably the first. */
  declare(role: ConstantRole | 'input', names: readonly string[], make: (name: string) => Value): Value {
    const name = names.find((n) => this.graph.named(n) === undefined);
    if (name === undefined) throw programError(`the names ${names.map((n) => quote(n)).join(', ')} of a ${role} are taken`);
    return make(name);
  }

  /** A number of the program as a 0-d constant of `dtype`. */
  scalar(scalar: Scalar, dtype: DType): Value {
    return this.constant(tensorOf(dtype, [], [scalar.value]));
  }

  /** A size that depends on input shapes as a 0-d i64 tensor. */
  dimTensor(dim: SymExpr, who: string): Value {
    return this.create('aten.scalar_tensor.sym', {}, { s: dim }, who).result;
  }

  /** The ops that may stand for a target, best first. */
  candidates(target: Target): readonly AnyOp[] {
    const names = [target, canonicalTarget(target)].flatMap((t) => withSiblings(t).map((s) => opName(s)));
    return [...new Set(names)].flatMap((n) => this.#ops.get(n) ?? []);
  }

  /**
   * Makes the node of a call from its op's definition: arguments become the operands and attributes of the same
   * names. A Python number where the op wants a tensor chooses the overload for numbers, or becomes a constant.
   * @param target - the operator, when it is not that of the call (the functional one of an in-place one)
   * @param types - the recorded result types, to take and to check
   */
  generic(call: Call, target: Target, types?: readonly TensorType[]): Node {
    const candidates = this.candidates(target);
    const op = candidates.find((c) => this.#fits(call, c, false)) ?? candidates.find((c) => this.#fits(call, c, true)) ?? candidates[0];
    if (op === undefined) throw unsupported('op', `${call.who}: the operator is not supported`);
    const slots = op.operandNames.flatMap((name, i) => (i === op.variadic ? this.#list(call, name) : [this.#operand(call, op, name)]));
    const attrs: Record<string, AttrValue> = {};
    for (const [name, arg] of call.args) {
      if (Object.hasOwn(op.operands, name)) continue;
      const spec = op.attrs[name];
      const who = `argument ${quote(name)} of ${call.who}`;
      if (spec === undefined) this.#ignore(arg, name, who);
      else if (arg.kind !== 'none' || spec.optional) attrs[name] = attributeOf(spec, arg, this.symbols, who);
      else throw unsupported('argument', `${who} is None, which ${op.name} does not support`);
    }
    return this.createFromSlots(op, slots, attrs, call.who, types);
  }

  /**
   * Whether each argument is a tensor where `op` has an operand and none where it has an attribute.
   * @param made - whether an operand may also be made of a number
   */
  #fits(call: Call, op: AnyOp, made: boolean): boolean {
    return [...call.args].every(([name, arg]) => {
      const isTensor = arg.kind === 'tensor' || (arg.kind === 'tensors' && arg.names.length > 0);
      if (isTensor) return Object.hasOwn(op.operands, name);
      if (arg.kind === 'none' || IGNORED.has(name)) return true;
      if (!Object.hasOwn(op.attrs, name)) return Object.hasOwn(op.operands, name) && (made || arg.kind === 'tensors');
      return op.attrs[name]!.kind !== 'scalar' || scalarOf(arg, this.symbols, call.who) !== undefined;
    });
  }

  #list(call: Call, name: string): readonly (Value | undefined)[] {
    const arg = call.args.get(name);
    if (arg === undefined || arg.kind === 'none') return [];
    if (arg.kind === 'tensor') return [this.read(arg.name, call.who)];
    if (arg.kind !== 'tensors')
      throw programError(`argument ${quote(name)} of ${call.who} is ${describeArgument(arg)}, expected a list of tensors`);
    return arg.names.map((n) => (n === undefined ? undefined : this.read(n, call.who)));
  }

  #operand(call: Call, op: AnyOp, name: string): Value | undefined {
    const arg = call.args.get(name);
    if (arg === undefined || arg.kind === 'none') return undefined;
    if (arg.kind === 'tensor') return this.read(arg.name, call.who);
    const others = op.operandNames.flatMap((n) => {
      const other = call.args.get(n);
      return other?.kind === 'tensor' ? [this.read(other.name, call.who).type] : [];
    });
    const scalar = scalarOf(arg, this.symbols, call.who);
    if (scalar !== undefined) return this.scalar(scalar, resultType([...others, { scalar }]));
    const dim = arg.kind === 'sym-int' ? this.symbols.integer(arg.arg, call.who) : undefined;
    if (!(dim instanceof SymExpr))
      throw unsupported('argument', `argument ${quote(name)} of ${call.who} is ${describeArgument(arg)}, expected a tensor`);
    return this.cast(this.dimTensor(dim, call.who), resultType([...others, { scalar: { kind: 'int', value: 0 } }]), call.who);
  }

  /** Lets an argument go that the op does not have, when it changes no result. */
  #ignore(arg: Argument, name: string, who: string): void {
    if (arg.kind === 'layout' && arg.value !== 7) throw unsupported('layout', `${who} asks for a sparse tensor, expected a dense one`);
    if (arg.kind === 'none' || IGNORED.has(name) || (arg.kind === 'bool' && !arg.value)) return;
    throw unsupported('argument', `${who} is ${describeArgument(arg)}, which qfuse does not support`);
  }

  /** Recorded types of a call's results; undefined when one of them is None. */
  recordedTypes(call: Call): readonly TensorType[] | undefined {
    const names = this.resultNames(call.node);
    return names.includes(undefined) ? undefined : names.map((n) => this.symbols.type(n!));
  }

  /** Refuses a value whose type contradicts what the file recorded for `name`. */
  expectType(value: Value, name: string, who: string): void {
    const recorded = this.symbols.type(name);
    const { type } = value;
    const same =
      type.dtype === recorded.dtype &&
      type.shape.length === recorded.shape.length &&
      type.shape.every((d, i) => this.graph.env.equal(d, recorded.shape[i]!) !== 'no');
    if (!same) throw new QfuseError('pt2/node', `${who}: the result is ${typeText(type)}, but the file records ${typeText(recorded)}`);
  }
}
