import { bindSymbols, type Graph, type HostTensor, QfuseError, type Value } from '@qfuse/plugin';
import type { Batch, RunGraph } from '../calibrate.js';
import { copyGraph } from '../copier.js';
import { Deviation } from './deviation.js';
import { type LayerPair, layerPairs, seen, unquantized, weightBytes } from './layers.js';

/** Bytes of weights. */
export interface WeightBytes {
  /** As floats. */
  readonly before: number;
  /** As packed integers with scales and zero points. */
  readonly after: number;
}

/** How a quantized value differs from the float one. */
export interface ValueReport {
  /** Signal-to-noise ratio in dB, `10 · log10(Σx² / Σ(x - y)²)`; infinite when nothing differs. */
  readonly snr: number;
  /** `Σxy / √(Σx² · Σy²)` */
  readonly cosine: number;
}

/** A layer that was quantized. */
export interface LayerReport extends ValueReport {
  /** The module, else the node of the source program: a pattern that excludes it. */
  readonly name: string;
  readonly op: string;
  /** Signal-to-noise ratio of what it reads, before it is quantized; of several values the lowest. */
  readonly inputSnr: number;
  /** Noise that the layer adds, as a part of the signal's power: `10^(-snr / 10) - 10^(-inputSnr / 10)`. */
  readonly addedNoise: number;
  readonly weightBytes: WeightBytes;
}

/** What quantization did to a program. Pure data. */
export interface QuantizationReport {
  /** Those with the lowest signal-to-noise ratio first. */
  readonly layers: readonly LayerReport[];
  /** The outputs of the program, in order. */
  readonly outputs: readonly ValueReport[];
  /** Of all layers together; a weight that several layers share counts once. */
  readonly weightBytes: WeightBytes;
  /** The layer that adds the most noise and its part of all noise that layers add: what to leave float first. Undefined when none adds any. */
  readonly suggestion: { readonly exclude: string; readonly share: number } | undefined;
}

/**
 * Runs a float program and what `convert` made of it on the same inputs and compares them layer by layer, each with all noise that came before it.
 * @param float - the graph that was prepared
 * @param quantized - the converted graph, before passes fuse it
 * @throws QfuseError `quantizer/report` when the graphs do not belong together; `run/inputs` for a batch that does not fit
 */
export async function compareLayers(
  float: Graph,
  quantized: Graph,
  run: RunGraph,
  batches: Iterable<Batch> | AsyncIterable<Batch>,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<QuantizationReport> {
  const fused = [...quantized.nodes()].find((n) => n.op.name.startsWith('fused.'));
  if (fused !== undefined)
    throw new QfuseError('quantizer/report', `the quantized program has ${fused.op.name}, expected a program that is not fused yet`, {
      help: 'compare what convert returns, then run the passes',
    });
  if (float.outputs.length !== quantized.outputs.length)
    throw new QfuseError('quantizer/report', `the programs have ${float.outputs.length} and ${quantized.outputs.length} outputs`);
  const comparison = new Comparison(float, quantized);
  for await (const inputs of batches) {
    signal?.throwIfAborted();
    bindSymbols(float, inputs);
    await comparison.add(run, inputs);
  }
  return comparison.report();
}

/** Two values that are compared. */
interface Pair {
  readonly float: Value;
  readonly quantized: Value;
  readonly deviation: Deviation;
}

class Comparison {
  readonly #layers: readonly { readonly layer: LayerPair; readonly result: Pair; readonly inputs: readonly Pair[] }[];
  readonly #outputs: readonly Pair[];
  readonly #pairs: readonly Pair[];
  readonly #graphs: readonly [Graph, Graph];

  constructor(float: Graph, quantized: Graph) {
    const known = new Map<Value, Map<Value, Pair>>();
    const pair = (a: Value, b: Value): Pair => {
      const row = known.get(a) ?? new Map<Value, Pair>();
      known.set(a, row);
      const made = row.get(b) ?? { float: a, quantized: b, deviation: new Deviation() };
      row.set(b, made);
      return made;
    };
    this.#layers = layerPairs(float, quantized).map((layer) => ({
      layer,
      result: pair(layer.float.result, seen(layer.quantized.result)),
      inputs: layer.float.operands.flatMap((v, slot) => {
        const q = layer.quantized.operands[slot];
        return v?.producer === undefined || q === undefined ? [] : [pair(v, unquantized(q))];
      }),
    }));
    this.#outputs = float.outputs.map((v, i) => pair(v, quantized.outputs[i]!));
    this.#pairs = [...known.values()].flatMap((row) => [...row.values()]);
    this.#graphs = [
      copyGraph(
        float,
        this.#pairs.map((p) => p.float),
      ),
      copyGraph(
        quantized,
        this.#pairs.map((p) => p.quantized),
      ),
    ];
  }

  async add(run: RunGraph, inputs: Batch): Promise<void> {
    const [expected, actual] = [await run(this.#graphs[0], inputs), await run(this.#graphs[1], inputs)];
    const at = (tensors: readonly HostTensor[], i: number): HostTensor => tensors[tensors.length - this.#pairs.length + i]!;
    this.#pairs.forEach(({ deviation }, i) => deviation.add(at(expected, i), at(actual, i)));
  }

  report(): QuantizationReport {
    const weights = new Map<unknown, WeightBytes>();
    const layers = this.#layers.map(({ layer, result, inputs }): LayerReport => {
      const bytes = weightBytes(layer);
      for (const { key, before, after } of bytes) weights.set(key, { before, after });
      const { deviation } = result;
      const inputNoise = Math.max(0, ...inputs.map((p) => p.deviation.noise));
      return {
        name: layer.name,
        op: layer.quantized.op.name,
        snr: deviation.snr,
        cosine: deviation.cosine,
        inputSnr: inputNoise === 0 ? Infinity : -10 * Math.log10(inputNoise),
        addedNoise: deviation.noise - inputNoise,
        weightBytes: sum(bytes),
      };
    });
    const outputs = this.#outputs.map(({ deviation }) => ({ snr: deviation.snr, cosine: deviation.cosine }));
    return {
      layers: layers.toSorted((a, b) => a.snr - b.snr),
      outputs,
      weightBytes: sum([...weights.values()]),
      suggestion: suggestion(layers),
    };
  }
}

const sum = (bytes: readonly WeightBytes[]): WeightBytes => ({
  before: bytes.reduce((n, b) => n + b.before, 0),
  after: bytes.reduce((n, b) => n + b.after, 0),
});

function suggestion(layers: readonly LayerReport[]): QuantizationReport['suggestion'] {
  const adding = layers.filter((l) => l.addedNoise > 0);
  const all = adding.reduce((n, l) => n + l.addedNoise, 0);
  const [worst] = adding.toSorted((a, b) => b.addedNoise - a.addedNoise);
  return worst === undefined ? undefined : { exclude: worst.name, share: Number.isFinite(all) ? worst.addedNoise / all : 1 };
}
