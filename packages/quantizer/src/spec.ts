import type { DType, Node, Value } from '@qfuse/plugin';
import type { Mapping, ObserverFactory, QParams, SpecGranularity } from './observer.js';

/** The value in operand slot `slot` of `node`, as that node reads it. */
export interface Edge {
  readonly kind: 'edge';
  readonly node: Node;
  /** Operand slots are counted as `node.operands` does: a variadic operand is spread out. */
  readonly slot: number;
}

/** A value as all its readers see it: a result of a node, a graph input or a constant. */
export interface Output {
  readonly kind: 'output';
  readonly value: Value;
}

/** A place of the graph that can be quantized. torch: `EdgeOrNode`. */
export type EdgeOrOutput = Edge | Output;

/**
 * Quantized on a grid of its own. torch: `QuantizationSpec`.
 *
 * A static spec takes scales and zero points from an observer: from calibration data, or for a constant from the constant. A dynamic one
 * computes them from each tensor anew, with `quant.choose_qparams`: at run time, or for a constant when the graph is converted.
 */
export interface QuantizationSpec {
  readonly kind: 'own';
  /** Integers in which codes are stored; the bits that are needed follow from `qmin` and `qmax`. */
  readonly dtype: DType;
  /** Both or neither; default: what `dtype` holds. */
  readonly qmin?: number | undefined;
  readonly qmax?: number | undefined;
  readonly mapping: Mapping;
  readonly granularity: SpecGranularity;
  /** Only for granularity `tensor` and `row`. */
  readonly isDynamic?: boolean | undefined;
  /** Required for a static spec; a dynamic one takes the smallest scale from it. torch: `observer_or_fake_quant_ctr` */
  readonly observer?: ObserverFactory | undefined;
  /** Default i32 for granularity `tensor`, i64 for `axis`, i8 for `row` and `group`: what torch and torchao write. */
  readonly zeroPointDType?: DType | undefined;
}

/** Scale and zero point are known. torch: `FixedQParamsQuantizationSpec`. */
export interface FixedQParamsQuantizationSpec {
  readonly kind: 'fixed';
  readonly dtype: DType;
  readonly scale: number;
  readonly zeroPoint: number;
  readonly qmin?: number | undefined;
  readonly qmax?: number | undefined;
}

/** Quantized as another place is, with one observer for both. torch: `SharedQuantizationSpec`. */
export interface SharedQuantizationSpec {
  readonly kind: 'shared';
  readonly with: EdgeOrOutput;
}

/** Scale and zero point follow from those of other places. torch: `DerivedQuantizationSpec`. */
export interface DerivedQuantizationSpec {
  readonly kind: 'derived';
  readonly from: readonly EdgeOrOutput[];
  /** The parameters from those of `from`, in order, in the shapes of `granularity`. */
  readonly derive: (from: readonly QParams[]) => QParams;
  readonly dtype: DType;
  readonly qmin?: number | undefined;
  readonly qmax?: number | undefined;
  /** `tensor` or `axis`. */
  readonly granularity: SpecGranularity;
}

/** How a place is quantized. */
export type AnySpec = QuantizationSpec | FixedQParamsQuantizationSpec | SharedQuantizationSpec | DerivedQuantizationSpec;

/** Specs for what an operator reads and writes. torch: `QuantizationConfig`. */
export interface QuantizationConfig {
  readonly inputActivation?: QuantizationSpec | undefined;
  readonly outputActivation?: QuantizationSpec | undefined;
  readonly weight?: QuantizationSpec | undefined;
  /** `derived`: in i32 with the product of the scales of input and weight, so that it can be added to integer sums. */
  readonly bias?: QuantizationSpec | 'derived' | undefined;
}

/** The place "what `node` reads as `slot`": an operand name, or the number of the slot. @throws Error for a name that the op does not have */
export const edge = (node: Node, slot: string | number): Edge => ({
  kind: 'edge',
  node,
  slot: typeof slot === 'number' ? slot : node.graph.ids.slot(node.id, slot),
});

/** The place "`value` for all its readers"; of a node its first result. */
export const output = (of: Node | Value): Output => ({ kind: 'output', value: 'op' in of ? of.results[0]! : of });

/** A spec for {@link AnySpec} places that share an observer with `place`. */
export const sharedWith = (place: EdgeOrOutput): SharedQuantizationSpec => ({ kind: 'shared', with: place });

/** The value at a place; undefined for an operand that is absent. */
export const valueAt = (place: EdgeOrOutput): Value | undefined =>
  place.kind === 'output' ? place.value : place.node.operands[place.slot];

/** A text that two places have in common only when they are the same. */
export const placeKey = (place: EdgeOrOutput): string =>
  place.kind === 'output' ? `v${place.value.id}` : `n${place.node.id}.${place.slot}`;
