import { type DType, type Node, no, type Scalar, scalarNumber, type Value, type Verdict, yes } from '@qfuse/plugin';
import { type Promotable, resultType } from '@qfuse/ops';
import { defineKernel, type Dispatch, type ErrorBound, type KernelSample, oneRounding, type WebGPUKernel } from '../kernel.js';
import { knownLayout, layoutOf, type ScalarType } from '../storage.js';
import { convert } from '../wgsl/elements.js';
import { broadcastIndexing } from '../wgsl/indexing.js';
import { mapDispatch } from '../wgsl/map.js';
import { f32Literal, i32Literal } from '../wgsl/shader.js';
import { attrOf, op } from './ops.js';

/** What an elementwise kernel computes for one element. */
export interface Elementwise {
  /** Operands in the order of the expression's arguments. */
  readonly operands: readonly string[];
  /** Attributes of kind scalar that are arguments after the operands; absent ones are `undefined` there. */
  readonly scalars?: readonly string[];
  /**
   * The type in which it is computed: that of the result (default), or what torch promotes operands and scalars to
   * (comparisons, whose result is bool). Arguments are converted to it.
   */
  readonly compute?: 'result' | 'promoted';
  /** Operands that keep their own type, e.g. a condition. */
  readonly keep?: readonly string[];
  /** The value for arguments `x` of type `type`; undefined when there is none for this type. */
  readonly expression: (x: readonly (string | undefined)[], type: ScalarType, node: Node) => string | undefined;
  /** Default: one rounding. */
  readonly error?: ErrorBound;
  readonly samples: readonly KernelSample[];
}

/**
 * A kernel `y[i] = expression(x0[i], x1[i], …)` for the op `name`, with broadcasting and torch's type promotion.
 * One thread makes one 32-bit word of the result.
 */
export function elementwise(name: string, init: Elementwise): WebGPUKernel {
  return defineKernel({
    name: `elementwise/${name}`,
    op: op(name),
    error: init.error ?? oneRounding,
    samples: init.samples,
    supports: (node) => supports(node, init),
    emit: (node) => [emit(node, init)],
  });
}

function supports(node: Node, init: Elementwise): Verdict {
  if (node.results.length !== 1) return no(`it has ${node.results.length} results`);
  const type = computeType(node, init);
  if (type === undefined) return no('operands of these dtypes have no common 32-bit type');
  return expressionOf(node, init, type) === undefined ? no(`there is no expression for ${type}`) : yes;
}

/** The scalars of a node as promotion sees them. */
const scalarsOf = (node: Node, init: Elementwise): readonly (Scalar | undefined)[] =>
  (init.scalars ?? []).map((s) => attrOf<Scalar | undefined>(node, s));

function computeType(node: Node, init: Elementwise): ScalarType | undefined {
  const result = node.results[0]!.type.dtype;
  let dtype: DType = result;
  if (init.compute === 'promoted') {
    const tensors = argumentValues(node, init).flatMap((v, i): Promotable[] =>
      v === undefined || init.keep?.includes(init.operands[i]!) === true ? [] : [v.type],
    );
    dtype = resultType([...tensors, ...scalarsOf(node, init).flatMap((scalar) => (scalar === undefined ? [] : [{ scalar }]))]);
  }
  const type = layoutOf(dtype)?.scalar;
  // WGSL orders no bools.
  return type === 'bool' && init.compute === 'promoted' ? 'u32' : type;
}

const argumentValues = (node: Node, init: Elementwise): readonly (Value | undefined)[] =>
  init.operands.map((name) => node.operandOrNone(name as never));

function expressionOf(node: Node, init: Elementwise, type: ScalarType): string | undefined {
  const values = argumentValues(node, init);
  const tensors = values.map((v, i) => {
    if (v === undefined) return undefined;
    const own = knownLayout(v.type.dtype).scalar;
    return init.keep?.includes(init.operands[i]!) === true ? `x${i}` : convert(`x${i}`, own, type);
  });
  // As parameters, not literals: layers with other scalars share the shader, and no compiler folds `x * 0`.
  const scalars = scalarsOf(node, init).map((s, i) => (s === undefined ? undefined : type === 'bool' ? `(P.v${i} != 0u)` : `P.v${i}`));
  return init.expression([...tensors, ...scalars], type, node);
}

/** A scalar as a literal of `type`; in the type's meaning, e.g. -1 of u32 wraps around. */
export function literal(scalar: Scalar, type: ScalarType): string {
  const value = scalarNumber(scalar);
  if (type === 'f32') return f32Literal(value);
  if (type === 'bool') return String(value !== 0);
  const whole = BigInt.asIntN(32, BigInt(Number.isFinite(value) ? Math.trunc(value) : 0));
  return type === 'i32' ? i32Literal(Number(whole)) : `${BigInt.asUintN(32, whole)}u`;
}

/** A scalar as the number that a parameter of its type holds. */
function scalarParameter(scalar: Scalar, type: ScalarType): number {
  const value = scalarNumber(scalar);
  if (type === 'f32') return value;
  if (type === 'bool') return value === 0 ? 0 : 1;
  return Number(BigInt.asIntN(32, BigInt(Number.isFinite(value) ? Math.trunc(value) : 0)));
}

function emit(node: Node, init: Elementwise): Dispatch {
  const type = computeType(node, init)!;
  const output = node.results[0]!;
  const values = argumentValues(node, init);
  const inputs = values.flatMap((value, i) => (value === undefined ? [] : [{ name: `x${i}`, value }]));
  const index = broadcastIndexing(
    output.type.shape,
    inputs.map(({ value }) => value.type.shape),
  );
  const scalars = scalarsOf(node, init).flatMap((s, i) => (s === undefined ? [] : [[`v${i}`, scalarParameter(s, type)] as const]));
  const value = convert(
    expressionOf(node, init, type)!,
    init.compute === 'promoted' ? 'bool' : type,
    knownLayout(output.type.dtype).scalar,
  );
  const lines = [index.coordinates, ...inputs.map(({ name }, k) => `let ${name} = load_${name}_(${index.at[k]});`), `return ${value};`];
  return mapDispatch({
    label: 'map',
    inputs: inputs.map(({ name, value: v }) => [`${name}_`, v] as const),
    output,
    parameters: { ...index.parameters, ...Object.fromEntries(scalars.map(([name]) => [name, type === 'bool' ? ('u32' as const) : type])) },
    values: (sizes) => ({ ...index.values(sizes), ...Object.fromEntries(scalars) }),
    element: lines.filter((line) => line !== '').join('\n'),
  });
}
