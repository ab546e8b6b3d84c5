import {
  type AttrRecord,
  type Constant,
  type DType,
  integerRange,
  isFloat,
  type Node,
  nodeAttrs,
  type Scalar,
  scalarNumber,
  tensorFrom,
  type Value,
} from '@qfuse/plugin';
import { aten, quant } from '@qfuse/ops';

/** Smallest and largest number of a value. */
export type Range = readonly [low: number, high: number];

/** The range of a dtype. */
export const dtypeRange = (dtype: DType): Range =>
  isFloat(dtype) ? [-Infinity, Infinity] : (integerRange(dtype).map(Number) as [number, number]);

/** The smallest and largest element. */
function dataRange(constant: Constant): Range {
  let [low, high] = [Infinity, -Infinity];
  for (const x of tensorFrom(constant).data) {
    low = Math.min(low, Number(x));
    high = Math.max(high, Number(x));
  }
  return low > high ? [0, 0] : [low, high];
}

/** Ops whose elements all are elements of their operands. */
const moves = new Set<unknown>([
  aten.View,
  aten.Permute,
  aten.Expand,
  aten.SliceTensor,
  aten.SelectInt,
  aten.Stack,
  aten.Cat,
  aten.IndexSelect,
  aten.IndexTensor,
  aten.Flip,
  aten.RepeatInterleaveSelfInt,
]);

/** Values that are looked at; beyond them the range of the dtype is taken. */
const MAX_VALUES = 256;

/** A number of a node: an attribute, or an operand that is a constant of one element. */
function numberOf(node: Node, name: string): number | undefined {
  const scalar = (nodeAttrs(node) as AttrRecord)[name] as Scalar | undefined;
  if (scalar !== undefined) return scalarNumber(scalar);
  const { constant } = node.operands[node.op.operandNames.indexOf(name)] ?? {};
  return constant?.resolved === true && constant.type.shape.every((d) => d === 1) ? Number(tensorFrom(constant).data[0]) : undefined;
}

/**
 * What numbers a value may hold, from how it is computed: `x & 15` holds 0 to 15, whatever x is. Bounds are sure, never guessed;
 * without a better one they are those of the dtype.
 * @param data - whether to look at the elements of constants
 */
export function rangeOf(value: Value, data = true, known = new Map<Value, Range>()): Range {
  const { dtype } = value.type;
  const whole = dtypeRange(dtype);
  if (value.constant !== undefined) return data && value.constant.resolved ? dataRange(value.constant) : whole;
  const node = value.producer;
  if (node === undefined || known.size >= MAX_VALUES) return whole;
  const found = known.get(value);
  if (found !== undefined) return found;
  known.set(value, whole);
  const range = (operand: Value | undefined): Range => (operand === undefined ? whole : rangeOf(operand, data, known));
  const [low, high] = (moves.has(node.op) ? hull(dataOperands(node).map(range)) : computed(node, range)) ?? whole;
  const within: Range = low < whole[0] || high > whole[1] || Number.isNaN(low + high) ? whole : [low, high];
  known.set(value, within);
  return within;
}

const hull = (ranges: readonly Range[]): Range => [Math.min(...ranges.map(([l]) => l)), Math.max(...ranges.map(([, h]) => h))];

/** The operands that elements come from: all of a list, else the first. */
const dataOperands = (node: Node): readonly (Value | undefined)[] => (node.op.variadic === 0 ? node.operands : node.operands.slice(0, 1));

function computed(node: Node, range: (operand: Value | undefined) => Range): Range | undefined {
  const [self] = node.operands;
  const other = numberOf(node, 'other');
  const alpha = numberOf(node, 'alpha') ?? 1;
  switch (node.op) {
    case aten.ToCopy:
      return self === undefined || isFloat(self.type.dtype) ? undefined : range(self);
    case aten.BitwiseAndScalar:
    case aten.BitwiseAndTensor:
      return other !== undefined && other >= 0 ? [0, other] : undefined;
    case aten.RemainderScalar:
      return other !== undefined && other > 0 ? [0, other - 1] : undefined;
    case aten.BitwiseRightShiftTensor:
    case aten.BitwiseRightShiftTensorScalar: {
      const [low, high] = range(self);
      return low < 0 ? undefined : [0, other === undefined ? high : Math.floor(high / 2 ** other)];
    }
    case aten.AddScalar:
    case aten.AddTensor:
      return shifted(range(self), other === undefined ? undefined : alpha * other);
    case aten.SubScalar:
    case aten.SubTensor:
      return shifted(range(self), other === undefined ? undefined : -alpha * other);
    case quant.Quantize: {
      const { qmin, qmax } = nodeAttrs(node) as { readonly qmin: number; readonly qmax: number };
      return [qmin, qmax];
    }
    default:
      return undefined;
  }
}

const shifted = ([low, high]: Range, by: number | undefined): Range | undefined =>
  by === undefined || !Number.isInteger(by) ? undefined : [low + by, high + by];

/** Ranges of 4 and 8 bits that weights are stored in. */
const stored = [
  [-8, 7],
  [0, 15],
  [-128, 127],
  [0, 255],
] as const;

/** The narrowest range of 4 or 8 bits that holds another; undefined when none does. */
export const storedRange = ([low, high]: Range): Range | undefined => stored.find(([l, h]) => l <= low && high <= h);
