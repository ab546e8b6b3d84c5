import fc from 'fast-check';
import { describe, expect, expectTypeOf, it, test } from 'vitest';
import { attrsOf, attrValues, scalars } from '../test/attrs.js';
import { Add, Every, f32, makeOp, Options } from '../test/ops.js';
import {
  attr,
  type AttrSpec,
  type AttrsInOf,
  type AttrsOutOf,
  attrText,
  canonical,
  describeSpec,
  type Dim,
  type DType,
  Editor,
  floatScalar,
  Graph,
  internAttrs,
  intScalar,
  parseGraph,
  printGraph,
  QfuseError,
  type Scalar,
  symbol,
} from './index.js';

const intern = (op: typeof Every | typeof Options, given: object) => internAttrs(op.attrs, op.attrNames, given as never);

/** The value that comes back from the text of `value`. */
function reread(spec: AttrSpec<any, any>, value: unknown): unknown {
  const Op = makeOp({ name: 't.one', operands: {}, attrs: { a: spec }, infer: () => [] });
  const graph = new Graph();
  new Editor(graph).create(Op, {}, { a: value } as never);
  const [node] = parseGraph(printGraph(graph), { ops: () => Op }).nodes();
  return (node!.attrs as { a: unknown }).a;
}

describe.each(Object.entries(Every.attrs) as [string, AttrSpec<any>][])('attribute kind %s', (_, spec) => {
  test('is frozen, canonical and the same from its text', () => {
    fc.assert(
      fc.property(attrValues(spec), (given) => {
        const value = canonical(spec, given as never);
        expect(typeof value !== 'object' || Object.isFrozen(value)).toBe(true);
        expect(canonical(spec, value)).toEqual(value);
        expect(attrText(spec, canonical(spec, reread(spec, value) as never))).toBe(attrText(spec, value));
        expect(reread(spec, value)).toEqual(value);
      }),
      { numRuns: 60 },
    );
  });

  test('refuses what is of another kind', () => {
    const wrong: unknown[] = [
      undefined,
      null,
      {},
      Symbol.iterator,
      [[]],
      [null],
      [{ kind: 'int', value: 0.5 }],
      { kind: 'int', value: 'x' },
      { kind: 'int', value: 2n ** 64n },
      { kind: 'bool', value: 1 },
      5n,
    ];
    if (spec.kind !== 'string') wrong.push('text', ['text']);
    for (const value of wrong) expect(() => canonical(spec, value as never), String(value)).toThrow(QfuseError);
  });
});

