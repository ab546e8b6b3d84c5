import type { DType } from '@qfuse/plugin';
import { unsupported, programError } from './errors.js';

/** torch's `ScalarType` numbers as they are serialized (`schema.py`): a dtype of ours, or the name of one that is refused. */
const scalarTypes: ReadonlyMap<number, { readonly name: string; readonly dtype?: DType }> = new Map([
  [1, { name: 'uint8', dtype: 'u8' }],
  [2, { name: 'int8', dtype: 'i8' }],
  [3, { name: 'int16', dtype: 'i16' }],
  [4, { name: 'int32', dtype: 'i32' }],
  [5, { name: 'int64', dtype: 'i64' }],
  [6, { name: 'float16', dtype: 'f16' }],
  [7, { name: 'float32', dtype: 'f32' }],
  [8, { name: 'float64', dtype: 'f64' }],
  [9, { name: 'complex32' }],
  [10, { name: 'complex64' }],
  [11, { name: 'complex128' }],
  [12, { name: 'bool', dtype: 'bool' }],
  [13, { name: 'bfloat16', dtype: 'bf16' }],
  [28, { name: 'uint16', dtype: 'u16' }],
  [29, { name: 'float8_e4m3fn' }],
  [30, { name: 'float8_e5m2' }],
  [31, { name: 'float8_e4m3fnuz' }],
  [32, { name: 'float8_e5m2fnuz' }],
  [33, { name: 'float8_e8m0fnu' }],
  [34, { name: 'uint32', dtype: 'u32' }],
  [35, { name: 'uint64', dtype: 'u64' }],
]);

/**
 * The dtype of a serialized `ScalarType`.
 * @param what - whose dtype it is, for messages
 * @throws QfuseError `pt2/unsupported-dtype` for one that qfuse does not have, `pt2/program` for an unknown number
 */
export function dtypeOf(scalarType: number, what: string): DType {
  const known = scalarTypes.get(scalarType);
  if (known === undefined) throw programError(`${what} has scalar type ${scalarType}, which torch does not define`);
  if (known.dtype === undefined) throw unsupported('dtype', `${what} has dtype ${known.name}, which qfuse does not support`);
  return known.dtype;
}
