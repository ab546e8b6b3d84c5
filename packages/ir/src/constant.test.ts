import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { ops } from '../test/ops.js';
import {
  bufferSource,
  Constant,
  constantOf,
  constantText,
  contentKey,
  countOf,
  type DType,
  dtypes,
  Editor,
  encodeElements,
  Graph,
  hostTensor,
  newElements,
  parseGraph,
  printGraph,
  QfuseError,
  storer,
  symbol,
  tensorFrom,
  tensorOf,
  tensorType,
} from './index.js';

const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);
const i8 = (...shape: number[]) => tensorType('i8', shape);

describe('a constant', () => {
  it('is read when it is read', () => {
    let reads = 0;
    const c = Constant.lazy(i8(2), 'slice of a file', () => {
      reads++;
      return bytes(1, 2);
    });
    expect([c.type, c.byteLength, c.source, c.resolved, reads]).toEqual([i8(2), 2, 'slice of a file', true, 0]);
    expect([...c.bytes()]).toEqual([1, 2]);
    expect(reads).toBe(1);
    expect(c.key).toBe(c.key);
    expect(reads).toBe(2);
  });

  it('does not read at all for a key that is known', () => {
    const c = Constant.lazy(
      i8(2),
      'file',
      () => {
        throw new Error('read');
      },
      'abc',
    );
    expect(c.key).toBe('abc');
  });

  it('has the key of its type and bytes', () => {
    const a = Constant.of(i8(4), bytes(1, 2, 3, 4));
    expect(Constant.lazy(i8(4), 'elsewhere', () => bytes(0, 1, 2, 3, 4).subarray(1)).key).toBe(a.key);
    expect(a.key).toMatch(/^[0-9a-f]{32}$/);
    const others = [
      Constant.of(i8(2, 2), bytes(1, 2, 3, 4)),
      Constant.of(tensorType('u8', [4]), bytes(1, 2, 3, 4)),
      Constant.of(i8(4), bytes(1, 2, 3, 5)),
      Constant.of(tensorType('f32', []), bytes(1, 2, 3, 4)),
    ];
    expect(new Set([a, ...others].map((c) => c.key)).size).toBe(5);
  });

  it('refuses a wrong length, when it is made or when it is read', () => {
    expect(() => Constant.of(i8(2), bytes(1), 'model.pt2')).toThrow('constant i8[2] (model.pt2) has 1 bytes, expected 2');
    const c = Constant.lazy(i8(2), 'model.pt2', () => bytes(1, 2, 3));
    expect(() => c.bytes()).toThrow(QfuseError);
    expect(() => c.key).toThrow('has 3 bytes, expected 2');
  });

  it('has a static shape', () => {
    expect(() => Constant.of(tensorType('i8', [symbol('s0')]), bytes())).toThrow('a constant needs a static shape, found i8[s0]');
  });

  it('that is not resolved has type and key only', () => {
    const c = Constant.unresolved(i8(2), 'f00');
    expect([c.resolved, c.key]).toEqual([false, 'f00']);
    expect(() => c.bytes()).toThrow('the data of constant #f00 (i8[2]) is not known');
  });

  it('gives one constant for each format that is derived from it', () => {
    let packed = 0;
    const c = Constant.of(i8(2), bytes(1, 2));
    const pack = (b: Uint8Array): Uint8Array => {
      packed++;
      return b.map((x) => x + 10);
    };
    const derived = c.derive('plus 10', i8(2), pack);
    expect(c.derive('plus 10', i8(2), pack)).toBe(derived);
    expect(c.derive('plus 10', tensorType('u8', [2]), pack)).not.toBe(derived);
    expect(packed).toBe(0);
    expect([...derived.bytes()]).toEqual([11, 12]);
    expect([...derived.bytes()]).toEqual([11, 12]);
    expect(packed).toBe(1);
    expect(derived.source).toBe('plus 10 of memory');
    expect([...c.bytes()]).toEqual([1, 2]);
    expect(derived.key).toBe(Constant.of(i8(2), bytes(11, 12)).key);
  });

  it('may be a slice of memory', () => {
    const source = bufferSource(bytes(1, 2, 3));
    expect([source.size, [...source.read(1, 2)]]).toEqual([3, [2, 3]]);
  });
});

test('the content key depends on label and bytes, not on where they lie', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(7), (data, offset) => {
      const moved = new Uint8Array(offset + data.length);
      moved.set(data, offset);
      expect(contentKey('a', moved.subarray(offset))).toBe(contentKey('a', data));
      // Slices of a file in Node share its memory.
      const shared = Object.assign(moved.subarray(offset), { slice: () => moved.subarray(offset) });
      expect(contentKey('a', shared)).toBe(contentKey('a', data));
      expect(contentKey('b', data)).not.toBe(contentKey('a', data));
      expect(contentKey('a', bytes(...data, 0))).not.toBe(contentKey('a', data));
    }),
  );
  const keys = new Set(Array.from({ length: 20000 }, (_, i) => contentKey('', encodeElements('i32', new Int32Array([i % 100, i])))));
  expect(keys.size).toBe(20000);
});

/** The text of a graph that holds nothing but `c`. */
function textOf(c: Constant): string {
  const graph = new Graph();
  new Editor(graph).addConstant('c', 'constant', c);
  return printGraph(graph);
}