describe('a record', () => {
  test('is one object for equal values', () => {
    fc.assert(
      fc.property(attrsOf(Options.attrs), (given) => {
        const record = intern(Options, given);
        expect(Object.isFrozen(record)).toBe(true);
        expect(Object.keys(record)).toEqual(Options.attrNames);
        expect(intern(Options, { ...given })).toBe(record);
        expect(intern(Options, record)).toBe(record);
      }),
      { numRuns: 200 },
    );
  });

  it('keeps apart what prints alike', () => {
    const a = { v: attr.int() };
    const b = { v: attr.dim() };
    expect(internAttrs(a, ['v'], { v: 1 })).not.toBe(internAttrs(b, ['v'], { v: 1 }));
    expect(internAttrs({ v: attr.float() }, ['v'], { v: 0 })).not.toBe(internAttrs({ v: attr.float() }, ['v'], { v: -0 }));
    const scalar = { v: attr.scalar() };
    expect(internAttrs(scalar, ['v'], { v: intScalar(1) })).not.toBe(internAttrs(scalar, ['v'], { v: floatScalar(1) }));
    const strings = { v: attr.string(), w: attr.string() };
    expect(internAttrs(strings, ['v', 'w'], { v: '";string w="', w: '' })).not.toBe(
      internAttrs(strings, ['v', 'w'], { v: '', w: '";string w="' }),
    );
  });

  it('is not fooled by a list that changes after it was given', () => {
    const specs = { v: attr.ints() };
    const list = [1, 2];
    const given = { v: list };
    const first = internAttrs(specs, ['v'], given);
    list.push(3);
    expect(first.v).toEqual([1, 2]);
    expect(internAttrs(specs, ['v'], given).v).toEqual([1, 2, 3]);
  });

  it('has its defaults filled in', () => {
    expect(intern(Options, {})).toMatchObject({
      int: 1,
      float: Number.NaN,
      floats: [0, -0],
      bool: false,
      string: 'none',
      dim: symbol('s0'),
      dims: [],
      scalar: intScalar(1),
      ints: undefined,
    });
    expect(intern(Options, { int: undefined })).toBe(intern(Options, { int: 1 }));
  });

  it('names the attribute that is wrong', () => {
    const specs = { axis: attr.int({ min: -2, max: 1 }), mode: attr.oneOf('none', 'tanh') };
    const names = ['axis', 'mode'];
    expect(() => internAttrs(specs, names, { axis: 2, mode: 'none' })).toThrow('attribute "axis": expected int >= -2 <= 1, found 2');
    expect(() => internAttrs(specs, names, { axis: 0, mode: 'erf' })).toThrow(
      'attribute "mode": expected one of "none", "tanh", found "erf"',
    );
    expect(() => internAttrs(specs, names, { axis: 0 })).toThrow('attribute "mode": expected one of "none", "tanh", found nothing');
    expect(() => internAttrs(specs, names, { axis: 0, mode: 'none', dim: 1 })).toThrow('unknown attribute "dim"');
    expect(() => internAttrs(specs, names, { axis: 0, mode: 'none' } as never)).not.toThrow();
    expect(() => internAttrs(specs, names, { axis: 0, mode: 'none', dim: 1 })).toThrow('unknown attribute "dim"');
    expect(() => internAttrs({}, [], { dim: 1 })).toThrow('unknown attribute "dim"');
  });

  it('is checked again after it was accepted once', () => {
    const graph = new Graph();
    const edit = new Editor(graph);
    const x = edit.addInput('x', f32(2));
    edit.create(Add, { x, y: x });
    expect(() => edit.create(Add, { x, y: x }, { alpha: 1 } as never)).toThrow('t.add at made by builder: unknown attribute "alpha"');
  });
});

test('a declaration says what it accepts', () => {
  expect(describeSpec(attr.ints({ min: 0 }))).toBe('ints >= 0');
  expect(describeSpec(attr.optional(attr.dtype()))).toBe('dtype');
  expect(Object.isFrozen(attr.optional(attr.int(), 3))).toBe(true);
  expect(() => attr.optional(attr.int({ min: 0 }), -1)).toThrow('expected int >= 0, found -1');
});

test('types follow from the declaration', () => {
  expectTypeOf<AttrsOutOf<typeof Every>>().toMatchObjectType<{
    readonly int: number;
    readonly floats: readonly number[];
    readonly mode: 'none' | 'tanh';
    readonly dtype: DType;
    readonly scalar: Scalar;
    readonly dims: readonly Dim[];
  }>();
  expectTypeOf<AttrsOutOf<typeof Options>['int']>().toEqualTypeOf<number>();
  expectTypeOf<AttrsOutOf<typeof Options>['ints']>().toEqualTypeOf<readonly number[] | undefined>();
  expectTypeOf<{}>().toExtend<AttrsInOf<typeof Options>>();
  // @ts-expect-error a required attribute is missing
  expectTypeOf<{}>().toExtend<AttrsInOf<typeof Every>>();
});

describe('scalars', () => {
  test('are one object for each kind and value', () => {
    fc.assert(
      fc.property(scalars, (s) => {
        expect(canonical(attr.scalar(), { kind: s.kind, value: s.value } as Scalar)).toBe(s);
      }),
    );
    expect(intScalar(5)).toBe(intScalar(5n));
    expect(intScalar(-0)).toBe(intScalar(0));
    expect(typeof intScalar(2 ** 53).value).toBe('bigint');
    expect(typeof intScalar(2 ** 53 - 1).value).toBe('number');
  });

  test('of the kind int are whole and have 64 bits', () => {
    expect(() => intScalar(0.5)).toThrow(RangeError);
    expect(() => intScalar(2n ** 64n)).toThrow(RangeError);
    expect(() => intScalar(-(2n ** 63n) - 1n)).toThrow(RangeError);
    expect(intScalar(2n ** 64n - 1n).value).toBe(2n ** 64n - 1n);
  });
});
