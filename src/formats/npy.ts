import { bytesPerElement, type DType } from '../onnx/dtype';
import type { Tensor } from '../onnx/runtime';
import { bytesOf, tensorFromBytes } from '../onnx/tensor';
import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';
import { elementCount, formatDims } from './tensor';

const dtypeOfDescr: Readonly<Record<string, Exclude<DType, 'string' | 'bfloat16'>>> = {
  '<f4': 'float32',
  '<f8': 'float64',
  '<f2': 'float16',
  '|i1': 'int8',
  '<i2': 'int16',
  '<i4': 'int32',
  '<i8': 'int64',
  '|u1': 'uint8',
  '<u2': 'uint16',
  '<u4': 'uint32',
  '<u8': 'uint64',
  '|b1': 'bool',
};

const magic = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
const longestHeader = 2 ** 20;

/**
 * Reads a NumPy array file of format version 1 to 3: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
 * Fortran order is turned into row-major. Fails with `malformed-file`, `truncated-file`, or `unsupported-dtype` for
 * objects, structures and big-endian numbers.
 */
export async function readNpy(source: ByteSource): Promise<Tensor> {
  const { descr, dims, fortranOrder, offset: end } = await readNpyHeader(source);
  const dtype = Object.hasOwn(dtypeOfDescr, descr) ? dtypeOfDescr[descr] : undefined;
  if (!dtype) throw unsupportedDescr(source.path, descr);
  const size = bytesPerElement[dtype];
  const length = elementCount(dims) * size;
  if (end + length > source.size) {
    throw new WhenceError(
      'truncated-file',
      `An array of shape ${formatDims(dims)} needs ${length} bytes, but only ${source.size - end} follow the header.`,
      { file: source.path, place: `byte ${end}` },
    );
  }
  if (end + length < source.size) {
    throw malformed(
      source,
      `byte ${end + length}`,
      `${source.size - end - length} bytes follow the array's last element.`,
    );
  }
  const bytes = await source.read(end, length);
  return tensorFromBytes(dtype, dims, fortranOrder ? toRowMajor(bytes, dims, size) : bytes);
}

/** What a .npy file says of its array. */
export interface NpyHeader {
  /** NumPy's name of the elements' type, as `<f4`; `record` where they are structures. */
  readonly descr: string;
  readonly dims: readonly number[];
  readonly fortranOrder: boolean;
  /** Byte of the first element. */
  readonly offset: number;
}

/** Reads the header of a .npy file, and nothing of its array. */
export async function readNpyHeader(source: ByteSource): Promise<NpyHeader> {
  const head = await source.read(0, Math.min(12, source.size));
  if (!isNpy(head)) throw malformed(source, 'byte 0', 'This is no .npy file.');
  const wide = (head[6] ?? 0) >= 2;
  const start = wide ? 12 : 10;
  if (source.size < start) {
    throw new WhenceError('truncated-file', 'The file ends inside its header.', { file: source.path, place: 'byte 8' });
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const offset = start + (wide ? view.getUint32(8, true) : view.getUint16(8, true));
  if (offset > source.size) {
    throw new WhenceError('truncated-file', `The header claims to end at byte ${offset}, the file at ${source.size}.`, {
      file: source.path,
      place: 'byte 8',
    });
  }
  if (offset > longestHeader) throw malformed(source, 'byte 8', `A header of ${offset} bytes is no array's.`);
  const text = new TextDecoder('utf-8').decode(await source.read(start, offset - start));
  const descr = /'descr':\s*'([^']*)'/.exec(text)?.[1] ?? 'record';
  const fortran = /'fortran_order':\s*(True|False)/.exec(text)?.[1];
  const shape = /'shape':\s*\(([\d\s,]*)\)/.exec(text)?.[1];
  if (fortran === undefined || shape === undefined) {
    throw malformed(source, 'byte 10', 'The header does not give order and shape.');
  }
  const dims = shape.split(',').flatMap((size) => (size.trim() ? [Number(size)] : []));
  return { descr, dims, fortranOrder: fortran === 'True', offset };
}

/** True for bytes that begin a .npy file. */
export function isNpy(head: Uint8Array): boolean {
  return magic.every((byte, index) => head[index] === byte);
}

export function unsupportedDescr(file: string, descr: string): WhenceError {
  return new WhenceError('unsupported-dtype', `Arrays of type ${descr} are not read.`, {
    file,
    place: 'byte 10',
    mend: 'Save the array as plain little-endian numbers, for example array.astype(numpy.float32).',
  });
}

/** Elements in the order of the last axis from those in the order of the first; `size` bytes each. */
export function toRowMajor(bytes: Uint8Array, dims: readonly number[], size: number): Uint8Array {
  const result = new Uint8Array(bytes.length);
  const position = dims.map(() => 0);
  const strides: number[] = [];
  dims.reduce((stride, dim) => {
    strides.push(stride);
    return stride * dim;
  }, size);
  for (let to = 0; to < bytes.length; to += size) {
    let from = 0;
    for (let axis = 0; axis < dims.length; axis++) from += position[axis]! * strides[axis]!;
    for (let byte = 0; byte < size; byte++) result[to + byte] = bytes[from + byte]!;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      position[axis]!++;
      if (position[axis]! < dims[axis]!) break;
      position[axis] = 0;
    }
  }
  return result;
}

/** A tensor as a version 1.0 .npy file. NumPy has no bfloat16 and Whence no string tensors: `unsupported-dtype`. */
export function encodeNpy(tensor: Tensor): Uint8Array {
  const descr = Object.keys(dtypeOfDescr).find((key) => dtypeOfDescr[key] === tensor.dtype);
  if (!descr) throw new WhenceError('unsupported-dtype', `A .npy file cannot hold ${tensor.dtype}.`);
  const shape = tensor.dims.length === 1 ? `(${tensor.dims[0]},)` : `(${tensor.dims.join(', ')})`;
  const dictionary = `{'descr': '${descr}', 'fortran_order': False, 'shape': ${shape}, }`;
  const dataStart = Math.ceil((10 + dictionary.length + 1) / 64) * 64;
  const body = bytesOf(tensor);
  const file = new Uint8Array(dataStart + body.length).fill(0x20, 0, dataStart);
  file.set([...magic, 1, 0]);
  new DataView(file.buffer).setUint16(8, dataStart - 10, true);
  file.set(new TextEncoder().encode(dictionary), 10);
  file[dataStart - 1] = 0x0a;
  file.set(body, dataStart);
  return file;
}

function malformed(source: ByteSource, place: string, message: string): WhenceError {
  return new WhenceError('malformed-file', message, { file: source.path, place });
}
