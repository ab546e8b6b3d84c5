import type { AnyOp, Diagnostic, Graph, TensorType, Value } from '@qfuse/plugin';
import type { Pt2Archive } from './archive.js';
import { namesOf } from './check-names.js';
import { programError, quote, unsupported } from './errors.js';
import { handlerOf, writeBack } from './handlers.js';
import { type Call, Lowering } from './lowering.js';
import { finishProgram } from './outputs.js';
import { declareInputs } from './placeholders.js';
import { updateStatistics } from './running-statistics.js';
import type { ProgramNode } from './schema.js';
import { learnGuards } from './guards.js';
import { functional, isInPlace, parseTarget, shortTarget, type Target } from './targets.js';
import { aliasing, viewOf } from './views.js';

/** Nodes that are named for one operator in the list of unsupported ones. */
const MAX_NAMED = 50;

/** In-place operators that change a tensor's shape, not its contents. */
const reshapers: ReadonlySet<string> = new Set(['t_', 'transpose_', 'swapaxes_', 'swapdims_', 'squeeze_', 'unsqueeze_']);

const isSymbolic = (node: ProgramNode): boolean => node.outputs.length > 0 && node.outputs.every((o) => o.kind.startsWith('sym-'));

/**
 * Builds `graph` from the program of an archive.
 * @param report - takes remarks about what the graph does not express, e.g. a guard
 * @throws QfuseError `pt2/unsupported-op` listing all unknown operators, or another `pt2/…` error naming the node
 */
export function convertProgram(
  archive: Pt2Archive,
  graph: Graph,
  ops: ReadonlyMap<string, AnyOp>,
  report: (diagnostic: Diagnostic) => void,
): void {
  const { program } = archive;
  const lowering = new Lowering(graph, program, ops);
  refuseUnknownOps(lowering);
  refuseDynamicShapes(lowering);
  const used = new Set([...program.nodes.flatMap((n) => n.inputs.flatMap((i) => namesOf(i.arg))), ...program.outputs.flatMap(namesOf)]);
  const placeholders = declareInputs(archive, lowering, used);
  for (const node of program.nodes) lowerNode(lowering.begin(node), lowering);
  finishProgram(archive, lowering, placeholders);
  learnGuards(lowering, report);
}

/** How a node is lowered, or undefined when its operator is unknown. */
function strategyOf(node: ProgramNode, lowering: Lowering): ((call: Call) => void) | undefined {
  const target = parseTarget(node.target);
  const handler = target === undefined ? undefined : handlerOf(target.namespace, target.name);
  if (handler !== undefined) return (call) => handler(call, lowering);
  // Sizes are dims of types and attributes: what computes them is not a node.
  if (isSymbolic(node)) return () => {};
  if (target === undefined) return undefined;
  if (lowering.candidates(target).length > 0) return (call) => lowerGeneric(call, target, lowering);
  if (!isInPlace(target) || lowering.candidates(functional(target)).length === 0) return undefined;
  return (call) => (reshapers.has(target.name) ? lowerReshaper : lowerInPlace)(call, functional(target), lowering);
}

function lowerNode(call: Call, lowering: Lowering): void {
  const strategy = strategyOf(call.node, lowering);
  if (strategy === undefined) throw unsupported('op', `${call.who}: the operator is not supported`);
  strategy(call);
}

/** Lists every operator that cannot be lowered with the nodes that use it. */
function refuseUnknownOps(lowering: Lowering): void {
  const unknown = new Map<string, string[]>();
  for (const node of lowering.program.nodes) {
    if (strategyOf(node, lowering) !== undefined) continue;
    const name = shortTarget(node.target);
    const users = unknown.get(name);
    if (users === undefined) unknown.set(name, [node.name]);
    else users.push(node.name);
  }
  if (unknown.size === 0) return;
  const lines = [...unknown].map(([name, nodes]) => {
    const shown = nodes.slice(0, MAX_NAMED).map((n) => quote(n));
    return `${name} (${shown.join(', ')}${nodes.length > MAX_NAMED ? ` and ${nodes.length - MAX_NAMED} more` : ''})`;
  });
  throw unsupported(
    'op',
    `${unknown.size} operator${unknown.size > 1 ? 's are' : ' is'} not supported: ${lines.join('; ')}`,
    'give the ops that define them with the option "ops", or export the model without them',
  );
}

