import { aten } from '@qfuse/ops';
import { type AnyOp, tensorFrom, type Value } from '@qfuse/plugin';
import { type Annotator, isOneOf, nodesOf, onlyRelu } from './annotator.js';

/** Numbers up to which `torch.histc`, and so a histogram observer, works. */
const LARGEST = 3.4028235e15;

/** Integers stay integers, and a constant number that histograms cannot hold stays as it is. */
const isQuantizable = (value: Value): boolean =>
  value.type.dtype === 'f32' && !(value.constant !== undefined && value.type.shape.every((d) => d === 1) && isLarge(value));

const isLarge = (value: Value): boolean => Math.abs(Number(tensorFrom(value.constant!).data[0])) > LARGEST;

const binary =
  (op: AnyOp, withRelu: boolean): Annotator =>
  (annotations, { inputActivation, outputActivation }, accepts) => {
    for (const node of nodesOf(annotations, isOneOf(op))) {
      const relu = withRelu ? onlyRelu(node) : undefined;
      if ((withRelu && relu === undefined) || annotations.isAnnotated(node)) continue;
      if (!accepts(node) || (relu !== undefined && (annotations.isAnnotated(relu) || !accepts(relu)))) continue;
      const operands = [node.operand('self'), node.operand('other')];
      if (!operands.every(isQuantizable)) continue;
      annotations.annotate(node, {
        inputs: { self: inputActivation, other: inputActivation },
        output: relu === undefined ? outputActivation : undefined,
      });
      if (relu !== undefined) annotations.annotate(relu, { output: outputActivation });
    }
  };

/** Sums of two f32 tensors. torch: annotator `add` */
export const annotateAdd: Annotator = binary(aten.AddTensor, false);
/** `relu(a + b)` where nothing else reads the sum. torch: annotator `add_relu` */
export const annotateAddRelu: Annotator = binary(aten.AddTensor, true);
/** Products of two f32 tensors, element by element. torch: annotator `mul` */
export const annotateMul: Annotator = binary(aten.MulTensor, false);
/** `relu(a · b)` where nothing else reads the product. torch: annotator `mul_relu` */
export const annotateMulRelu: Annotator = binary(aten.MulTensor, true);
