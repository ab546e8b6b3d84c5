import { aten } from '@qfuse/ops';
import { constantOf, type Editor, type Node, scalarNumber, tensorOf } from '@qfuse/plugin';
import { annotateAdd, annotateAddRelu, annotateMul, annotateMulRelu } from '../annotators/binary.js';
import { annotateConv, annotateConvRelu, annotateConvTranspose, annotateConvTransposeRelu } from '../annotators/conv.js';
import { annotateLinear, annotateLinearRelu } from '../annotators/linear.js';
import { annotateAdaptiveAvgPool2d, annotateCat, propagateAnnotation } from '../annotators/sharing-ops.js';
import { defineQuantizer, type Quantizer } from '../quantizer.js';
import { annotateScopes, type QuantizationScopes, type ScopedAnnotator } from './scoped.js';

/** In the order of torch, which decides what an operator in two patterns belongs to. torch: `SUPPORTED_PATTERNS` */
const annotators: readonly ScopedAnnotator[] = [
  { type: 'linear', annotate: annotateLinearRelu, dynamic: false },
  { type: 'linear', annotate: annotateLinear, dynamic: true },
  { type: 'conv', annotate: annotateConv, dynamic: true },
  { type: 'conv-transpose', annotate: annotateConvTranspose, dynamic: true },
  { type: 'conv', annotate: annotateConvRelu, dynamic: false },
  { type: 'conv-transpose', annotate: annotateConvTransposeRelu, dynamic: false },
  { type: 'adaptive-avg-pool2d', annotate: annotateAdaptiveAvgPool2d, dynamic: false },
  { type: 'add', annotate: annotateAddRelu, dynamic: false },
  { type: 'add', annotate: annotateAdd, dynamic: false },
  { type: 'mul', annotate: annotateMulRelu, dynamic: false },
  { type: 'mul', annotate: annotateMul, dynamic: false },
  { type: 'cat', annotate: annotateCat, dynamic: false },
];

/**
 * Linears, convolutions, sums, products, pools and joins with 8-bit inputs and results, the configs of `getXNNPACKQuantizationConfig`.
 * Batch norms must be folded into what is before them. ExecuTorch: `XNNPACKQuantizer`
 */
export const xnnpackQuantizer = (scopes: QuantizationScopes): Quantizer =>
  defineQuantizer({
    name: 'xnnpack',
    transformForAnnotation: (edit) => scalarsToTensors(edit),
    annotate: (annotations) => {
      annotateScopes(annotations, scopes, annotators);
      propagateAnnotation(annotations);
    },
  });

/**
 * `x + 2.0` ⇒ `x + tensor(2.0)`, and so for products: a tensor can be quantized. Integers stay integers. torch: `_convert_scalars_to_attrs`, which makes
 * floats of those too
 */
function scalarsToTensors(edit: Editor): void {
  const { graph } = edit;
  for (const node of graph.nodes()) {
    const sum = node.op === aten.AddScalar;
    if ((!sum && node.op !== aten.MulScalar) || node.operands[0]!.type.dtype !== 'f32' || node.result.type.dtype !== 'f32') continue;
    const { self, number } = { self: node.operands[0]!, number: scalarNumber((node as Node<typeof aten.MulScalar>).attrs.other) };
    const other = edit.constant(constantOf(tensorOf('f32', [], [number]), 'a number of the program'), '_tensor_constant');
    const options = { before: node, origin: node.origin, types: [node.result.type] };
    const made = sum
      ? edit.create(aten.AddTensor, { self, other }, { alpha: (node as Node<typeof aten.AddScalar>).attrs.alpha }, options)
      : edit.create(aten.MulTensor, { self, other }, {}, options);
    edit.replace(node, [made.result]);
  }
}
