import { cellsAlong, ROWS_PER_BLOCK } from '../packing.js';
import { type Access, bytesOf, groupSize, type IntegerLinear, range } from './integer-weights.js';

/** Cells of a group along K. */
export const cellsOfGroup = (init: IntegerLinear): number =>
  init.groups === 1 ? cellsAlong(init.format, init.k) : groupSize(init) / init.format.perCell;

const words = ['x', 'y', 'z', 'w'];

/** Words of codes that go with a cell. */
const cellWords = ({ format }: IntegerLinear): 4 | 8 => (format.bits === 8 ? 4 : 8);

/** Loads a cell of the lane's `row` of a block of the weight. */
export const loadWeights = (name: string, block: string, cell: string): string =>
  `let ${name} = w[(${block} * CELLS + ${cell}) * ${ROWS_PER_BLOCK}u + row];`;

/** Loads the codes of row `m` that go with a cell, as vectors or words whose names begin with `name`. */
export function loadCodes(init: IntegerLinear, { x }: Access, name: string, m: string, cell: string): readonly string[] {
  const count = cellWords(init);
  return x === 'vector'
    ? range(count / 4).map((v) => `let ${name}_${v} = load_vector(${m}, ${cell} * ${count / 4}u + ${v}u);`)
    : range(count).map((v) => `let ${name}_${v} = load_x(${m}, ${cell} * ${count}u + ${v}u);`);
}

/** What a cell is multiplied with: codes as {@link loadCodes} names them, and what products, and codes themselves, are added to. */
export interface CellProduct {
  readonly codes: string;
  readonly dots: string;
  readonly sum: string | undefined;
}

/** Statements that add the products of a cell. */
export function productsOf(init: IntegerLinear, { x }: Access, cell: string, products: readonly CellProduct[]): readonly string[] {
  const bytes = words.flatMap((c) => bytesOf(init.format, `${cell}.${c}`));
  const code = (name: string, v: number): string => (x === 'vector' ? `${name}_${Math.floor(v / 4)}.${words[v % 4]}` : `${name}_${v}`);
  return bytes.flatMap((word, v) => [
    '{',
    `  let q = quad(${word});`,
    ...products.flatMap(({ codes, dots, sum }) => [
      `  ${dots} += dot4(q, quad(${code(codes, v)}));`,
      ...(init.kinds.zeros && sum !== undefined ? [`  ${sum} += dot4(quad(0x01010101u), quad(${code(codes, v)}));`] : []),
    ]),
    '}',
  ]);
}
