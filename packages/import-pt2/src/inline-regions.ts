import { programError, quote } from './errors.js';
import type { Argument, Program, ProgramGraph, ProgramNode, Sym, SymArgument, TensorMeta } from './schema.js';

/**
 * Higher-order operators that only set a mode around their body, with the place of the body among their arguments;
 * the operands of the body follow. `torch.no_grad()` around a part of a model makes one.
 */
const regions: ReadonlyMap<string, number> = new Map([['torch.ops.higher_order.wrap_with_set_grad_enabled', 1]]);

type Rename = (name: string) => string;

const renameSymbol = <T>(arg: SymArgument<T>, rename: Rename): SymArgument<T> => ('name' in arg ? { name: rename(arg.name) } : arg);

/** `arg` with every name replaced. */
function renameArgument(arg: Argument, rename: Rename): Argument {
  switch (arg.kind) {
    case 'tensor':
      return { ...arg, name: rename(arg.name) };
    case 'tensors':
      return { ...arg, names: arg.names.map((n) => (n === undefined ? n : rename(n))) };
    case 'sym-int':
      return { ...arg, arg: renameSymbol(arg.arg, rename) };
    case 'sym-float':
      return { ...arg, arg: renameSymbol(arg.arg, rename) };
    case 'sym-bool':
      return { ...arg, arg: renameSymbol(arg.arg, rename) };
    case 'sym-ints':
      return { ...arg, args: arg.args.map((a) => renameSymbol(a, rename)) };
    case 'sym-floats':
      return { ...arg, args: arg.args.map((a) => renameSymbol(a, rename)) };
    case 'sym-bools':
      return { ...arg, args: arg.args.map((a) => renameSymbol(a, rename)) };
    default:
      return arg;
  }
}

/** The name that an input, an operand or a symbolic value goes by. */
const soleName = (arg: Argument): string | undefined =>
  arg.kind === 'tensor'
    ? arg.name
    : (arg.kind === 'sym-int' || arg.kind === 'sym-float' || arg.kind === 'sym-bool') && 'name' in arg.arg
      ? arg.arg.name
      : undefined;

/** What is gathered while regions are opened. */
interface Flat {
  readonly nodes: ProgramNode[];
  readonly tensorValues: Map<string, TensorMeta>;
  readonly symIntValues: Map<string, Sym<number>>;
  readonly symFloatValues: Map<string, Sym<number>>;
  readonly symBoolValues: Map<string, Sym<boolean>>;
}

/**
 * Replaces each region by its body. Names of the body get the region's name as prefix, since bodies name their
 * values on their own. Other higher-order operators (`cond`, `map`, …) are left for the list of unsupported ones.
 */
export function inlineRegions(program: Program): Program {
  if (!program.nodes.some((n) => regions.has(n.target))) return program;
  const flat: Flat = { nodes: [], tensorValues: new Map(), symIntValues: new Map(), symFloatValues: new Map(), symBoolValues: new Map() };
  addGraph(program, (name) => name, '', flat);
  return { ...program, ...flat };
}

function addGraph(graph: ProgramGraph, rename: Rename, prefix: string, flat: Flat): void {
  for (const [k, v] of graph.tensorValues) flat.tensorValues.set(rename(k), v);
  for (const [k, v] of graph.symIntValues) flat.symIntValues.set(rename(k), v);
  for (const [k, v] of graph.symFloatValues) flat.symFloatValues.set(rename(k), v);
  for (const [k, v] of graph.symBoolValues) flat.symBoolValues.set(rename(k), v);
  for (const node of graph.nodes) {
    const renamed = {
      ...node,
      inputs: node.inputs.map((i) => ({ ...i, arg: renameArgument(i.arg, rename) })),
      outputs: node.outputs.map((o) => renameArgument(o, rename)),
    };
    const at = regions.get(node.target);
    const body = at === undefined ? undefined : node.inputs[at]?.arg;
    if (at === undefined || body?.kind !== 'graph') flat.nodes.push(renamed);
    else
      addRegion(
        renamed,
        body.graph,
        renamed.inputs.slice(at + 1).map((i) => i.arg),
        `${prefix}${node.name}/`,
        flat,
      );
  }
}

function addRegion(node: ProgramNode, body: ProgramGraph, operands: readonly Argument[], prefix: string, flat: Flat): void {
  const where = `region ${quote(node.name)}`;
  if (body.inputs.length !== operands.length)
    throw programError(`${where} is given ${operands.length} operands, its body takes ${body.inputs.length}`);
  const given = new Map<string, string>();
  for (const [i, input] of body.inputs.entries()) {
    const [inner, outer] = [soleName(input), soleName(operands[i]!)];
    if (inner === undefined) continue;
    if (outer === undefined || given.has(inner)) throw programError(`${where} is given no value for input ${quote(inner)} of its body`);
    given.set(inner, outer);
  }
  // Of the body's inputs the enclosing graph records the types.
  const own = <V>(table: ReadonlyMap<string, V>): ReadonlyMap<string, V> => new Map([...table].filter(([name]) => !given.has(name)));
  const rename: Rename = (name) => given.get(name) ?? prefix + name;
  const inside = {
    ...body,
    tensorValues: own(body.tensorValues),
    symIntValues: own(body.symIntValues),
    symFloatValues: own(body.symFloatValues),
    symBoolValues: own(body.symBoolValues),
  };
  addGraph(inside, rename, prefix, flat);

  const results = node.outputs.flatMap((o): readonly (string | undefined)[] => (o.kind === 'tensors' ? o.names : [soleName(o)]));
  if (results.length !== body.outputs.length)
    throw programError(`${where} has ${results.length} results, its body gives ${body.outputs.length}`);
  for (const [i, output] of body.outputs.entries()) {
    const name = results[i];
    if (name === undefined) continue;
    // Outputs of the body may be its inputs, or one value twice: a name each.
    if (output.kind !== 'tensor') throw programError(`${where} returns a value of kind ${output.kind}, expected tensors`);
    flat.nodes.push({
      target: 'torch.ops.aten.alias.default',
      inputs: [{ name: 'self', arg: renameArgument(output, rename) }],
      outputs: [{ kind: 'tensor', name }],
      name: node.name,
      scope: node.scope,
    });
  }
}
