import type { Fail } from '../../shapes.js';

/** For code that runs after the shape rule accepted its operands, as decompositions do: a refusal there is a bug. */
export const checked: Fail = (why) => {
  throw new Error(`operands that the shape rule accepted are refused: ${why}`);
};
