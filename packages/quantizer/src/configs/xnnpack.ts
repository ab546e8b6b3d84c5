import { histogramObserver, minMaxObserver, perChannelMinMaxObserver, placeholderObserver } from '../observers/index.js';
import type { QuantizationConfig, QuantizationSpec } from '../spec.js';

/** Options of {@link getXNNPACKQuantizationConfig}. */
export interface XNNPACKOptions {
  /** One scale for each output channel of a weight, not for the whole weight. Default false, as in XNNPACK's quantizer. */
  readonly isPerChannel?: boolean | undefined;
  /** Computes scales of activations at run time. Default false: they come from calibration data. */
  readonly isDynamic?: boolean | undefined;
  /** Default -128. */
  readonly actQmin?: number | undefined;
  /** Default 127. */
  readonly actQmax?: number | undefined;
  /** Default -127. */
  readonly weightQmin?: number | undefined;
  /** Default 127. */
  readonly weightQmax?: number | undefined;
}

/** The smallest scale that XNNPACK takes. */
const EPS = 2 ** -12;

/**
 * 8-bit activations with one scale and zero point for the tensor, from histograms of calibration data (or dynamic), and symmetric 8-bit weights in
 * [-127, 127]. ExecuTorch's XNNPACK backend: `get_symmetric_quantization_config`.
 */
export function getXNNPACKQuantizationConfig(options: XNNPACKOptions = {}): QuantizationConfig {
  const { isPerChannel = false, isDynamic = false, actQmin = -128, actQmax = 127, weightQmin = -127, weightQmax = 127 } = options;
  const activation: QuantizationSpec = {
    kind: 'own',
    dtype: 'i8',
    qmin: actQmin,
    qmax: actQmax,
    mapping: 'affine',
    granularity: { kind: 'tensor' },
    isDynamic,
    observer: isDynamic ? placeholderObserver({ eps: EPS }) : histogramObserver({ eps: EPS }),
  };
  const weight: QuantizationSpec = {
    kind: 'own',
    dtype: 'i8',
    qmin: weightQmin,
    qmax: weightQmax,
    mapping: 'symmetric',
    granularity: isPerChannel ? { kind: 'axis', axis: 0 } : { kind: 'tensor' },
    observer: isPerChannel ? perChannelMinMaxObserver({ eps: EPS }) : minMaxObserver({ eps: EPS }),
  };
  return { inputActivation: activation, outputActivation: isDynamic ? undefined : activation, weight };
}
