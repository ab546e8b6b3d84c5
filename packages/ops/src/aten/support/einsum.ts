import type { Dim, ShapeEnv } from '@qfuse/ir';
import { type Fail, shapeText } from '../../shapes.js';

/** An einsum whose letters, "..." and missing right side are resolved. */
export interface EinsumPlan {
  /** For each operand the label of each of its axes; a label may repeat. */
  readonly operands: readonly (readonly string[])[];
  /** Labels of the result's axes. */
  readonly output: readonly string[];
  /** Size of each label. */
  readonly sizes: ReadonlyMap<string, Dim>;
}

/** Labels of an operand's axes: letters, and `...0`, `...1`, … for the axes under "...", counted from the last. */
function labelsOf(term: string, rank: number, what: string, fail: Fail): readonly string[] {
  const parts = term.split('...');
  if (parts.length > 2 || parts.some((p) => !/^[A-Za-z]*$/.test(p)))
    return fail(`${what} is "${term}", expected letters and at most one "..."`);
  const letters = parts.join('');
  if (parts.length === 1 ? letters.length !== rank : letters.length > rank)
    fail(`${what} "${term}" names ${letters.length} axes, the operand has ${rank}`);
  const hidden = Array.from(
    { length: parts.length === 1 ? 0 : rank - letters.length },
    (_, i, n = rank - letters.length) => `...${n - 1 - i}`,
  );
  return [...parts[0]!, ...hidden, ...(parts[1] ?? '')];
}

const isHidden = (label: string): boolean => label.startsWith('...');

/** Labels under "..." of all operands, the first axis first. */
const hiddenLabels = (operands: readonly (readonly string[])[]): readonly string[] =>
  [...new Set(operands.flat().filter(isHidden))].sort((a, b) => Number(b.slice(3)) - Number(a.slice(3)));

function outputOf(right: string | undefined, operands: readonly (readonly string[])[], fail: Fail): readonly string[] {
  const all = operands.flat();
  const hidden = hiddenLabels(operands);
  // Without a right side: "..." first, then the letters that occur once, in the order of their codes.
  if (right === undefined)
    return [...hidden, ...[...new Set(all)].filter((l) => !isHidden(l) && all.indexOf(l) === all.lastIndexOf(l)).sort()];
  const dots = right.includes('...');
  const output = labelsOf(right, right.replace('...', '').length + (dots ? hidden.length : 0), 'the right side', fail);
  for (const label of output) {
    if (!isHidden(label) && !all.includes(label)) fail(`the right side names the axis "${label}", which no operand has`);
    if (output.indexOf(label) !== output.lastIndexOf(label)) fail(`the right side names the axis "${label}" twice`);
  }
  return output;
}

/**
 * Resolves an equation such as `bij,bjk->bik` for operands of given shapes. Axes of one label have one size, or
 * size 1, which broadcasts.
 */
export function planEinsum(equation: string, shapes: readonly (readonly Dim[])[], env: ShapeEnv, fail: Fail): EinsumPlan {
  const [left, right, more] = equation.replaceAll(/\s/g, '').split('->');
  const terms = left!.split(',');
  if (more !== undefined || terms.length !== shapes.length)
    return fail(`equation "${equation}" has ${terms.length} terms, ${shapes.length} operands were given`);
  const operands = terms.map((term, i) => labelsOf(term, shapes[i]!.length, `term ${i}`, fail));
  const sizes = new Map<string, Dim>();
  operands.forEach((labels, i) => {
    const own = new Map<string, Dim>();
    labels.forEach((label, axis) => {
      const size = shapes[i]![axis]!;
      const known = sizes.get(label) ?? 1;
      const clash =
        env.equal(own.get(label) ?? size, size) === 'no' ||
        (env.equal(known, size) === 'no' && env.equal(known, 1) === 'no' && env.equal(size, 1) === 'no');
      if (clash)
        fail(
          `axis "${label.replace(/\d+$/, '')}" of operand ${i} ${shapeText(shapes[i]!)} has size ${shapeText([size])}, elsewhere it has ${shapeText([own.get(label) ?? known])}`,
        );
      own.set(label, size);
      if (known === 1 || (typeof known !== 'number' && typeof size === 'number' && size !== 1)) sizes.set(label, size);
    });
  });
  return { operands, output: outputOf(right, operands, fail), sizes };
}
