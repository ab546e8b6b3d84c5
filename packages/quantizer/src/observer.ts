import type { DType, HostTensor } from '@qfuse/plugin';

/** How numbers map to integers: `affine` with a zero point, `symmetric` around 0. torch: `per_tensor_affine`, `per_channel_symmetric`, … */
export type Mapping = 'affine' | 'symmetric';

/** Which elements share a scale; see `quant.quantize`. */
export type SpecGranularity =
  | { readonly kind: 'tensor' }
  | { readonly kind: 'axis'; readonly axis: number }
  | { readonly kind: 'group'; readonly axis: number; readonly size: number }
  | { readonly kind: 'row' };

/** The grid that an observer looks for parameters of. */
export interface Grid {
  /** Integers in which codes are stored. */
  readonly dtype: DType;
  readonly qmin: number;
  readonly qmax: number;
  /**
   * Whether `qmin` and `qmax` were asked for, rather than being all that the dtype holds. The zero point of a symmetric u8 grid
   * is `floor((qmin + qmax) / 2)` then, 128 otherwise. Default true. torch: `has_customized_qrange`.
   */
  readonly customRange?: boolean | undefined;
  readonly mapping: Mapping;
  readonly granularity: SpecGranularity;
}

/**
 * Scales and zero points (i32) in the shape that `quant.quantize` takes for the granularity. Scales are f32; observers of
 * torchao's affine family give f16 and bf16 tensors scales of their own dtype.
 */
export interface QParams {
  readonly scale: HostTensor;
  readonly zeroPoint: HostTensor;
}

/** What an observer has seen, as JSON: so that calibration can be split over processes. Numbers that are not finite are strings. */
export type ObserverState = {
  readonly [key: string]: ObserverState | readonly ObserverState[] | number | string | boolean | null | readonly (number | string)[];
};

/** Collects what scales and zero points follow from. torch: `ObserverBase`. */
export interface Observer {
  /** Takes one tensor into account. */
  observe(tensor: HostTensor): void;
  /** The parameters for what was seen. @throws QfuseError `quantizer/unobserved` when nothing was seen */
  qparams(): QParams;
  /** What was seen so far. An observer without observations that merges it is an equal observer. */
  save(): ObserverState;
  /** Takes what another observer of the same factory and grid saw into account, as if it came after what this one saw. Associative. */
  merge(other: ObserverState): void;
}

/** Makes observers. torch: `observer_or_fake_quant_ctr`. */
export interface ObserverFactory {
  /** The field's name, e.g. `min-max`, `histogram`. */
  readonly name: string;
  /** The smallest scale, where the caller gave one: quantization at run time needs it too. */
  readonly eps?: number | undefined;
  /** @throws QfuseError `quantizer/observer` when the observer has no such granularity or mapping */
  create(grid: Grid): Observer;
}