describe('the text of a constant', () => {
  const anyConstant = fc.constantFrom(...dtypes).chain((dtype: DType) =>
    fc.integer({ min: 0, max: 16 }).chain((n) => {
      const { byteLength } = Constant.unresolved(tensorType(dtype, [n]), '');
      return fc.uint8Array({ minLength: byteLength, maxLength: byteLength }).map((b) => Constant.of(tensorType(dtype, [n]), b));
    }),
  );

  test('brings back every bit of a small one', () => {
    fc.assert(
      fc.property(anyConstant, (c) => {
        const text = textOf(c);
        const [again] = parseGraph(text, { ops }).constants;
        expect(again!.constant.bytes()).toEqual(c.bytes());
        expect(again!.constant.key).toBe(c.key);
        expect(textOf(again!.constant)).toBe(text);
      }),
      { numRuns: 500 },
    );
  });

  test.each([
    ['dense<[]>', tensorType('f32', [0, 3]), []],
    ['dense<[1.5]>', tensorType('f16', []), [1.5]],
    ['splat<0.0>', tensorType('f32', [16]), new Array<number>(16).fill(0)],
    ['dense<[0.0, -0.0]>', tensorType('f64', [2]), [0, -0]],
    ['dense<[nan, inf, -inf]>', tensorType('bf16', [3]), [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]],
    ['dense<[-8, 7, 0]>', tensorType('i4', [3]), [-8, 7, 0]],
    ['dense<[9223372036854775807, -9223372036854775808]>', tensorType('i64', [2]), [2n ** 63n - 1n, -(2n ** 63n)]],
    ['dense<[1, 0]>', tensorType('bool', [2]), [1, 0]],
  ] as const)('%s', (text, type, values) => {
    expect(constantText(constantOf(tensorOf(type.dtype, type.shape as readonly number[], [...values])))).toBe(text);
  });

  it('is bits where numbers would lose some', () => {
    const c = Constant.of(tensorType('f32', [1]), bytes(1, 0, 0xc0, 0x7f));
    expect(constantText(c)).toBe('bits<"0100c07f">');
    expect(constantText(Constant.of(tensorType('i4', [1]), bytes(0x35)))).toBe('bits<"35">');
  });

  it('is the key of a large one, which is looked up', () => {
    const c = constantOf(
      tensorOf(
        'i8',
        [17],
        Array.from({ length: 17 }, (_, i) => i),
      ),
    );
    expect(constantText(c)).toBe(`#${c.key}`);
    const asked: string[] = [];
    const resolved = parseGraph(textOf(c), { ops, constants: (key, type) => (asked.push(`${key} ${type.dtype}`), c) });
    expect(asked).toEqual([`${c.key} i8`]);
    expect(resolved.constants[0]!.constant).toBe(c);
    expect(parseGraph(textOf(c), { ops }).constants[0]!.constant.resolved).toBe(false);
    expect(printGraph(parseGraph(textOf(c), { ops }))).toBe(textOf(c));
  });

  it('of a large splat takes no memory until it is read', () => {
    const text = 'graph @g() {\n  %c = constant "c" : f32[4000000, 100000] = splat<1.0>\n  return\n}\n';
    expect(parseGraph(text, { ops }).constants[0]!.constant.byteLength).toBe(16e11);
  });
});

describe('host tensors', () => {
  it('have as much data as their shape', () => {
    expect(countOf([2, 3, 4])).toBe(24);
    expect(countOf([])).toBe(1);
    expect(hostTensor('f32', [2, 0]).data.length).toBe(0);
    expect(() => hostTensor('f32', [2, 2], new Float32Array(3))).toThrow('shape [2, 2] has 4 elements, the data has 3');
    expect(() => tensorOf('f32', [2], [1])).toThrow('shape [2] has 2 elements, 1 values were given');
  });

  it('convert as a cast does', () => {
    expect([...tensorOf('i8', [4], [127, 128, -129, 300.9]).data]).toEqual([127, -128, 127, 44]);
    expect([...tensorOf('u8', [3], [-1, 256, 3.9]).data]).toEqual([255, 0, 3]);
    expect([...tensorOf('i4', [3], [7, 8, -9]).data]).toEqual([7, -8, 7]);
    expect([...tensorOf('i32', [3], [2 ** 31, -(2 ** 31) - 1, -1.5]).data]).toEqual([-(2 ** 31), 2 ** 31 - 1, -1]);
    expect([...tensorOf('u32', [2], [-1, 2 ** 32]).data]).toEqual([2 ** 32 - 1, 0]);
    expect([...tensorOf('i64', [3], [2n ** 63n, -1.5, true]).data]).toEqual([-(2n ** 63n), -1n, 1n]);
    expect([...tensorOf('bool', [3], [0, -0.5, 2n]).data]).toEqual([0, 1, 1]);
    expect([...tensorOf('f16', [2], [65520, 1 / 3]).data]).toEqual([Number.POSITIVE_INFINITY, 0.333251953125]);
    expect([...tensorOf('bf16', [1], [1 / 3]).data]).toEqual([0.333984375]);
  });

  it('are constants and come back', () => {
    for (const dtype of dtypes) {
      const tensor = tensorOf(dtype, [3], [0, 1, 1]);
      const constant = constantOf(tensor, 'here');
      expect(constant.source).toBe('here');
      expect(tensorFrom(constant)).toEqual(tensor);
    }
  });

  it('store in place', () => {
    const data = newElements('i16', 2);
    storer('i16')(data, 1, 40000);
    expect([...data]).toEqual([0, -25536]);
  });
});