/** Lists every tensor whose shape depends on the data of a run. */
function refuseDynamicShapes({ program, symbols }: Lowering): void {
  const found: string[] = [];
  for (const node of program.nodes)
    for (const o of node.outputs)
      if (o.kind.startsWith('tensor'))
        for (const name of namesOf(o))
          if (symbols.unbackedIn(name) !== undefined) found.push(`${quote(name)} of ${shortTarget(node.target)}`);
  if (found.length === 0) return;
  throw unsupported(
    'dynamic',
    `${found.length} tensors have shapes that depend on the data of a run: ${found.slice(0, MAX_NAMED).join(', ')}`,
    'sizes may depend on input shapes only: use masks instead of selections, where() instead of nonzero()',
  );
}

/** Any operator that is described by its op's definition. */
function lowerGeneric(call: Call, target: Target, lowering: Lowering): void {
  const node = lowering.generic(call, target, lowering.recordedTypes(call));
  const names = lowering.resultNames(call.node);
  if (names.length > node.results.length)
    throw programError(`${call.who} records ${names.length} results, ${node.op.name} has ${node.results.length}`);
  const first = call.node.inputs.find((i) => i.arg.kind === 'tensor')?.arg;
  const source = first?.kind === 'tensor' ? first.name : undefined;
  const relation = source === undefined ? 'fresh' : aliasing(node.op.name, () => lowering.symbols.contiguous(source));
  for (const [index, name] of names.entries()) {
    if (name === undefined) continue;
    const value = node.results[index]!;
    if (relation === 'fresh') lowering.define(name, { ref: lowering.memory.fresh(value) });
    else {
      const of = lowering.handle(source!).ref;
      const view = (): ReturnType<typeof viewOf> => viewOf({ node, index, source: of.value.type, lowering, who: call.who });
      lowering.define(name, {
        ref: relation === 'view' ? lowering.memory.view(of, view(), value, call.who) : lowering.memory.perhaps(of, value),
      });
    }
  }
  updateStatistics(call, target, lowering);
}

/** `x.add_(y)`: the functional operator, then its result becomes the contents of `x`. */
function lowerInPlace(call: Call, target: Target, lowering: Lowering): void {
  const { value: self } = lowering.tensorArgument(call, call.node.inputs[0]?.name ?? 'self');
  const { result } = lowering.generic(call, target);
  refuseOtherShape(result, self.type, call, lowering);
  writeBack(call, lowering, lowering.cast(result, self.type.dtype, call.who));
}

function refuseOtherShape(result: Value, wanted: TensorType, call: Call, { graph }: Lowering): void {
  const { shape } = result.type;
  const same = shape.length === wanted.shape.length && shape.every((d, i) => graph.env.equal(d, wanted.shape[i]!) !== 'no');
  if (!same) throw unsupported('op', `${call.who} changes the shape of a tensor in place`, 'use the operator that returns a new tensor');
}

/** `x.t_()`: from here on `x` is a view of what it was. */
function lowerReshaper(call: Call, target: Target, lowering: Lowering): void {
  const { handle } = lowering.tensorArgument(call, call.node.inputs[0]?.name ?? 'self');
  const node = lowering.generic(call, target, lowering.recordedTypes(call));
  handle.ref = lowering.memory.view(
    handle.ref,
    viewOf({ node, index: 0, source: handle.ref.value.type, lowering, who: call.who }),
    node.result,
    call.who,
  );
  const [name] = lowering.resultNames(call.node);
  if (name !== undefined) lowering.define(name, handle);
}
