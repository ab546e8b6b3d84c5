import { type AttrRecord, type AttrValue } from './attrs.js';
import { type Dim, evaluateDim, SymExpr } from './dims.js';
import { QfuseError } from './error.js';
import type { Graph } from './graph.js';
import { type TensorType, tensorType, typeText } from './types.js';

/**
 * Finds the value of each symbol from the shapes of `inputs` and checks every dim.
 * @throws QfuseError `run/inputs` or `ir/dim-range` naming the input and what was expected
 */
export function bindSymbols(graph: Graph, inputs: readonly { readonly dtype: string; readonly shape: readonly number[] }[]): Map<string, number> {
  if (inputs.length !== graph.inputs.length)
    throw new QfuseError('run/inputs', `${inputs.length} inputs were given, the program has ${graph.inputs.length}: ${graph.inputs.map((v) => `${v.name}: ${typeText(v.type)}`).join(', ')}`);
  const bindings = new Map<string, number>();
  const pending: [Dim, number, string][] = [];
  graph.inputs.forEach((input, i) => {
    const given = inputs[i]!;
    const { dtype, shape } = input.type;
    if (given.dtype !== dtype || given.shape.length !== shape.length)
      throw new QfuseError('run/inputs', `input "${input.name}" is ${given.dtype}[${given.shape.join(', ')}], expected ${typeText(input.type)}`);
    shape.forEach((dim, axis) => {
      const size = given.shape[axis]!;
      const name = symbolOf(dim);
      if (name === undefined || bindings.has(name)) pending.push([dim, size, `input "${input.name}", axis ${axis}`]);
      else {
        graph.env.check(name, size, `input "${input.name}", axis ${axis}`);
        bindings.set(name, size);
      }
    });
  });
  for (const [dim, size, where] of pending) {
    const expected = evaluateDim(dim, bindings);
    if (expected !== size) throw new QfuseError('run/inputs', `${where} has size ${size}, expected ${expected}${typeof dim === 'number' ? '' : ` (${dim.key})`}`);
  }
  return bindings;
}

const symbolOf = (dim: Dim): string | undefined => {
  if (!(dim instanceof SymExpr) || dim.constant !== 0 || dim.terms.length !== 1) return undefined;
  const [term] = dim.terms;
  const [factor] = term!.factors;
  return term!.coefficient === 1 && term!.factors.length === 1 && factor!.kind === 'symbol' ? factor!.name : undefined;
};

/** `type` with the symbols of `bindings` replaced by numbers. */
export const concreteType = (type: TensorType, bindings: ReadonlyMap<string, number>): TensorType =>
  tensorType(
    type.dtype,
    type.shape.map((d) => evaluateDim(d, bindings)),
  );

/** Attributes with symbolic dims replaced by their numbers. */
export function concreteAttrs(attrs: AttrRecord, bindings: ReadonlyMap<string, number>): AttrRecord {
  const out: Record<string, AttrValue> = {};
  for (const name in attrs) {
    const v = attrs[name];
    if (v instanceof SymExpr) out[name] = evaluateDim(v, bindings);
    else if (Array.isArray(v)) out[name] = v.map((d) => (d instanceof SymExpr ? evaluateDim(d, bindings) : d)) as AttrValue;
    else out[name] = v;
  }
  return out;
}
