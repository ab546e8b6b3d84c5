import { type AttrRecord, type AttrValue } from './attrs.js';
import { type Dim, dimText, evaluateDim, substitute, SymExpr, type Term } from './dims.js';
import { QfuseError } from './error.js';
import type { Graph } from './graph.js';
import { type TensorType, tensorType, typeText } from './types.js';

/**
 * Finds the value of each symbol from the shapes of `inputs` and checks every dim.
 * @throws QfuseError `run/inputs` or `ir/dim-range` naming the input and what was expected
 */
export function bindSymbols(
  graph: Graph,
  inputs: readonly { readonly dtype: string; readonly shape: readonly number[] }[],
): Map<string, number> {
  if (inputs.length !== graph.inputs.length)
    throw new QfuseError(
      'run/inputs',
      `${inputs.length} inputs were given, the program has ${graph.inputs.length}: ${graph.inputs.map((v) => `${v.name}: ${typeText(v.type)}`).join(', ')}`,
    );
  const bindings = new Map<string, number>();
  const pending: [Dim, number, string][] = [];
  graph.inputs.forEach((input, i) => {
    const given = inputs[i]!;
    const { dtype, shape } = input.type;
    if (given.dtype !== dtype || given.shape.length !== shape.length)
      throw new QfuseError(
        'run/inputs',
        `input "${input.name}" is ${given.dtype}[${given.shape.join(', ')}], expected ${typeText(input.type)}`,
      );
    shape.forEach((dim, axis) => pending.push([dim, given.shape[axis]!, `input "${input.name}", axis ${axis}`]));
  });
  // Each round finds the symbols that are alone in their dim once the known ones are put in: `s0`, then `4*s1 + s0`.
  for (let known = -1; known < bindings.size;) {
    known = bindings.size;
    for (const [dim, size, where] of pending) solve(graph, dim, size, where, bindings);
  }
  for (const [dim, size, where] of pending) {
    const expected = evaluateDim(dim, bindings);
    if (expected !== size)
      throw new QfuseError(
        'run/inputs',
        `${where} has size ${size}, expected ${expected}${typeof dim === 'number' ? '' : ` (${dim.key})`}`,
      );
  }
  return bindings;
}

/** Finds the symbol of `coefficient · symbol + constant = size`, where that is what is left of `dim`. */
function solve(graph: Graph, dim: Dim, size: number, where: string, bindings: Map<string, number>): void {
  const rest = substitute(dim, (name) => bindings.get(name));
  if (!(rest instanceof SymExpr) || rest.terms.length !== 1) return;
  const [{ coefficient, factors }] = rest.terms as [Term];
  const [factor] = factors;
  if (factors.length !== 1 || factor?.kind !== 'symbol') return;
  const value = (size - rest.constant) / coefficient;
  if (!Number.isInteger(value)) throw new QfuseError('run/inputs', `${where} has size ${size}, expected one of the form ${dimText(dim)}`);
  graph.env.check(factor.name, value, where);
  bindings.set(factor.name, value);
}

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
