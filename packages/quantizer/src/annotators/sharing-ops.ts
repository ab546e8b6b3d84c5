import { aten } from '@qfuse/ops';
import { isFloat, type Node, sourcesOf, type Value } from '@qfuse/plugin';
import type { Annotations } from '../annotation.js';
import { type AnySpec, edge, output, sharedWith } from '../spec.js';
import { type Annotator, isOneOf, nodesOf } from './annotator.js';

/** Operators whose result has the elements, or averages or maxima of elements, of their first operand; the list of torch. */
const isListed = isOneOf(
  aten.Relu,
  aten.Hardtanh,
  aten.MaxPool2d,
  aten.MaxPool2dWithIndices,
  aten.Mean,
  aten.MeanDim,
  aten.Permute,
  aten.PermuteCopy,
  aten.TransposeInt,
  aten.SqueezeDim,
  aten.SqueezeCopyDim,
  aten.AdaptiveAvgPool2d,
  aten.CoreAdaptiveAvgPool2d,
  aten.View,
  aten.ViewCopy,
  aten.Reshape,
  aten.SliceTensor,
  aten.SliceCopyTensor,
  aten.FlattenUsingInts,
);

/** Operators that are views in canonical form and not in the list. torch names nodes after their operators. */
const unlisted = /^(unsqueeze|unflatten|clone|contiguous|_unsafe_view|view_as|reshape_as)(_|$)/;

/** Whether a node is of the list, and if it is a view so are the nodes of the program that it was made from. */
const isSharing = (node: Node | undefined): node is Node =>
  isListed(node) && !(node.op === aten.View && sourcesOf(node.origin).some((o) => o.kind === 'source' && unlisted.test(o.name)));

/**
 * Results of operators that only move, average or cut off what they read share the quantization of it, from producers to readers.
 * torch: `propagate_annotation`
 */
export function propagateAnnotation(annotations: Annotations): void {
  for (const node of nodesOf(annotations, isSharing)) {
    const input = node.operands[0]!;
    if (annotations.outputOf(input) === undefined || annotations.isAnnotated(node)) continue;
    const spec = sharedWith(output(input));
    annotations.annotate(node, { inputs: new Map([[0, spec]]), output: spec });
  }
}

/** `adaptive_avg_pool2d`: the result shares with what it reads. torch: annotator `adaptive_avg_pool2d` */
export const annotateAdaptiveAvgPool2d: Annotator = (annotations, { inputActivation }, accepts) => {
  for (const node of nodesOf(annotations, isOneOf(aten.AdaptiveAvgPool2d, aten.CoreAdaptiveAvgPool2d))) {
    if (annotations.isAnnotated(node) || !accepts(node) || inputActivation === undefined) continue;
    const input = node.operands[0]!;
    const spec = annotations.outputOf(input) === undefined ? inputActivation : sharedWith(output(input));
    annotations.annotate(node, { inputs: new Map([[0, spec]]), output: sharedWith(edge(node, 0)) });
  }
};

/** `cat`: all inputs and the result share; the first input whose producer is annotated has the parameters, else the first. torch: annotator `cat` */
export const annotateCat: Annotator = (annotations, { inputActivation }, accepts) => {
  for (const node of nodesOf(annotations, isOneOf(aten.Cat))) {
    if (annotations.isAnnotated(node) || !accepts(node) || inputActivation === undefined) continue;
    const inputs = node.operands.map((v) => v!);
    if (!inputs.every((v) => isFloat(v.type.dtype))) continue;
    const annotated = inputs.findIndex((v) => hasAnnotatedSource(annotations, v));
    const source = annotated < 0 ? 0 : annotated;
    const shared = sharedWith(edge(node, source));
    const specs = new Map<number, AnySpec>([[source, inputActivation]]);
    for (const slot of inputs.keys()) if (slot !== source) specs.set(slot, shared);
    annotations.annotate(node, { inputs: specs, output: shared });
  }
};

/** Whether a value, or what it is made of by operators that share, has an output spec. */
function hasAnnotatedSource(annotations: Annotations, value: Value): boolean {
  for (let at: Value | undefined = value; at !== undefined;) {
    if (annotations.outputOf(at) !== undefined) return true;
    const { producer }: Value = at;
    at = isSharing(producer) ? producer.operands[0] : undefined;
  }
  return false;
}
