import fc from 'fast-check';
import { type AttrSpec, type AttrSpecs, boolScalar, dtypes, elementKind, floatScalar, intScalar, type Scalar } from '../src/index.js';
import { dimOf, sums } from './dims.js';

const floats = fc.oneof(
  fc.double(),
  fc.constantFrom(0, -0, 1, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, 5e-324),
);
const int64 = fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }));

export const scalars: fc.Arbitrary<Scalar> = fc.oneof(int64.map(intScalar), floats.map(floatScalar), fc.boolean().map(boolScalar));

/** Values that a declaration accepts. */
export function attrValues(spec: AttrSpec<any>): fc.Arbitrary<unknown> {
  const one = (kind: AttrSpec['kind']): fc.Arbitrary<unknown> => {
    switch (kind) {
      case 'int':
        return fc.integer({ min: spec.min ?? -1e9, max: spec.max ?? 1e9 });
      case 'float':
        return floats;
      case 'bool':
        return fc.boolean();
      case 'string':
        return spec.oneOf === undefined ? fc.string({ unit: 'binary' }) : fc.constantFrom(...spec.oneOf);
      case 'dtype':
        return fc.constantFrom(...dtypes);
      case 'scalar':
        return scalars;
      default:
        return sums.map(dimOf);
    }
  };
  const element = elementKind(spec.kind);
  return element === undefined ? one(spec.kind) : fc.array(one(element), { maxLength: 4 });
}

/** Attributes of a node: optional ones may be missing. */
export const attrsOf = (specs: AttrSpecs): fc.Arbitrary<Record<string, unknown>> =>
  fc.record(
    Object.fromEntries(
      Object.entries(specs).map(([name, spec]) => [
        name,
        spec.optional ? fc.option(attrValues(spec), { nil: undefined }) : attrValues(spec),
      ]),
    ),
  );
