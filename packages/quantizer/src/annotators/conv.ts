import { aten } from '@qfuse/ops';
import type { Node } from '@qfuse/plugin';
import type { Annotations } from '../annotation.js';
import type { QuantizationConfig } from '../spec.js';
import { type Annotator, hasConstantWeight, isOneOf, nodesOf, onlyRelu, parametersOf, weightedInputs } from './annotator.js';

const isForward = isOneOf(aten.Conv1d, aten.Conv1dPadding, aten.Conv2d, aten.Conv2dPadding, aten.Conv3d, aten.Conv3dPadding);
const isTransposed = isOneOf(aten.ConvTranspose1d, aten.ConvTranspose2dInput, aten.ConvTranspose3dInput);
const isCore = isOneOf(aten.Convolution);

const isConvolution = (transposed: boolean) => (node: Node) =>
  isCore(node) ? node.attrs['transposed'] === transposed : (transposed ? isTransposed : isForward)(node);

/** Inputs of a convolution; output channels of a transposed weight lie along axis 1. */
function inputsOf(config: QuantizationConfig, node: Node, transposed: boolean): ReturnType<typeof weightedInputs> {
  const { weight } = config;
  if (!transposed || weight?.granularity.kind !== 'axis') return weightedInputs(config, node);
  return weightedInputs({ ...config, weight: { ...weight, granularity: { kind: 'axis', axis: 1 } } }, node);
}

/** What XNNPACK has no kernels for: grouped transposed convolutions, and dynamic ones that are not 2-d or are depthwise. */
function isRefused(node: Node, config: QuantizationConfig, transposed: boolean): boolean {
  if (transposed && node.attrs['groups'] !== 1) return true;
  const { shape } = node.operand('weight').type;
  return config.inputActivation?.isDynamic === true && (shape.length !== 4 || (!transposed && shape[1] === 1));
}

/** Whether the convolution and its parameters are free. As in torch a second convolution with the same weight is not annotated. */
const isFree = (annotations: Annotations, node: Node): boolean =>
  ![node, ...parametersOf(node)].some((one) => annotations.isAnnotated(one));

const convolutions =
  (transposed: boolean): Annotator =>
  (annotations, config, accepts) => {
    for (const node of nodesOf(annotations, isConvolution(transposed))) {
      if (!hasConstantWeight(node) || onlyRelu(node) !== undefined || isRefused(node, config, transposed)) continue;
      if (!isFree(annotations, node) || !accepts(node)) continue;
      annotations.annotate(node, { inputs: inputsOf(config, node, transposed), output: config.outputActivation });
      annotations.mark(...parametersOf(node));
    }
  };

const convolutionsWithRelu =
  (transposed: boolean): Annotator =>
  (annotations, config, accepts) => {
    for (const node of nodesOf(annotations, isConvolution(transposed))) {
      const relu = onlyRelu(node);
      if (relu === undefined || !hasConstantWeight(node) || (transposed && node.attrs['groups'] !== 1)) continue;
      if (!isFree(annotations, node) || annotations.isAnnotated(relu) || !accepts(node) || !accepts(relu)) continue;
      annotations.annotate(node, { inputs: inputsOf(config, node, transposed) });
      annotations.annotate(relu, { output: config.outputActivation });
      annotations.mark(...parametersOf(node));
    }
  };

/** Convolutions over 1 to 3 axes that no relu reads alone. torch: annotator `conv` */
export const annotateConv: Annotator = convolutions(false);
/** Transposed convolutions that no relu reads alone. torch: annotator `conv_transpose` */
export const annotateConvTranspose: Annotator = convolutions(true);
/** `relu(conv(x, W, b))` where nothing else reads the convolution. torch: annotator `conv_relu` */
export const annotateConvRelu: Annotator = convolutionsWithRelu(false);
/** `relu(conv_transpose(x, W, b))` where nothing else reads the convolution. torch: annotator `conv_transpose_relu` */
export const annotateConvTransposeRelu: Annotator = convolutionsWithRelu(true);
