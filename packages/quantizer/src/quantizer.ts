import { type Editor, QfuseError } from '@qfuse/plugin';
import type { Annotations } from './annotation.js';

/** Says how a program is quantized. torch: `Quantizer`. Made by {@link defineQuantizer}. */
export interface Quantizer {
  /** In lower case with dashes. */
  readonly name: string;
  /** Brings a copy of the program into a form that can be annotated. torch: `transform_for_annotation` */
  readonly transformForAnnotation?: ((edit: Editor) => void) | undefined;
  /** Writes annotations. Must leave alone what is annotated already, so that quantizers can be composed. */
  readonly annotate: (annotations: Annotations) => void;
  /** Refuses annotations that the target cannot run. @throws QfuseError */
  readonly validate?: ((annotations: Annotations) => void) | undefined;
}

/**
 * Freezes a quantizer.
 * @throws Error when the name is not in lower case with dashes
 */
export function defineQuantizer(quantizer: Quantizer): Quantizer {
  if (!/^[a-z][a-z0-9-]*$/.test(quantizer.name))
    throw new Error(`"${quantizer.name}" is not a quantizer name: expected lower case, digits and dashes`);
  return Object.freeze({ ...quantizer });
}

/**
 * Runs code of a plugin. What it throws on purpose, a QfuseError, goes through; of any other error the message says whose defect it is.
 * @param who - e.g. `quantizer mixed-bits`
 */
export function blaming<T>(who: string, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof QfuseError) throw cause;
    throw new Error(`${who} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

/** Several quantizers as one: what an earlier one annotated, later ones leave alone. torch: `ComposableQuantizer` */
export const composeQuantizers = (...quantizers: readonly Quantizer[]): Quantizer =>
  defineQuantizer({
    name: quantizers.map((q) => q.name).join('-and-') || 'nothing',
    transformForAnnotation: (edit) => quantizers.forEach((q) => q.transformForAnnotation?.(edit)),
    annotate: (annotations) => quantizers.forEach((q) => q.annotate(annotations)),
    validate: (annotations) => quantizers.forEach((q) => q.validate?.(annotations)),
  });
