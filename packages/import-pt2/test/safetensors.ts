import { countOf, decodeElements, type DType, type HostTensor } from '@qfuse/plugin';

const dtypes: Readonly<Record<string, DType>> = {
  F64: 'f64',
  F32: 'f32',
  F16: 'f16',
  BF16: 'bf16',
  I64: 'i64',
  I32: 'i32',
  I16: 'i16',
  I8: 'i8',
  U8: 'u8',
  BOOL: 'bool',
};

/** The tensors of a small safetensors file by name. */
export function readSafetensors(bytes: Uint8Array): ReadonlyMap<string, HostTensor> {
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return new Map(
    Object.entries(header)
      .filter(([name]) => name !== '__metadata__')
      .map(
        ([
          name,
          {
            dtype,
            shape,
            data_offsets: [from, to],
          },
        ]) => {
          const known = dtypes[dtype];
          if (known === undefined) throw new Error(`${name} has dtype ${dtype}`);
          return [
            name,
            { dtype: known, shape, data: decodeElements(known, bytes.slice(8 + length + from, 8 + length + to), countOf(shape)) },
          ];
        },
      ),
  );
}
