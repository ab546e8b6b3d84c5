import { readFileSync } from 'node:fs';
import {
  type AttrRecord,
  type AttrValue,
  boolScalar,
  type Dim,
  type DType,
  evaluateDim,
  floatScalar,
  Graph,
  type HostTensor,
  intScalar,
  QfuseError,
  type ShapeEnv,
  tensorOf,
  type TensorType,
  tensorType,
} from '@qfuse/ir';
import { describe, expect, test } from 'vitest';
import { inferOp, runOp } from '../../test/run-op.js';
import type { OpDefinition } from '../define.js';
import * as quant from '../quant/index.js';
import * as aten from './index.js';

// What torch computes or refuses for small operands; made by tools/fixtures/op_cases.py and number_cases.py.

type Json = number | boolean | string | null | readonly Json[] | { readonly float: number | string };
type JsonTensor = readonly [dtype: DType, shape: readonly number[], elements: readonly (number | string)[]];
interface Call {
  readonly op: string;
  readonly in: Readonly<Record<string, JsonTensor | readonly (JsonTensor | null)[] | null>>;
  readonly attrs: Readonly<Record<string, Json>>;
  readonly out?: readonly JsonTensor[];
  readonly error?: string;
  /** Equality bit by bit is expected, not up to rounding. */
  readonly exact?: boolean;
}

const lines = ['torch-calls', 'torch-numbers'].flatMap((name) =>
  readFileSync(new URL(`../../test/${name}.jsonl`, import.meta.url), 'utf8')
    .trim()
    .split('\n'),
);
const calls = new Map<string, Call[]>();
for (const line of lines) {
  const call = JSON.parse(line) as Call;
  calls.set(call.op, [...(calls.get(call.op) ?? []), call]);
}
const ops = new Map([...Object.values(aten), ...Object.values(quant)].map((op) => [op.name, op as OpDefinition]));

const numberOf = (v: number | string): number => ({ inf: Infinity, '-inf': -Infinity, nan: Number.NaN })[String(v)] ?? Number(v);
const tensorFrom = ([dtype, shape, elements]: JsonTensor): HostTensor =>
  tensorOf(
    dtype,
    shape,
    elements.map((e) => (dtype === 'i64' ? BigInt(e) : numberOf(e))),
  );
const isTensor = (v: Call['in'][string]): v is JsonTensor => v !== null && typeof v[0] === 'string';

function attributesOf(op: OpDefinition, given: Call['attrs']): AttrRecord {
  const scalar = (v: Json): AttrValue =>
    typeof v === 'boolean'
      ? boolScalar(v)
      : typeof v === 'number'
        ? intScalar(v)
        : floatScalar(numberOf((v as { readonly float: number | string }).float));
  const convert = (name: string, v: Json): AttrValue => {
    const { kind } = op.attrs[name]!;
    if (kind === 'scalar') return scalar(v);
    if (kind === 'float') return numberOf(v as number);
    // 2^63 - 1 is Python's "without end".
    if (typeof v === 'number' && v > Number.MAX_SAFE_INTEGER) return Number.MAX_SAFE_INTEGER;
    // A number where torch wants a list stands for a list of one.
    return (['ints', 'dims'].includes(kind) && typeof v === 'number' ? [v] : v) as AttrValue;
  };
  return Object.fromEntries(Object.entries(given).flatMap(([name, v]) => (v === null ? [] : [[name, convert(name, v)]])));
}

/** Largest relative difference that rounding explains. */
const precision: Partial<Record<DType, number>> = { f32: 1e-5, f64: 1e-12, f16: 2e-3, bf16: 1e-2 };

function expectSame(got: HostTensor, want: HostTensor, exact: boolean, what: string): void {
  expect([got.dtype, ...got.shape], what).toEqual([want.dtype, ...want.shape]);
  const slack = exact ? 0 : (precision[want.dtype] ?? 0);
  want.data.forEach((w: number | bigint, i: number) => {
    const [a, b] = [Number(got.data[i]), Number(w)];
    if (Object.is(a, b) || a === b || Math.abs(a - b) <= slack * Math.max(1, Math.abs(b))) return;
    expect(got.data[i], `${what}, element ${i}`).toBe(w);
  });
}

/** `type` with a symbol for each dim of at least 2, which is what torch takes a symbolic dim to be. */
function symbolicType(env: ShapeEnv, { dtype, shape }: HostTensor, sizes: Map<string, number>): TensorType {
  const dims = shape.map((size): Dim => {
    if (size < 2) return size;
    const name = `s${sizes.size}`;
    sizes.set(name, size);
    return env.declare(name, { min: 2 });
  });
  return tensorType(dtype, dims);
}

const reasonsToStayStatic = /number of (?:parts|results)|not known/;

/** With symbolic sizes an op gives the same shapes once the symbols have values, or needs to know a number of results. */
function expectSymbolicShapes(
  op: OpDefinition,
  operands: Parameters<typeof runOp>[1],
  attrs: AttrRecord,
  want: readonly HostTensor[],
  what: string,
): void {
  const graph = new Graph();
  const sizes = new Map<string, number>();
  const typeOf = (t: HostTensor | undefined) => (t === undefined ? undefined : symbolicType(graph.env, t, sizes));
  const types = Object.fromEntries(
    Object.entries(operands).map(([name, t]) => [name, Array.isArray(t) ? t.map(typeOf) : typeOf(t as HostTensor | undefined)]),
  );
  let results: readonly TensorType[];
  try {
    results = inferOp(op, types, attrs, graph);
  } catch (cause) {
    expect(String(cause), what).toMatch(reasonsToStayStatic);
    return;
  }
  expect(
    results.map((r) => r.shape.map((d) => evaluateDim(d, sizes))),
    what,
  ).toEqual(want.map((t) => t.shape));
}

describe('operators on small operands do what torch does', () => {
  test.each([...calls])('%s', (name, all) => {
    const op = ops.get(name);
    if (op === undefined) throw new Error(`${name} is not defined`);
    for (const call of all) {
      const what = JSON.stringify(call).slice(0, 300);
      const operands = Object.fromEntries(
        Object.entries(call.in).map(([key, t]) => [
          key,
          t === null ? undefined : isTensor(t) ? tensorFrom(t) : t.map((e) => (e === null ? undefined : tensorFrom(e))),
        ]),
      );
      if (call.error !== undefined) {
        expect(() => runOp(op, operands, attributesOf(op, call.attrs)), what).toThrow(QfuseError);
        continue;
      }
      const attrs = attributesOf(op, call.attrs);
      const want = call.out!.map(tensorFrom);
      for (const by of ['reference', 'decompose'] as const) {
        if (op[by] === undefined) continue;
        const got = runOp(op, operands, attrs, by);
        expect(got.length, `${by} of ${what}`).toBe(want.length);
        got.forEach((t, i) => expectSame(t, want[i]!, call.exact ?? false, `${by} of ${what}`));
      }
      expectSymbolicShapes(op, operands, attrs, want, what);
    }
  });
});
