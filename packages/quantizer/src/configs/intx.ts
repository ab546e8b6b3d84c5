import type { DType } from '@qfuse/plugin';
import { affineMinMaxObserver, placeholderObserver } from '../observers/index.js';
import type { QuantizationConfig, QuantizationSpec } from '../spec.js';
import { bitsToRange, refuse } from './symmetric.js';

/** Options of {@link getIntxQuantizationConfig}; the names in torchao's words. */
export interface IntxOptions {
  /** Bits of the weights, 1 to 8. torchao: `weight_dtype`. Default 4. */
  readonly weightBits?: number | undefined;
  /** Weights that share a scale: a positive number of consecutive input channels (torchao: `PerGroup`), or all of an output channel (`PerAxis(0)`). Default 32. */
  readonly groupSize?: number | 'channel' | undefined;
  /** torchao: `MappingType`. Default `symmetric`. */
  readonly mapping?: 'symmetric' | 'asymmetric' | 'symmetric-no-clipping' | undefined;
  /** Quantizes activations to 8 bits with a scale and zero point for each row, at run time. Default false: they stay float. */
  readonly isDynamic?: boolean | undefined;
}

/** torchao writes zero points in i8. */
const ZERO_POINT: DType = 'i8';

/**
 * Weights of 1 to 8 bits in i8 with a scale for each group of input channels; activations float or dynamic 8-bit per row.
 * torchao: `IntxWeightOnlyConfig` and, with `isDynamic`, `Int8DynamicActivationIntxWeightConfig`.
 * @throws QfuseError `quantizer/config` for options that cannot be
 */
export function getIntxQuantizationConfig(options: IntxOptions = {}): QuantizationConfig {
  const { weightBits = 4, groupSize = 32, mapping = 'symmetric', isDynamic = false } = options;
  if (!Number.isInteger(weightBits) || weightBits < 1 || weightBits > 8) throw refuse(`weightBits is ${weightBits}, expected 1 to 8`);
  if (groupSize !== 'channel' && !(Number.isInteger(groupSize) && groupSize > 0))
    throw refuse(`groupSize is ${groupSize}, expected a positive integer or "channel"`);
  if (!['symmetric', 'asymmetric', 'symmetric-no-clipping'].includes(mapping))
    throw refuse(`mapping is ${JSON.stringify(mapping)}, expected "symmetric", "asymmetric" or "symmetric-no-clipping"`);
  const [qmin, qmax] = bitsToRange(weightBits);
  const weight: QuantizationSpec = {
    kind: 'own',
    dtype: 'i8',
    qmin,
    qmax,
    mapping: mapping === 'asymmetric' ? 'affine' : 'symmetric',
    granularity: groupSize === 'channel' ? { kind: 'axis', axis: 0 } : { kind: 'group', axis: 1, size: groupSize },
    observer: affineMinMaxObserver({ noClippingError: mapping === 'symmetric-no-clipping' }),
    zeroPointDType: ZERO_POINT,
  };
  if (!isDynamic) return { weight };
  const [actQmin, actQmax] = bitsToRange(8);
  const inputActivation: QuantizationSpec = {
    kind: 'own',
    dtype: 'i8',
    qmin: actQmin,
    qmax: actQmax,
    mapping: 'affine',
    granularity: { kind: 'row' },
    isDynamic: true,
    observer: placeholderObserver(),
    zeroPointDType: ZERO_POINT,
  };
  return { weight, inputActivation };
}
