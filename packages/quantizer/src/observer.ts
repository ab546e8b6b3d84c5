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
  readonly mapping: Mapping;
  readonly granularity: SpecGranularity;
}

/** Scales (f32) and zero points (i32) in the shape that `quant.quantize` takes for the granularity. */
export interface QParams {
  readonly scale: HostTensor;
  readonly zeroPoint: HostTensor;
}

/** What an observer has seen, as JSON: so that calibration can be split over processes. Numbers that are not finite are strings. */
export type ObserverState = {
  readonly [key: string]: ObserverState | readonly ObserverState[] | number | string | boolean | null | readonly number[];
};

/** Collects what scales and zero points follow from. torch: `ObserverBase`. */
export interface Observer {
  /** Takes one tensor into account. */
  observe(tensor: HostTensor): void;
  /** The parameters for what was seen. @throws QfuseError `quantizer/unobserved` when nothing was seen */
  qparams(): QParams;
  /** What was seen so far. `load(save())` of the factory is an equal observer. */
  save(): ObserverState;
  /** Takes what another observer of the same factory and grid saw into account, as if it came after what this one saw. Associative. */
  merge(other: ObserverState): void;
}

/** Makes observers. torch: `observer_or_fake_quant_ctr`. */
export interface ObserverFactory {
  /** The field's name, e.g. `min-max`, `histogram`. */
  readonly name: string;
  /** @throws QfuseError `quantizer/observer` when the observer has no such granularity or mapping */
  create(grid: Grid): Observer;
}
