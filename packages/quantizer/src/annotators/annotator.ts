import { aten } from '@qfuse/ops';
import { type AnyOp, graphReturn, type Node, tensorOf, type Value } from '@qfuse/plugin';
import type { Annotations } from '../annotation.js';
import { type NodeFilter, parameterOf } from '../scopes.js';
import { type AnySpec, type DerivedQuantizationSpec, edge, type QuantizationConfig, type QuantizationSpec } from '../spec.js';

/** Annotates the operators of one kind that `accepts` takes and that are not annotated yet. torch: `register_annotator` */
export type Annotator = (annotations: Annotations, config: QuantizationConfig, accepts: NodeFilter) => void;

/** Kinds of operators that configurations can be given for. */
export type OperatorType = 'linear' | 'conv' | 'conv-transpose' | 'adaptive-avg-pool2d' | 'add' | 'mul' | 'cat' | 'embedding';

/** A function that says whether a node is of one of `ops`. */
export const isOneOf = (...ops: readonly AnyOp[]): ((node: Node | undefined) => node is Node) => {
  const known = new Set<AnyOp>(ops);
  return (node): node is Node => node !== undefined && known.has(node.op);
};

/** Whether a node is a relu. */
const isRelu = isOneOf(aten.Relu);

/** The nodes of `graph` that `is` takes, in list order. */
export const nodesOf = ({ graph }: Annotations, is: (node: Node) => boolean): readonly Node[] => [...graph.nodes()].filter(is);

/** The relu that alone reads a node. */
export function onlyRelu(node: Node): Node | undefined {
  const readers = node.results.flatMap((r) => r.readers());
  const [reader] = readers;
  return readers.length === 1 && reader !== graphReturn && isRelu(reader as Node) ? (reader as Node) : undefined;
}

/** The values that a node reads as parameters: those of the operands `weight` and `bias`. */
export const parametersOf = (node: Node): readonly Value[] =>
  ['weight', 'bias'].flatMap((name) => {
    const value = node.operandOrNone(name);
    return value === undefined ? [] : [parameterOf(node, value)];
  });

/** Whether the weight of a node is known at compile time. */
export const hasConstantWeight = (node: Node): boolean => node.operand('weight').constant !== undefined;

/** Specs of an operator with activation, weight and bias. */
export function weightedInputs(config: QuantizationConfig, node: Node): Readonly<Record<'input' | 'weight' | 'bias', AnySpec | undefined>> {
  const weight = fitted(config.weight, node.operand('weight'));
  const bias = config.bias === 'derived' ? derivedBias(node, weight) : config.bias;
  return { input: config.inputActivation, weight, bias: node.operandOrNone('bias') === undefined ? undefined : bias };
}

/**
 * A bias in i32 whose scale is that of the input times that of the weight, and whose zero point is 0: one for each channel where the weight has one.
 * The product is rounded to f32.
 */
export function derivedBias(node: Node, weight: QuantizationSpec | undefined): DerivedQuantizationSpec {
  return {
    kind: 'derived',
    from: [edge(node, 'input'), edge(node, 'weight')],
    dtype: 'i32',
    granularity: weight?.granularity.kind === 'tensor' ? { kind: 'tensor' } : { kind: 'axis', axis: 0 },
    derive: ([input, of]) => {
      const { shape, data } = of!.scale;
      const scale = tensorOf(
        'f32',
        shape,
        Float32Array.from(data as Float32Array, (s) => s * Number(input!.scale.data[0])),
      );
      return { scale, zeroPoint: tensorOf('i32', shape, new Int32Array(data.length)) };
    },
  };
}

/** A group that is a whole row of a matrix is a channel. */
export function fitted(spec: QuantizationSpec | undefined, { type: { shape } }: Value): QuantizationSpec | undefined {
  if (spec?.granularity.kind !== 'group' || shape.length !== 2 || spec.granularity.size !== shape[1]) return spec;
  return { ...spec, granularity: { kind: 'axis', axis: 0 } };
}
