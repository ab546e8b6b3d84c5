import { type DType, dtypeInfo, isFloat, type Scalar, type TensorType } from '@qfuse/ir';

/** torch's default dtype for results that must be floating point. */
export const defaultFloat: DType = 'f32';

const rank: Readonly<Record<string, number>> = { bool: 0, int: 1, uint: 1, float: 2 };
const category = (dtype: DType): number => rank[dtypeInfo(dtype).kind]!;

/**
 * The dtype that holds values of both, torch's `promote_types`. Unsigned with signed goes to the next wider
 * signed type (`u8`, `i8` → `i16`); f16 with bf16 goes to f32.
 */
export function promoteTypes(a: DType, b: DType): DType {
  if (a === b) return a;
  if (category(a) !== category(b)) return category(a) > category(b) ? a : b;
  const ia = dtypeInfo(a);
  const ib = dtypeInfo(b);
  if (ia.kind === 'float') return ia.bits === 16 && ib.bits === 16 ? 'f32' : ia.bits > ib.bits ? a : b;
  if (ia.kind === ib.kind) return ia.bits > ib.bits ? a : b;
  const [signed, unsigned] = ia.kind === 'int' ? [a, b] : [b, a];
  const wanted = Math.max(dtypeInfo(signed).bits, dtypeInfo(unsigned).bits * 2);
  const wider = (['i8', 'i16', 'i32', 'i64'] as const).find((d) => dtypeInfo(d).bits >= wanted);
  return wider ?? 'f32'; // torch: u64 with a signed type goes to the default float
}

/** An operand of a type promoting op. */
export type Promotable = TensorType | { readonly scalar: Scalar };

const scalarDType = (s: Scalar): DType => (s.kind === 'float' ? defaultFloat : s.kind === 'int' ? 'i64' : 'bool');

/**
 * torch's `result_type`: tensors with dims, then 0-d tensors, then Python scalars; a lower class changes the
 * result only when its category (bool < integer < float) is higher.
 */
export function resultType(operands: readonly Promotable[]): DType {
  const classes: [DType?, DType?, DType?] = [];
  for (const o of operands) {
    const [at, dtype] = 'scalar' in o ? ([2, scalarDType(o.scalar)] as const) : ([o.shape.length === 0 ? 1 : 0, o.dtype] as const);
    const known = classes[at];
    classes[at] = known === undefined ? dtype : promoteTypes(known, dtype);
  }
  let result: DType | undefined;
  for (const dtype of classes) {
    if (dtype === undefined) continue;
    if (result === undefined) result = dtype;
    else if (category(dtype) > category(result)) result = dtype;
  }
  return result ?? defaultFloat;
}

/** `dtype`, or the default float for integers and bools: results of `div`, `exp`, `mean`, … */
export const floatResult = (dtype: DType): DType => (isFloat(dtype) ? dtype : defaultFloat);
