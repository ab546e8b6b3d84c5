import { bindSymbols, countOf, type Dim, type Graph, type HostTensor, hostTensor, QfuseError, typeText, type Value } from '@qfuse/ir';
import { pickInputs } from './tensors.js';

/** Calibration data as inputs of runs. */
export interface Batches {
  /** Inputs of each run, one tensor for each graph input. */
  readonly list: readonly (readonly HostTensor[])[];
  /** Rows of the file that do not fill a run, and are left out. */
  readonly left: number;
}

/** The rows that a run takes of one input: how many there are, and how many at a time. */
interface Rows {
  readonly count: number;
  readonly atATime: number;
}

/**
 * Splits tensors along their first axis into inputs of runs: as many rows as the model takes, or `size` where it takes any number. A
 * tensor that has just the shape of its input is read in every run.
 * @param path - for messages
 * @throws QfuseError `run/inputs` for a tensor that is missing or does not fit, `quantize/batches` when inputs have different numbers of rows
 */
export function splitBatches(graph: Graph, tensors: ReadonlyMap<string, HostTensor>, size: number, path: string): Batches {
  const inputs = pickInputs(graph, tensors, path);
  const rows = graph.inputs.map((input, i) => rowsOf(graph, input, inputs[i]!, size, path));
  const split = rows.flatMap((r, i) => (r === undefined ? [] : [{ ...r, name: graph.inputs[i]!.name! }]));
  const runs = split.map(({ count, atATime }) => Math.ceil(count / atATime));
  const other = split.findIndex(
    ({ count, atATime }, i) => runs[i] !== runs[0] || (atATime === split[0]!.atATime && count !== split[0]!.count),
  );
  if (other > 0) {
    const of = (i: number): string => `${split[i]!.count} rows for ${runs[i]} runs`;
    throw new QfuseError('quantize/batches', `${path}: "${split[0]!.name}" has ${of(0)}, "${split[other]!.name}" ${of(other)}`, {
      help: 'give all inputs equally many rows, or exactly the shape of the input',
    });
  }
  const list = Array.from({ length: runs[0] ?? 1 }, (_, run) =>
    inputs.map((tensor, i) => (rows[i] === undefined ? tensor : rowsFrom(tensor, run * rows[i].atATime, rows[i].atATime))),
  );
  const last = list.at(-1)!;
  if (list.length > 1 && !fits(graph, last))
    return { list: list.slice(0, -1), left: last.find((_, i) => rows[i] !== undefined)!.shape[0]! };
  return { list, left: 0 };
}

/** Undefined for a tensor that is read whole. */
function rowsOf(graph: Graph, input: Value, tensor: HostTensor, size: number, path: string): Rows | undefined {
  const [first, ...rest] = input.type.shape;
  if (tensor.dtype !== input.type.dtype)
    throw new QfuseError('run/inputs', `${path}: the tensor for "${input.name}" is ${tensor.dtype}, expected ${typeText(input.type)}`, {
      help: `convert the data to ${input.type.dtype} first`,
    });
  const refuse = (): never => {
    throw new QfuseError(
      'run/inputs',
      `${path}: the tensor for "${input.name}" has shape [${tensor.shape.join(', ')}], expected ${typeText(input.type)}`,
      {
        help: 'or that shape with more rows along the first axis, which are split into runs',
      },
    );
  };
  if (first === undefined) return tensor.shape.length === 0 ? undefined : refuse();
  if (tensor.shape.length !== input.type.shape.length || !rest.every((d, i) => typeof d !== 'number' || d === tensor.shape[i + 1]))
    return refuse();
  const count = tensor.shape[0]!;
  if (count === 0 && first !== 0)
    throw new QfuseError('run/inputs', `${path}: the tensor for "${input.name}" has no rows`, { help: 'give some typical inputs' });
  if (typeof first === 'number') return count === first ? undefined : count > first && first > 0 ? { count, atATime: first } : refuse();
  return { count, atATime: Math.max(1, Math.min(size, largest(graph, first), count)) };
}

const largest = (graph: Graph, dim: Dim): number => graph.env.range(dim)[1];

function rowsFrom({ dtype, shape, data }: HostTensor, start: number, count: number): HostTensor {
  const [rows, ...rest] = shape as [number, ...number[]];
  const width = countOf(rest);
  const end = Math.min(rows, start + count);
  return hostTensor(dtype, [end - start, ...rest], data.slice(start * width, end * width) as HostTensor['data']);
}

function fits(graph: Graph, inputs: readonly HostTensor[]): boolean {
  try {
    bindSymbols(graph, inputs);
    return true;
  } catch (error) {
    if (error instanceof QfuseError) return false;
    throw error;
  }
}
