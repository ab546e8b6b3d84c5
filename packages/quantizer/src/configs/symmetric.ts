import { QfuseError } from '@qfuse/plugin';
import type { ObserverFactory, SpecGranularity } from '../observer.js';
import {
  affineMinMaxObserver,
  histogramObserver,
  minMaxObserver,
  perChannelMinMaxObserver,
  placeholderObserver,
} from '../observers/index.js';
import type { QuantizationConfig, QuantizationSpec } from '../spec.js';

/** Options of {@link getSymmetricQuantizationConfig}. Bounds that are not given follow from the bits. */
export interface SymmetricOptions {
  /** Computes scales of activations at run time. Default false: activations stay float. */
  readonly isDynamic?: boolean | undefined;
  /** Takes scales of activations, results included, from calibration data. Default false. */
  readonly isStatic?: boolean | undefined;
  /** Default 8. */
  readonly weightBits?: 4 | 8 | undefined;
  /** Default 8. */
  readonly actBits?: 8 | undefined;
  readonly actQmin?: number | undefined;
  readonly actQmax?: number | undefined;
  readonly weightQmin?: number | undefined;
  readonly weightQmax?: number | undefined;
  /** Which weights share a scale. Default `channel`: those of an output channel. */
  readonly granularity?: 'tensor' | 'channel' | 'group' | undefined;
  /** Input channels of a group, for granularity `group`. Default 32. */
  readonly groupSize?: number | undefined;
  /** The smallest scale of weights and activations. Default 2^-23. */
  readonly eps?: number | undefined;
}

/** `[-2^(bits - 1), 2^(bits - 1) - 1]`. */
export const bitsToRange = (bits: number): readonly [qmin: number, qmax: number] => [-(2 ** (bits - 1)), 2 ** (bits - 1) - 1];

/**
 * Symmetric weights of 4 or 8 bits in i8, with a scale for each output channel, the whole tensor, or each group of input channels; activations
 * float, or 8-bit integers whose scale for the whole tensor is computed at run time or taken from calibration.
 * ExecuTorch's Vulkan backend: `get_symmetric_quantization_config`, which has neither static activations nor other granularities.
 * @throws QfuseError `quantizer/config` for bits that are not there, or activations both dynamic and static
 */
export function getSymmetricQuantizationConfig(options: SymmetricOptions = {}): QuantizationConfig {
  const { isDynamic = false, isStatic = false, weightBits = 8, actBits = 8, eps } = options;
  if (weightBits !== 4 && weightBits !== 8) throw refuse(`weightBits is ${String(weightBits)}, expected 4 or 8`);
  if (actBits !== 8) throw refuse(`actBits is ${String(actBits)}, expected 8`);
  if (isDynamic && isStatic) throw refuse('activations are asked for both dynamic and static');
  const { kind, observer } = weightScales(options);
  const [low, high] = bitsToRange(weightBits);
  const weight: QuantizationSpec = {
    kind: 'own',
    dtype: 'i8',
    qmin: options.weightQmin ?? low,
    qmax: options.weightQmax ?? high,
    mapping: 'symmetric',
    granularity: kind,
    observer,
  };
  if (!isDynamic && !isStatic) return { weight };
  const [actLow, actHigh] = bitsToRange(actBits);
  const activation: QuantizationSpec = {
    kind: 'own',
    dtype: 'i8',
    qmin: options.actQmin ?? actLow,
    qmax: options.actQmax ?? actHigh,
    mapping: 'affine',
    granularity: { kind: 'tensor' },
    isDynamic,
    observer: isDynamic ? placeholderObserver({ eps }) : histogramObserver({ eps }),
  };
  return { weight, inputActivation: activation, outputActivation: isStatic ? activation : undefined };
}

function weightScales({ granularity = 'channel', groupSize = 32, eps }: SymmetricOptions): {
  readonly kind: SpecGranularity;
  readonly observer: ObserverFactory;
} {
  if (granularity === 'tensor') return { kind: { kind: 'tensor' }, observer: minMaxObserver({ eps }) };
  if (granularity === 'channel') return { kind: { kind: 'axis', axis: 0 }, observer: perChannelMinMaxObserver({ eps }) };
  if (granularity !== 'group') throw refuse(`granularity is ${JSON.stringify(granularity)}, expected "tensor", "channel" or "group"`);
  if (!Number.isInteger(groupSize) || groupSize < 1) throw refuse(`groupSize is ${groupSize}, expected a positive integer`);
  return { kind: { kind: 'group', axis: 1, size: groupSize }, observer: affineMinMaxObserver({ eps: eps ?? 2 ** -23 }) };
}

/** The error of an option that cannot be. */
export const refuse = (why: string): QfuseError => new QfuseError('quantizer/config', why);
