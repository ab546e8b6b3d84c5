import { type Builder, type Dim, no, type ShapeEnv, tensorType, type Value, type Verdict, yes } from '@qfuse/plugin';
import { viewAs } from './views.js';
import { sameDim } from './weights.js';

/** Whether a value that is added to a linear is its bias: one element a column, all other axes of size 1. */
export function isBias(value: Value, columns: Dim | undefined, env: ShapeEnv): Verdict {
  const { shape } = value.type;
  return sameDim(env, shape.at(-1), columns) && shape.slice(0, -1).every((d) => d === 1)
    ? yes
    : no('what is added has not one element a column');
}

/** The same elements as `[N]`: of a constant another constant. */
export function biasOf(value: Value, b: Builder): Value {
  if (value.type.shape.length === 1) return value;
  const type = tensorType(value.type.dtype, value.type.shape.slice(-1));
  const { constant } = value;
  return constant === undefined
    ? viewAs(value, type, b)
    : b.constant(
        constant.derive('view', type, (bytes) => bytes),
        `${value.name}.view`,
      );
}
