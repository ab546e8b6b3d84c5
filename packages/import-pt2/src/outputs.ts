import { type Mutation, SymExpr, type Value } from '@qfuse/plugin';
import type { Pt2Archive } from './archive.js';
import { scalarOf } from './attributes.js';
import { programError, quote, unsupported } from './errors.js';
import type { Lowering } from './lowering.js';
import type { Placeholder } from './placeholders.js';
import type { Argument } from './schema.js';

const WHO = 'the graph output';

/**
 * Sets the outputs and mutations of the graph. Outputs that are None are left out; numbers become 0-d tensors
 * (i64, f64, bool). What was written in place and what the signature calls a mutation are both mutations.
 * @throws QfuseError `pt2/unsupported-mutation` when a parameter or a constant is written
 */
export function finishProgram(archive: Pt2Archive, lowering: Lowering, placeholders: readonly Placeholder[]): void {
  const { program, editor, memory } = lowering;
  const outputs: Value[] = [];
  const changed = new Map<Placeholder, Value>();
  for (const [i, spec] of program.outputSpecs.entries()) {
    switch (spec.kind) {
      case 'refused':
        throw unsupported('output', `the program returns ${spec.what}, which qfuse does not support`);
      case 'user-output':
        outputs.push(...outputOf(program.outputs[i]!, lowering));
        break;
      case 'loss-output':
        outputs.push(lowering.read(spec.name, WHO));
        break;
      default: {
        const placeholder = placeholders.find(
          (p) => p.target === spec.target && (spec.kind !== 'user-input-mutation' || p.kind === 'user-input'),
        );
        if (placeholder === undefined) changedUnused(archive, lowering, spec.target, spec.name, placeholders, changed);
        else changed.set(placeholder, lowering.read(spec.name, WHO));
      }
    }
  }
  for (const p of placeholders) if (p.ref.written && !changed.has(p)) changed.set(p, memory.read(p.ref, WHO));
  refuseSharedState(archive, placeholders, changed);
  const mutations: Mutation[] = [];
  for (const [p, value] of changed) {
    if (p.kind === 'parameter' || p.kind === 'tensor-constant')
      throw unsupported(
        'mutation',
        `the program changes ${p.kind === 'parameter' ? 'parameter' : 'constant'} ${quote(p.target)}; only buffers and inputs can change`,
        'register it as a buffer',
      );
    // A buffer that ends as it began (written and restored, or `copy_` of itself) is not state.
    if (value !== p.value) mutations.push({ target: p.value, value });
  }
  editor.setOutputs(outputs, mutations);
}

/** A buffer that is only written: nothing read it, so it was not declared yet. */
function changedUnused(
  archive: Pt2Archive,
  lowering: Lowering,
  target: string,
  name: string,
  placeholders: readonly Placeholder[],
  changed: Map<Placeholder, Value>,
): void {
  const spec = lowering.program.inputSpecs.find((s) => (s.kind === 'buffer' || s.kind === 'parameter') && s.target === target);
  if (spec?.kind !== 'buffer' && spec?.kind !== 'parameter')
    throw programError(`the program changes ${quote(target)}, which is not among its ${placeholders.length} inputs`);
  const role: 'buffer' | 'parameter' = spec.kind;
  const value = lowering.declare(role, [target, spec.name], (free) => lowering.editor.addConstant(free, role, archive.tensor(target)));
  changed.set({ name: spec.name, kind: spec.kind, target, value, ref: lowering.memory.fresh(value) }, lowering.read(name, WHO));
}

/** Two buffers over one storage, one of them written: torch changes both, two graph buffers would not. */
function refuseSharedState(archive: Pt2Archive, placeholders: readonly Placeholder[], changed: ReadonlyMap<Placeholder, Value>): void {
  const stored = placeholders.filter((p) => p.kind !== 'user-input');
  for (const p of changed.keys()) {
    if (p.kind === 'user-input') continue;
    const other = stored.find((q) => q.name !== p.name && archive.storage(q.target) === archive.storage(p.target));
    if (other !== undefined)
      throw unsupported(
        'alias',
        `the program changes ${quote(p.target)}, which shares memory with ${quote(other.target)}`,
        'clone one of the two before export',
      );
  }
}

function outputOf(arg: Argument, lowering: Lowering): readonly Value[] {
  switch (arg.kind) {
    case 'none':
      return [];
    case 'tensor':
      return [lowering.read(arg.name, WHO)];
    case 'tensors':
      return arg.names.flatMap((n) => (n === undefined ? [] : [lowering.read(n, WHO)]));
    case 'ints':
      return arg.values.flatMap((value) => outputOf({ kind: 'int', value }, lowering));
    case 'floats':
      return arg.values.flatMap((value) => outputOf({ kind: 'float', value }, lowering));
    case 'bools':
      return arg.values.flatMap((value) => outputOf({ kind: 'bool', value }, lowering));
    case 'sym-ints':
      return arg.args.flatMap((a) => outputOf({ kind: 'sym-int', arg: a }, lowering));
    // Strings and such say something about the program, and are not results of a run.
    case 'string':
    case 'strings':
      return [];
    default: {
      const scalar = scalarOf(arg, lowering.symbols, WHO);
      if (scalar !== undefined) return [lowering.scalar(scalar, scalar.kind === 'int' ? 'i64' : scalar.kind === 'float' ? 'f64' : 'bool')];
      const dim = arg.kind === 'sym-int' ? lowering.symbols.integer(arg.arg, WHO) : undefined;
      if (dim instanceof SymExpr) return [lowering.dimTensor(dim, WHO)];
      throw unsupported('output', `the program returns a value of kind ${arg.kind}, expected tensors and numbers`);
    }
  }
}
