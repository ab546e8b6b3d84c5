import type { Value } from '@qfuse/plugin';
import type { Binding, Dispatch, ParameterType, Sizes } from '../kernel.js';
import { knownLayout } from '../storage.js';
import { bindValue, loadFunction, storeWords, wordsFor } from './elements.js';
import { mathFor } from './math.js';
import { groupsFor, indent, shader } from './shader.js';

/** A kernel in which every element of the output is computed on its own. */
export interface MapInit {
  readonly label: string;
  /** Read through `load_<name>(index)`. */
  readonly inputs: readonly (readonly [name: string, value: Value])[];
  /** Further buffers, for which the declarations say how they are read. */
  readonly bindings?: readonly Binding[];
  readonly output: Value;
  readonly parameters?: Readonly<Record<string, ParameterType>>;
  readonly values?: (sizes: Sizes) => Readonly<Record<string, number>>;
  readonly declarations?: string;
  /** Statements that end with `return …;`: the element `i` (u32, row-major) of the output. */
  readonly element: string;
}

const THREADS = 64;

/** A dispatch with a thread for each word of the output; packed outputs are written by whole words. */
export function mapDispatch(init: MapInit): Dispatch {
  const { output } = init;
  const { dtype } = output.type;
  const functions = [
    ...init.inputs.map(([name, value]) => loadFunction(name, value.type.dtype)),
    init.declarations ?? '',
    `fn element(i: u32) -> ${knownLayout(dtype).scalar} {\n${indent(init.element)}\n}`,
  ].filter((text) => text !== '');
  return shader({
    label: init.label,
    threads: THREADS,
    bindings: [
      ...init.inputs.map(([name, value]) => bindValue(name, value)),
      ...(init.bindings ?? []),
      bindValue('y', output, 'read_write'),
    ],
    parameters: { n: 'u32', ...init.parameters },
    declarations: [mathFor(functions.join('\n')), ...functions].filter((text) => text !== '').join('\n'),
    body: `let t = group * ${THREADS}u + lane;\n${storeWords(dtype, (i) => `element(${i})`)}`,
    launch: (sizes) => {
      const n = sizes.count(output);
      // Of an empty output not even the parameters are computed: sizes of 0 have no sensible strides.
      return { groups: groupsFor(wordsFor(dtype, n), THREADS), parameters: n === 0 ? {} : { n, ...init.values?.(sizes) } };
    },
  });
}
