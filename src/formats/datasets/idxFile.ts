import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { elementCount, formatDims } from '../tensor';

interface ElementType {
  readonly name: string;
  readonly bytes: number;
  get(view: DataView, offset: number): number;
}

/** Element types by the third byte of the magic number; IDX is big-endian throughout. */
const elementTypes: Readonly<Record<number, ElementType>> = {
  8: { name: 'uint8', bytes: 1, get: (view, offset) => view.getUint8(offset) },
  9: { name: 'int8', bytes: 1, get: (view, offset) => view.getInt8(offset) },
  11: { name: 'int16', bytes: 2, get: (view, offset) => view.getInt16(offset) },
  12: { name: 'int32', bytes: 4, get: (view, offset) => view.getInt32(offset) },
  13: { name: 'float32', bytes: 4, get: (view, offset) => view.getFloat32(offset) },
  14: { name: 'float64', bytes: 8, get: (view, offset) => view.getFloat64(offset) },
};

/** An IDX file as its header describes it and its size confirms: `count` records of shape `dims` from `offset`. */
export interface IdxFile {
  readonly source: ByteSource;
  readonly type: string;
  readonly bytesPerElement: number;
  readonly count: number;
  readonly dims: readonly number[];
  readonly offset: number;
  get(view: DataView, offset: number): number;
}

/** True for bytes that can begin an IDX file. */
export function isIdx(head: Uint8Array): boolean {
  return (
    head.length >= 8 && head[0] === 0 && head[1] === 0 && head[2]! in elementTypes && head[3]! >= 1 && head[3]! <= 4
  );
}

/** Reads an IDX header (http://yann.lecun.com/exdb/mnist). Fails with `malformed-file`, `truncated-file` or `empty-data`. */
export async function openIdx(source: ByteSource): Promise<IdxFile> {
  const file = source.path;
  const head = await source.read(0, Math.min(20, source.size));
  if (!isIdx(head)) {
    const found = [...head.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new WhenceError(
      'malformed-file',
      `An IDX file begins with 00 00, a type and a rank; this one with ${found}.`,
      {
        file,
        place: 'byte 0',
        mend: 'Name the file of images or labels as it was downloaded (.gz may stay).',
      },
    );
  }
  const type = elementTypes[head[2]!]!;
  const rank = head[3]!;
  const offset = 4 + 4 * rank;
  if (head.length < offset) {
    throw new WhenceError('truncated-file', `The file ends inside its header of ${offset} bytes.`, {
      file,
      place: `byte ${source.size}`,
    });
  }
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const [count = 0, ...dims] = Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
  const recordBytes = elementCount(dims) * type.bytes;
  checkSize(source, count, dims, recordBytes, offset);
  return { source, type: type.name, bytesPerElement: type.bytes, count, dims, offset, get: type.get };
}

function checkSize(source: ByteSource, count: number, dims: readonly number[], recordBytes: number, offset: number) {
  const file = source.path;
  if (count === 0 || recordBytes === 0) {
    throw new WhenceError('empty-data', `The header gives the shape ${formatDims([count, ...dims])}: no examples.`, {
      file,
      place: 'byte 4',
      mend: 'Write the file again, or name another one in whence.json.',
    });
  }
  const end = offset + count * recordBytes;
  if (end > source.size) {
    const whole = Math.max(0, Math.floor((source.size - offset) / recordBytes));
    throw new WhenceError(
      'truncated-file',
      `The header promises ${count} examples, but the file ends in number ${whole}.`,
      {
        file,
        place: `byte ${source.size}, example ${whole}`,
        mend: 'Copy or download the file again: it is not complete.',
      },
    );
  }
  if (end < source.size) {
    throw new WhenceError('malformed-file', `${source.size - end} bytes follow the last of ${count} examples.`, {
      file,
      place: `byte ${end}`,
    });
  }
}

/** Raw bytes of records `indices`, in that order. Neighbours are read together: a batch in file order is one read. */
export async function readRecords(idx: IdxFile, indices: readonly number[]): Promise<Uint8Array> {
  const size = elementCount(idx.dims) * idx.bytesPerElement;
  const bytes = new Uint8Array(indices.length * size);
  for (let from = 0; from < indices.length; ) {
    let to = from + 1;
    while (to < indices.length && indices[to] === indices[to - 1]! + 1) to++;
    bytes.set(await idx.source.read(idx.offset + indices[from]! * size, (to - from) * size), from * size);
    from = to;
  }
  return bytes;
}

/** Big-endian elements as numbers, written into `values`. */
export function decodeElements(idx: IdxFile, bytes: Uint8Array, values: Float32Array | Float64Array): void {
  if (idx.type === 'uint8') {
    values.set(bytes);
    return;
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let index = 0; index < values.length; index++) values[index] = idx.get(view, index * idx.bytesPerElement);
}
