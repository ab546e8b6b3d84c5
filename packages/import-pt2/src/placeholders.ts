import type { Value } from '@qfuse/plugin';
import type { Pt2Archive } from './archive.js';
import { programError, quote, unsupported } from './errors.js';
import type { Lowering } from './lowering.js';
import type { TensorRef } from './memory.js';
import type { InputSpec } from './schema.js';

/** A graph input, parameter, buffer or constant of the program. */
export interface Placeholder {
  /** Its name in the program's graph, e.g. `b_cache`. */
  readonly name: string;
  readonly kind: 'user-input' | 'parameter' | 'buffer' | 'tensor-constant';
  /** Its name in the model, e.g. `layer.cache`; of an input, `name`. */
  readonly target: string;
  readonly value: Value;
  /** The tensor as it is when a run begins. */
  readonly ref: TensorRef;
}

/**
 * Makes graph inputs and graph constants of the program's inputs. Parameters and buffers that nothing reads are
 * left out; they may be of kinds that qfuse does not have.
 * @throws QfuseError `pt2/unsupported-input` for inputs that are no tensors
 */
export function declareInputs(archive: Pt2Archive, lowering: Lowering, used: ReadonlySet<string>): readonly Placeholder[] {
  const { program, editor } = lowering;
  const users = new Set(program.inputSpecs.flatMap((s) => (s.kind === 'user-input' && s.arg.kind === 'tensor' ? [s.arg.name] : [])));
  // Inputs first: they keep their names, whatever parameters are called.
  const byName = new Map<string, Value>();
  for (const name of users) byName.set(name, editor.addInput(name, lowering.symbols.type(name)));
  const out: Placeholder[] = [];
  for (const spec of program.inputSpecs) {
    const placeholder = declareOne(spec, archive, lowering, used, byName);
    if (placeholder === undefined) continue;
    lowering.define(placeholder.name, { ref: placeholder.ref });
    out.push(placeholder);
  }
  return out;
}

function declareOne(
  spec: InputSpec,
  archive: Pt2Archive,
  lowering: Lowering,
  used: ReadonlySet<string>,
  inputs: ReadonlyMap<string, Value>,
): Placeholder | undefined {
  switch (spec.kind) {
    case 'refused':
      throw unsupported('input', `the program takes ${spec.what}, which qfuse does not support`);
    case 'constant-input':
      return undefined;
    case 'user-input': {
      const { arg } = spec;
      if (arg.kind === 'tensor') {
        const value = inputs.get(arg.name)!;
        return { name: arg.name, kind: 'user-input', target: arg.name, value, ref: lowering.memory.fresh(value) };
      }
      if (arg.kind.startsWith('sym-'))
        throw unsupported(
          'input',
          `the program takes a dynamic number${'arg' in arg && 'name' in arg.arg ? ` ${quote(arg.arg.name)}` : ''}, expected tensors only`,
          'export the model with that number fixed',
        );
      if (arg.kind === 'refused') throw unsupported('input', `the program takes ${arg.what}, which qfuse does not support`);
      return undefined;
    }
    default: {
      if (!used.has(spec.name)) return undefined;
      const constant = archive.tensor(spec.target);
      const role = spec.kind === 'tensor-constant' ? 'constant' : spec.kind;
      const value = lowering.declare(role, [spec.target, spec.name, `${spec.target}.${role}`], (name) =>
        lowering.editor.addConstant(name, role, constant),
      );
      expectSame(value, spec.name, lowering);
      return { name: spec.name, kind: spec.kind, target: spec.target, value, ref: lowering.memory.fresh(value) };
    }
  }
}

function expectSame(value: Value, name: string, lowering: Lowering): void {
  const recorded = lowering.symbols.type(name);
  if (recorded !== value.type)
    throw programError(
      `tensor ${quote(name)} is stored as ${value.type.dtype}[${value.type.shape.join(', ')}], but the program records ${recorded.dtype}[${recorded.shape.join(', ')}]`,
    );
}
