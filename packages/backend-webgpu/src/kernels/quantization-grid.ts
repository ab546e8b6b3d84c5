import type { GranularityAttrs } from '@qfuse/ops';
import { type Constant, countOf, decodeElements, newElements, type Node, storer, tensorType, type Value } from '@qfuse/plugin';
import type { Binding, Sizes } from '../kernel.js';
import { axisOf } from './ops.js';
import { floatConstant } from '../packing.js';
import { knownLayout } from '../storage.js';
import { bindValue, convert, loadFunction } from '../wgsl/elements.js';
import { exactArithmetic } from '../wgsl/exact.js';
import { indexing, rowMajor } from '../wgsl/indexing.js';
import type { MapInit } from '../wgsl/map.js';
import { plainReciprocals } from '../wgsl/qparams.js';

/** WGSL for the index of the scale of element `i` of a tensor in any granularity, as `group_of(i)`. */
export function grouping(node: Node, value: Value): Pick<Required<MapInit>, 'parameters' | 'values' | 'declarations'> {
  const g = node.attrs as unknown as GranularityAttrs;
  const rank = value.type.shape.length;
  const make = (body: string, parameters: readonly string[], values: (sizes: Sizes) => Record<string, number>) => ({
    declarations: `fn group_of(i: u32) -> u32 {\n  ${body}\n}`,
    parameters: Object.fromEntries(parameters.map((p) => [p, 'u32'] as const)),
    values,
  });
  if (g.granularity === 'tensor') return make('return 0u;', [], () => ({}));
  if (g.granularity === 'row') return make('return i / P.width;', ['width'], (sizes) => ({ width: sizes.shape(value).at(-1)! }));
  if (g.granularity === 'axis') {
    const axis = axisOf(g.axis!, rank);
    return make('return (i / P.inner) % P.size;', ['inner', 'size'], (sizes) => {
      const shape = sizes.shape(value);
      return { inner: rowMajor(shape)[axis]!, size: shape[axis]! };
    });
  }
  const blocks = (sizes: Sizes): number[] => {
    const shape = sizes.shape(value);
    if (g.granularity === 'group') return shape.map((_, a) => (a === axisOf(g.axis!, rank) ? g.group_size! : 1));
    return g.block_size!.map((d) => sizes.dim(d));
  };
  const index = indexing(value.type.shape, [
    {
      strides: (sizes) => {
        const size = blocks(sizes);
        return rowMajor(sizes.shape(value).map((d, a) => Math.ceil(d / size[a]!)));
      },
    },
  ]);
  const names = value.type.shape.map((_, a) => `b${a}`);
  const at = index.at[0]!.replace(/c(\d+) \* /g, (_m, a: string) => `(c${a} / P.b${a}) * `);
  const made = make(`${index.coordinates}\n  return ${at};`, names, (sizes) => ({
    ...index.values(sizes),
    ...Object.fromEntries(blocks(sizes).map((b, a) => [names[a]!, b])),
  }));
  return { ...made, parameters: { ...index.parameters, ...made.parameters } };
}

/** Scales and zero points: constants of any dtype are held as f32, computed ones as they are. */
export function parameter(name: string, value: Value): { readonly binding: Binding; readonly load: string } {
  const constant: Constant | undefined = value.constant;
  if (constant !== undefined)
    return {
      binding: { name, type: 'array<f32>', access: 'read', from: floatConstant(constant) },
      load: `fn ${name}_at(g: u32) -> f32 { return ${name}[g]; }`,
    };
  const { dtype } = value.type;
  return {
    binding: bindValue(name, value),
    load: `${loadFunction(name, dtype)}\nfn ${name}_at(g: u32) -> f32 { return ${convert(`load_${name}(g)`, knownLayout(dtype).scalar, 'f32')}; }`,
  };
}

/** Reciprocals of constant scales, rounded to the dtype of the scale and then to f32. */
export function reciprocals(scale: Constant): Constant {
  const { dtype, shape } = scale.type;
  const count = countOf(shape as readonly number[]);
  return scale.derive('f32 reciprocals', tensorType('f32', [count]), (bytes) => {
    const own = newElements(dtype, 1);
    const store = storer(dtype);
    const rounded = (x: number): number => {
      store(own, 0, dtype === 'f64' ? x : Math.fround(x));
      return own[0] as number;
    };
    const values = decodeElements(dtype, bytes, count) as ArrayLike<number>;
    return new Uint8Array(Float32Array.from(values, (s) => rounded(1 / s)).buffer);
  });
}

/** Binding and function `reciprocal_at(g)`, the bits; `plain` when no reciprocal is so large or small that products need care. */
export function reciprocal(scale: Value): { readonly binding: Binding; readonly load: string; readonly plain: boolean } {
  const name = 'scale';
  if (scale.constant === undefined)
    return {
      binding: { ...bindValue(name, scale), type: 'array<u32>' },
      load: `${exactArithmetic}\nfn reciprocal_at(g: u32) -> u32 { return reciprocal_of(${name}[g]); }`,
      plain: false,
    };
  const from = reciprocals(scale.constant);
  const [least, most] = plainReciprocals;
  const known = scale.constant.resolved ? [...new Float32Array(from.bytes().slice().buffer)] : [0];
  const plain = known.every((r) => Math.abs(r) >= least && Math.abs(r) <= most);
  const load = `fn reciprocal_at(g: u32) -> u32 { return ${name}[g]; }`;
  return { binding: { name, type: 'array<u32>', access: 'read', from }, load, plain };
}
