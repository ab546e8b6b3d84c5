import { type Diagnostic, type Dim, QfuseError, substitute } from '@qfuse/plugin';
import type { Lowering } from './lowering.js';
import { SymReader } from './sym-dims.js';

/** Guards beyond this number are not read: each is one line of Python, and real programs have a few dozen. */
const MAX_GUARDS = 10_000;

/**
 * Adds the guards of a program (Python expressions over input sizes that torch checks before a run) to the facts
 * about its symbols. A guard that the facts cannot express is reported: the graph then runs for inputs that
 * torch would refuse, as far as its nodes can.
 */
export function learnGuards({ program, symbols }: Lowering, report: (diagnostic: Diagnostic) => void): void {
  // A reader of its own: its symbols stand for sizes and are not declared.
  const reader = new SymReader(() => {});
  const inputs = userInputs(program.inputSpecs);
  for (const guard of program.guardsCode.slice(0, MAX_GUARDS)) {
    if (!learnGuard(guard))
      report({ code: 'pt2/guard', severity: 'remark', message: `a guard of the file is not checked: ${guard.slice(0, 200)}` });
  }

  /** Whether the guard is now implied. */
  function learnGuard(guard: string): boolean {
    const sizes: Dim[] = [];
    // `L['x'].size()[0]`, `L['flat_args'][1].size()[0]` become symbols of their own, then the recorded sizes.
    const text = guard.replace(
      /L\['([^']*)'\](?:\[(\d+)\])?\.size\(\)\[(\d+)\]/g,
      (whole, name: string, index: string | undefined, axis: string) => {
        const input = name === 'flat_args' ? inputs[Number(index)] : index === undefined ? name : undefined;
        const size = input === undefined ? undefined : program.tensorValues.get(input)?.sizes[Number(axis)];
        return size === undefined ? whole : `guard_size_${sizes.push(symbols.dim(size)) - 1}`;
      },
    );
    const put = (dim: Dim): Dim => substitute(dim, (name) => sizes[Number(/^guard_size_(\d+)$/.exec(name)?.[1])]);
    try {
      const relation = reader.relation(text.replaceAll('max(', 'Max(').replaceAll('min(', 'Min('));
      return (
        relation !== undefined &&
        symbols.learn({ kind: relation.kind, left: put(relation.left), right: put(relation.right) }, 'guard of the file')
      );
    } catch (cause) {
      // Guards are Python and may be anything; what is no relation between sizes cannot be learnt.
      if (cause instanceof QfuseError) return false;
      throw cause;
    }
  }
}

/** Names of the user's inputs by their place among the flattened arguments; undefined for numbers. */
function userInputs(specs: Lowering['program']['inputSpecs']): readonly (string | undefined)[] {
  return specs.flatMap((s) =>
    s.kind === 'user-input' ? [s.arg.kind === 'tensor' ? s.arg.name : undefined] : s.kind === 'constant-input' ? [undefined] : [],
  );
}
