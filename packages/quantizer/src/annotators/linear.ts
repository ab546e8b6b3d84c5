import { aten } from '@qfuse/ops';
import { type Annotator, hasConstantWeight, isOneOf, nodesOf, onlyRelu, parametersOf, weightedInputs } from './annotator.js';

const isLinear = isOneOf(aten.Linear);

/** `linear(x, W, b)` with a weight that is known: input, weight, bias and result. torch: annotator `linear` */
export const annotateLinear: Annotator = (annotations, config, accepts) => {
  for (const node of nodesOf(annotations, isLinear)) {
    if (!hasConstantWeight(node) || !accepts(node) || annotations.isAnnotated(node)) continue;
    annotations.annotate(node, { inputs: weightedInputs(config, node), output: config.outputActivation });
    annotations.mark(...parametersOf(node));
  }
};

/**
 * `relu(linear(x, W, b))` where nothing else reads the linear: the result is quantized behind the relu. As in torch a linear whose weight another
 * pattern has taken is left to {@link annotateLinear}. torch: annotator `linear_relu`
 */
export const annotateLinearRelu: Annotator = (annotations, config, accepts) => {
  for (const node of nodesOf(annotations, isLinear)) {
    const relu = onlyRelu(node);
    if (relu === undefined || !hasConstantWeight(node)) continue;
    const partition = [relu, node, ...parametersOf(node)];
    if (partition.some((one) => annotations.isAnnotated(one)) || !accepts(node) || !accepts(relu)) continue;
    annotations.annotate(node, { inputs: weightedInputs(config, node) });
    annotations.annotate(relu, { output: config.outputActivation });
    annotations.mark(...partition);
  }
};
