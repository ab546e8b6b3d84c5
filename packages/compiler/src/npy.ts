import { byteLength, countOf, decodeElements, type DType, encodeElements, type HostTensor, QfuseError } from '@qfuse/ir';

const types: Readonly<Record<string, DType>> = {
  f8: 'f64',
  f4: 'f32',
  f2: 'f16',
  i8: 'i64',
  i4: 'i32',
  i2: 'i16',
  i1: 'i8',
  u8: 'u64',
  u4: 'u32',
  u2: 'u16',
  u1: 'u8',
  b1: 'bool',
};

const damaged = (what: string): QfuseError => new QfuseError('npy/damaged', `not a whole .npy array: ${what}`);

/**
 * Reads one array in numpy's `.npy` format (versions 1 to 3), C or Fortran order, either byte order.
 * @throws QfuseError `npy/damaged` or `npy/dtype`
 */
export function readNpy(bytes: Uint8Array): HostTensor {
  if (bytes.length < 10 || bytes[0] !== 0x93 || new TextDecoder('latin1').decode(bytes.subarray(1, 6)) !== 'NUMPY')
    throw damaged('the magic "\\x93NUMPY" is missing');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wide = bytes[6]! >= 2;
  if (wide && bytes.length < 12) throw damaged('its header is cut off');
  const start = wide ? 12 : 10;
  const length = wide ? view.getUint32(8, true) : view.getUint16(8, true);
  if (start + length > bytes.length) throw damaged('its header is cut off');
  const header = new TextDecoder('latin1').decode(bytes.subarray(start, start + length));
  const descr = /'descr':\s*'([<>|=])([a-zA-Z])(\d+)'/.exec(header);
  const order = /'fortran_order':\s*(True|False)/.exec(header);
  const shape = /'shape':\s*\(([\d,\s]*)\)/.exec(header);
  if (order === null || shape === null) throw damaged('its header has no shape or order');
  const dtype = descr === null ? undefined : types[`${descr[2]}${descr[3]}`];
  if (dtype === undefined)
    throw new QfuseError(
      'npy/dtype',
      `the array's dtype ${/'descr':\s*([^,]*)/.exec(header)?.[1] ?? ''} is not supported: expected a plain float, integer or bool array`,
    );
  const dims = shape[1]!
    .split(',')
    .map((s) => s.trim())
    .filter(Boolean)
    .map(Number);
  const count = countOf(dims);
  const size = byteLength(dtype, count);
  if (bytes.length - start - length < size) throw damaged(`it has ${bytes.length - start - length} bytes of data, expected ${size}`);
  const raw = bytes.slice(start + length, start + length + size);
  if (descr![1] === '>') swapBytes(raw, Number(descr![3]));
  const data = decodeElements(dtype, raw, count);
  return { dtype, shape: dims, data: order[1] === 'True' ? fromFortran(data, dims) : data };
}

function swapBytes(raw: Uint8Array, width: number): void {
  for (let i = 0; i < raw.length; i += width) raw.subarray(i, i + width).reverse();
}

function fromFortran(data: HostTensor['data'], shape: readonly number[]): HostTensor['data'] {
  const out = data.slice();
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) at = at * shape[axis]! + index[axis]!;
    out[i] = data[at]!;
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
  return out;
}

/** Writes a host tensor in `.npy` format, version 1. bf16 is written as f32, which numpy can read. */
export function writeNpy(tensor: HostTensor): Uint8Array {
  const dtype = tensor.dtype === 'bf16' ? 'f32' : tensor.dtype;
  const code = Object.entries(types).find(([, d]) => d === dtype)?.[0];
  if (code === undefined) throw new QfuseError('npy/dtype', `a ${dtype} tensor cannot be written as .npy`, { help: 'write .safetensors' });
  const order = byteLength(dtype, 1) === 1 ? '|' : '<';
  const shape = tensor.shape.length === 1 ? `${tensor.shape[0]},` : tensor.shape.join(', ');
  let header = `{'descr': '${order}${code}', 'fortran_order': False, 'shape': (${shape}), }`;
  header += `${' '.repeat(63 - ((10 + header.length) % 64))}\n`;
  const data = encodeElements(dtype, tensor.data);
  const out = new Uint8Array(10 + header.length + data.length);
  out.set([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, header.length & 255, header.length >> 8]);
  out.set(new TextEncoder().encode(header), 10);
  out.set(data, 10 + header.length);
  return out;
}
