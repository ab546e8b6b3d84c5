import { programError, quote } from './errors.js';
import type { Argument, Program, SymArgument } from './schema.js';

/** Names that an argument reads (or, of a node's output or a graph input, defines). */
export function namesOf(arg: Argument): readonly string[] {
  const named = (a: SymArgument<unknown>): readonly string[] => ('name' in a ? [a.name] : []);
  switch (arg.kind) {
    case 'tensor':
      return [arg.name];
    case 'tensors':
      return arg.names.filter((n) => n !== undefined);
    case 'sym-int':
    case 'sym-float':
    case 'sym-bool':
      return named(arg.arg);
    case 'sym-ints':
    case 'sym-floats':
    case 'sym-bools':
      return arg.args.flatMap(named);
    default:
      return [];
  }
}

const isTensor = (arg: Argument): boolean => arg.kind === 'tensor' || arg.kind === 'tensors';

/**
 * Checks that every name is defined exactly once and before its uses, that values have recorded types, and that
 * signature and graph agree. After this, looking a name up cannot fail and the node list is acyclic.
 * @throws QfuseError `pt2/program` naming the name and who uses it
 */
export function checkNames(program: Program): void {
  const defined = new Set<string>();
  const later = new Set(program.nodes.flatMap((n) => n.outputs.flatMap(namesOf)));
  const define = (arg: Argument, who: string): void => {
    for (const name of namesOf(arg)) {
      if (defined.has(name)) throw programError(`the name ${quote(name)} is defined twice, the second time by ${who}`);
      defined.add(name);
      const table = isTensor(arg)
        ? program.tensorValues
        : arg.kind.startsWith('sym-int')
          ? program.symIntValues
          : arg.kind.startsWith('sym-bool')
            ? program.symBoolValues
            : program.symFloatValues;
      if (!table.has(name)) throw programError(`${who} defines ${quote(name)}, of which no type is recorded`);
    }
  };
  const use = (arg: Argument, who: string): void => {
    for (const name of namesOf(arg)) {
      if (defined.has(name)) continue;
      throw programError(
        later.has(name)
          ? `${who} uses ${quote(name)} before it is defined: the program is cyclic or out of order`
          : `${who} uses ${quote(name)}, which nothing defines`,
      );
    }
  };
  for (const arg of program.inputs) define(arg, 'a graph input');
  for (const node of program.nodes) {
    const who = `node ${quote(node.name)}`;
    for (const { arg } of node.inputs) use(arg, who);
    for (const arg of node.outputs) define(arg, who);
  }
  for (const arg of program.outputs) use(arg, 'the graph output');
  checkSignature(program);
}

/** Compares the signature, which says what inputs and outputs are, with the graph, which has them in order. */
function checkSignature(program: Program): void {
  const { inputs, inputSpecs, outputs, outputSpecs } = program;
  if (inputs.length !== inputSpecs.length) throw programError(`the graph has ${inputs.length} inputs, its signature ${inputSpecs.length}`);
  if (outputs.length !== outputSpecs.length)
    throw programError(`the graph has ${outputs.length} outputs, its signature ${outputSpecs.length}`);
  for (const [i, spec] of inputSpecs.entries()) {
    if (spec.kind === 'refused' || spec.kind === 'constant-input') continue;
    const stated = spec.kind === 'user-input' ? namesOf(spec.arg) : [spec.name];
    const actual = namesOf(inputs[i]!);
    if (stated.join() !== actual.join())
      throw programError(`input ${i} of the graph is ${quote(actual.join())}, of its signature ${quote(stated.join())}`);
  }
  for (const [i, spec] of outputSpecs.entries()) {
    if (spec.kind === 'refused') continue;
    const stated = spec.kind === 'user-output' ? namesOf(spec.arg) : [spec.name];
    const actual = namesOf(outputs[i]!);
    if (stated.join() !== actual.join())
      throw programError(`output ${i} of the graph is ${quote(actual.join())}, of its signature ${quote(stated.join())}`);
  }
}
