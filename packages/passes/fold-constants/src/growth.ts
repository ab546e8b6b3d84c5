import { byteLength, isStatic, type Node, nodeAttrs, numel, type Value } from '@qfuse/plugin';

/** The nodes of `large` that a node is computed from, directly or through others of them, in the order of computation. */
export function coneOf(node: Node, large: ReadonlySet<Node>): readonly Node[] {
  const cone = new Set<Node>();
  const visit = (n: Node): void => {
    for (const v of n.operands) {
      const producer = v?.producer;
      if (producer === undefined || !large.has(producer) || cone.has(producer)) continue;
      visit(producer);
      cone.add(producer);
    }
  };
  visit(node);
  return [...cone];
}

/** How much larger values of a cone may be than the constants that go: integers of 4 bits in i64 take 16 times their room. */
const WIDEST = 16;

/**
 * Bytes of the results minus bytes of the constants that only this node and its cone read, which go away with it. Infinite where a
 * value on the way is larger than unpacking these constants explains by more than `limit` bytes.
 */
export function growth(node: Node, cone: readonly Node[], limit: number): number {
  const going = new Set<unknown>([node]);
  // A node goes when all its readers do; those that read it come later in the cone.
  for (const n of cone.toReversed()) if (n.results.every((r) => r.readers().every((reader) => going.has(reader)))) going.add(n);
  const constants = new Set([...going].flatMap((n) => (n as Node).operands).filter((v): v is Value => v?.constant !== undefined));
  const freed = [...constants].filter((v) => v.readers().every((reader) => going.has(reader)));
  const size = freed.reduce((n, v) => n + bytesOf(v), 0);
  if (cone.some((n) => n.results.some((r) => bytesOf(r) > WIDEST * size + limit))) return Infinity;
  return node.results.reduce((n, r) => n + stored(r), 0) - size;
}

const bytesOf = ({ type }: Value): number => (isStatic(type.shape) ? byteLength(type.dtype, numel(type) as number) : Infinity);

/** Bytes that a value takes as a constant: integers that are only dequantized are packed to what their declared range needs. */
function stored(value: Value): number {
  const own = bytesOf(value);
  const readers = value.uses();
  const dequantized =
    readers.length > 0 && readers.every(({ reader, index }) => 'op' in reader && reader.op.name === 'quant.dequantize' && index === 0);
  if (!dequantized || own === Infinity) return own;
  const bits = readers.map(({ reader }) => bitsOf(nodeAttrs(reader as Node) as { readonly qmin: number; readonly qmax: number }));
  return Math.min(own, Math.ceil(((numel(value.type) as number) * Math.max(...bits)) / 8));
}

const bitsOf = ({ qmin, qmax }: { readonly qmin: number; readonly qmax: number }): number =>
  qmax - qmin <= 15 ? 4 : qmax - qmin <= 255 ? 8 : 32;
