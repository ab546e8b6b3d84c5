import { type Graph, type HostTensor, QfuseError, typeText } from '@qfuse/ir';
import { compareTensors, type Comparison } from '@qfuse/compiler';

/**
 * The tensors for a program's inputs from a file: by input name, else `in.0`, `in.1`, … by position.
 * @throws QfuseError `run/inputs` naming what is missing and what the file has
 */
export function pickInputs(graph: Graph, tensors: ReadonlyMap<string, HostTensor>, path: string): HostTensor[] {
  return graph.inputs.map((input, i) => {
    const found = tensors.get(input.name!) ?? tensors.get(`in.${i}`);
    if (found === undefined)
      throw new QfuseError(
        'run/inputs',
        `${path}: has no tensor "${input.name}" or "in.${i}" for input ${i} (${typeText(input.type)}); it has ${[...tensors.keys()].join(', ') || 'none'}`,
      );
    return found;
  });
}

/** Tolerances given by the user; what is not given follows from the expected values. */
export interface GivenTolerance {
  readonly atol?: number | undefined;
  readonly rtol?: number | undefined;
}

/** Share of the largest expected value that a float output may differ by when no tolerance is given. */
const defaultShare = 1e-4;

/** One output of a run, compared with what was expected when that is known. */
export interface OutputReport {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly maxAbsError: number | null;
  readonly maxRelError: number | null;
  readonly withinTolerance: boolean | null;
  /** Why it cannot be compared, when it cannot. */
  readonly problem?: string;
}

/** Reports outputs without anything to compare them with. */
export const reportOutputs = (outputs: readonly HostTensor[]): OutputReport[] =>
  outputs.map((t, i) => ({
    name: `out.${i}`,
    shape: t.shape,
    dtype: t.dtype,
    maxAbsError: null,
    maxRelError: null,
    withinTolerance: null,
  }));

/**
 * Compares outputs with the tensors of a file, `out.0`, `out.1`, … by position.
 * @throws QfuseError `run/expect` when the file lacks one
 */
export function compareOutputs(
  outputs: readonly HostTensor[],
  expected: ReadonlyMap<string, HostTensor>,
  path: string,
  given: GivenTolerance,
): OutputReport[] {
  return outputs.map((actual, i) => {
    const name = `out.${i}`;
    const wanted = expected.get(name) ?? (outputs.length === 1 && expected.size === 1 ? [...expected.values()][0] : undefined);
    if (wanted === undefined)
      throw new QfuseError('run/expect', `${path}: has no tensor "${name}"; it has ${[...expected.keys()].join(', ') || 'none'}`);
    const c: Comparison = compareTensors(actual, wanted, {
      atol: given.atol ?? (given.rtol === undefined ? defaultShare * largest(wanted) : 0),
      rtol: given.rtol ?? 0,
    });
    const report = {
      name,
      shape: actual.shape,
      dtype: actual.dtype,
      maxAbsError: c.maxAbsError,
      maxRelError: c.maxRelError,
      withinTolerance: c.withinTolerance,
    };
    return c.problem === '' ? report : { ...report, problem: c.problem };
  });
}

function largest(t: HostTensor): number {
  let size = 0;
  for (const x of t.data) if (Number.isFinite(Number(x))) size = Math.max(size, Math.abs(Number(x)));
  return size;
}
