import { bindSymbols, type Graph, type HostTensor, QfuseError, tensorFrom, type Value } from '@qfuse/plugin';
import type { Observer } from './observer.js';
import type { PreparedModel } from './prepare.js';
import { describeValue } from './sharing.js';

/** Runs a graph, e.g. in the interpreter or on a WebGPU device. */
export type RunGraph = (graph: Graph, inputs: readonly HostTensor[]) => readonly HostTensor[] | Promise<readonly HostTensor[]>;

/** Inputs of one run, one tensor for each graph input. */
export type Batch = readonly HostTensor[];

/** Options of {@link calibrate}. */
export interface CalibrateOptions {
  /** Told after each batch how many were seen. */
  readonly onProgress?: ((batches: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the observed program on batches and shows the values to the observers. Can be called again with further batches; it is not called at all
 * for a prepared model that needs no data.
 * @throws QfuseError `run/inputs` or `ir/dim-range` for a batch that does not fit, `quantizer/nan` for a value with NaN or infinities, both naming the
 * batch; what `run` and the observers throw
 */
export async function calibrate(
  prepared: PreparedModel,
  run: RunGraph,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  { onProgress, signal }: CalibrateOptions = {},
): Promise<void> {
  const { graph, observedGraph, watched } = prepared;
  for await (const inputs of batches) {
    signal?.throwIfAborted();
    inBatch(prepared.batches, () => bindSymbols(graph, inputs));
    const outputs = await run(observedGraph, inputs);
    const expected = graph.outputs.length + watched.length;
    if (outputs.length !== expected)
      throw new Error(`the run returned ${outputs.length} tensors, the observed graph has ${expected} outputs`);
    const tensors = new Map<Value, HostTensor>(graph.inputs.map((v, i) => [v, inputs[i]!]));
    watched.forEach((v, i) => tensors.set(v, outputs[graph.outputs.length + i]!));
    inBatch(prepared.batches, () => {
      for (const { values, observer } of prepared.groups)
        if (observer !== undefined)
          for (const v of values) observe(observer, v, tensors.get(v) ?? tensorFrom(prepared.graph.graphConstant(v)!.constant));
    });
    prepared.batches++;
    onProgress?.(prepared.batches);
  }
}

/** Shows a tensor to an observer. @throws QfuseError `quantizer/nan` naming the value when it has NaN or infinities */
export function observe(observer: Observer, value: Value, tensor: HostTensor): void {
  const bad = firstNotFinite(tensor);
  if (bad !== undefined)
    throw new QfuseError('quantizer/nan', `${describeValue(value)} has ${bad[1]} at element ${bad[0]}, expected finite numbers`, {
      help: 'look for where it comes from in the float program, or exclude what reads it from quantization',
    });
  observer.observe(tensor);
}

function firstNotFinite({ data }: HostTensor): readonly [index: number, value: number] | undefined {
  for (let i = 0; i < data.length; i++) {
    const x = Number(data[i]);
    if (!Number.isFinite(x)) return [i, x];
  }
  return undefined;
}

function inBatch(batch: number, body: () => void): void {
  try {
    body();
  } catch (cause) {
    if (!(cause instanceof QfuseError)) throw cause;
    throw new QfuseError(cause.code, `batch ${batch}: ${cause.message}`, { cause, help: cause.help });
  }
}
