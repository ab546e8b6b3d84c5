import { type Graph, madeOrigin, type Node, type Value } from '@qfuse/plugin';
import { Copier } from './copier.js';
import { Emitter } from './emit.js';
import { atPlace, type ObserverGroup, type PreparedModel } from './prepare.js';
import { GroupParameters } from './qparams.js';
import { edge, type EdgeOrOutput, output } from './spec.js';

/**
 * Writes quantize and dequantize nodes where a prepared model is annotated. torch: `convert_pt2e`.
 *
 * A value with an output spec is quantized and dequantized right behind where it is computed, and all readers, the graph's outputs too, see the
 * result. An operand with a spec of its own is quantized where it is read, once for all readers that share the observer. Constants become
 * integers with a dequantize; a dynamic activation gets `quant.choose_qparams` as well. Attributes, dtypes and shapes are those with which
 * `quantized_decomposed` and torchao operators are imported, so that passes see the same whoever quantized.
 * @returns a new graph; the prepared model can be converted again after more calibration
 * @throws QfuseError `quantizer/not-calibrated` when data are needed and none were seen, `quantizer/unobserved` when they never reached a place,
 * `quantizer/nan` for a constant that has NaN
 */
export function convert(prepared: PreparedModel): Graph {
  return new Converter(prepared).run();
}

class Converter {
  readonly #prepared: PreparedModel;
  readonly #parameters: GroupParameters;
  readonly #copier: Copier;
  readonly #emit: Emitter;
  /** What readers of a value see: itself, or behind the quantization of its output. */
  readonly #outputs = new Map<Value, Value>();
  /** What the edges of a group see of a value. */
  readonly #edges = new Map<ObserverGroup, Map<Value, Value>>();

  constructor(prepared: PreparedModel) {
    this.#prepared = prepared;
    this.#parameters = new GroupParameters(prepared);
    this.#copier = new Copier(prepared.graph);
    this.#emit = new Emitter(this.#copier.edit);
  }

  run(): Graph {
    const { graph } = this.#prepared;
    for (const node of graph.nodes()) {
      const { edit } = this.#copier;
      edit.origin = madeOrigin('quantize', [node.origin]);
      this.#copier.node(
        node,
        node.operands.map((v, slot) => (v === undefined ? undefined : this.#operand(node, slot, v))),
      );
      edit.origin = madeOrigin('quantize', [node.origin]);
      for (const result of node.results) this.#seen(result);
    }
    return this.#copier.finish((v) => this.#seen(v));
  }

  /** What all readers of a value see. */
  #seen(value: Value): Value {
    let seen = this.#outputs.get(value);
    if (seen === undefined) {
      const place = output(value);
      const group = this.#prepared.groupAt(place);
      seen = group === undefined ? this.#copier.copyOf(value) : this.#quantized(place, group, value, () => this.#copier.copyOf(value));
      this.#outputs.set(value, seen);
    }
    return seen;
  }

  #operand(node: Node, slot: number, value: Value): Value {
    const place = edge(node, slot);
    const group = this.#prepared.groupAt(place);
    const produced = this.#prepared.groupAt(output(value));
    if (group === undefined || group === produced) return this.#seen(value);
    let known = this.#edges.get(group);
    if (known === undefined) this.#edges.set(group, (known = new Map()));
    let read = known.get(value);
    if (read === undefined)
      known.set(value, (read = this.#quantized(place, group, value, () => this.#seen(value), produced === undefined)));
    return read;
  }

  /** @param source - whether the value is read as it was computed, so that a constant can be folded without its copy */
  #quantized(place: EdgeOrOutput, group: ObserverGroup, value: Value, copy: () => Value, source = true): Value {
    const parameters = this.#parameters.of(group);
    const folds = source && parameters !== undefined && value.constant !== undefined;
    return atPlace(place, () => this.#emit.quantizeDequantize(folds ? value : copy(), group.spec, parameters));
  }
}
