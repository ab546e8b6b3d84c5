import { type AnyOp, Constant, constantOf, type Graph, parseGraph } from '@qfuse/ir';
import { Random, randomTensor } from './random.js';

/**
 * Reads a graph whose constants may be named instead of written: `#w` is filled with random data of its type, the
 * same data for the same name. Integers keep to the range that their dequantize declares.
 */
export function readGraph(text: string, ops: ReadonlyMap<string, AnyOp>): Graph {
  const find = (name: string): AnyOp | undefined => ops.get(name);
  const ranges = new Map<string, readonly [number, number]>();
  for (const { value, constant } of parseGraph(text, { ops: find }).constants) {
    if (constant.resolved) continue;
    for (const { reader } of value.uses()) {
      if (!('op' in reader) || reader.op.name !== 'quant.dequantize' || reader.operands[0] !== value) continue;
      const { qmin, qmax } = reader.attrs as { qmin: number; qmax: number };
      ranges.set(constant.key, [qmin, qmax]);
    }
  }
  return parseGraph(text, {
    ops: find,
    constants: (key, type) => {
      const random = new Random([...key].reduce((h, c) => (Math.imul(h, 31) + c.charCodeAt(0)) | 0, 7));
      const range = ranges.get(key);
      const data = constantOf(randomTensor(random, type.dtype, type.shape as readonly number[], range));
      return Constant.lazy(type, `random data for #${key}`, () => data.bytes(), key);
    },
  });
}
