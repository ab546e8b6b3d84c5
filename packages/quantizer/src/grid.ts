import type { DType } from '@qfuse/plugin';
import type { Grid } from './observer.js';
import { quantRange } from './observers/range.js';
import type { AnySpec, DerivedQuantizationSpec, FixedQParamsQuantizationSpec, QuantizationSpec, SharedQuantizationSpec } from './spec.js';

/** A spec that says itself how a place is quantized. */
export type RootSpec = Exclude<AnySpec, SharedQuantizationSpec>;

/** The grid of a spec. @throws QfuseError `quantizer/range` as {@link quantRange} */
export const gridOf = (spec: RootSpec): Grid => ({
  ...quantRange(spec.dtype, spec),
  mapping: spec.kind === 'own' ? spec.mapping : 'affine',
  granularity: granularityOf(spec),
});

/** The granularity of a spec. */
export const granularityOf = (spec: RootSpec): QuantizationSpec['granularity'] =>
  spec.kind === 'fixed' ? { kind: 'tensor' } : spec.granularity;

/** The dtype that zero points of a spec are written in: what torch and torchao write, unless the spec says otherwise. */
export function zeroPointDTypeOf(spec: RootSpec): DType {
  const given = spec.kind === 'own' ? spec.zeroPointDType : undefined;
  const { kind } = granularityOf(spec);
  return given ?? (kind === 'tensor' ? 'i32' : kind === 'axis' ? 'i64' : 'i8');
}

/** Whether two specs mean one grid: places of one value that have it share an observer. Which observer they name does not matter, as in torch. */
export function sameSpec(a: RootSpec, b: RootSpec): boolean {
  if (a === b) return true;
  if (a.dtype !== b.dtype || a.qmin !== b.qmin || a.qmax !== b.qmax) return false;
  if (a.kind === 'fixed' && b.kind === 'fixed') return sameFixed(a, b);
  return a.kind === 'own' && b.kind === 'own' && sameOwn(a, b);
}

const sameFixed = (a: FixedQParamsQuantizationSpec, b: FixedQParamsQuantizationSpec): boolean =>
  a.scale === b.scale && a.zeroPoint === b.zeroPoint;

const sameOwn = (a: QuantizationSpec, b: QuantizationSpec): boolean =>
  a.mapping === b.mapping && (a.isDynamic ?? false) === (b.isDynamic ?? false) && sameGranularity(a.granularity, b.granularity);

/** Whether two granularities are the same. */
function sameGranularity(a: DerivedQuantizationSpec['granularity'], b: DerivedQuantizationSpec['granularity']): boolean {
  if (a.kind !== b.kind) return false;
  if (a.kind === 'axis') return a.axis === (b as typeof a).axis;
  return a.kind !== 'group' || (a.axis === (b as typeof a).axis && a.size === (b as typeof a).size);
}
