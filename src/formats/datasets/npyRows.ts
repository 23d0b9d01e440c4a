import { fromFloat16 } from '../../onnx/float16';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { type NpyHeader, readNpyHeader, toRowMajor, unsupportedDescr } from '../npy';
import { elementCount, formatDims } from '../tensor';
import { checkShape, type ExampleRows } from './arrayDataset';
import { neighbours } from './indices';
import { type EncodedLabels, LabelEncoder } from './labels';

type Get = (view: DataView, offset: number, isLittle: boolean) => number;

/** Element types by kind and size in bytes, as they stand in NumPy's names after the byte order. */
const getters: Readonly<Record<string, Get>> = {
  b1: (view, at) => view.getUint8(at),
  u1: (view, at) => view.getUint8(at),
  i1: (view, at) => view.getInt8(at),
  u2: (view, at, little) => view.getUint16(at, little),
  i2: (view, at, little) => view.getInt16(at, little),
  u4: (view, at, little) => view.getUint32(at, little),
  i4: (view, at, little) => view.getInt32(at, little),
  u8: (view, at, little) => Number(view.getBigUint64(at, little)),
  i8: (view, at, little) => Number(view.getBigInt64(at, little)),
  f2: (view, at, little) => fromFloat16(view.getUint16(at, little)),
  f4: (view, at, little) => view.getFloat32(at, little),
  f8: (view, at, little) => view.getFloat64(at, little),
};

/** Columns first means that no row lies in one piece: such an array is turned in memory up to this size. */
const largestTurned = 2 ** 30;
const longestText = 2 ** 16;

/** An array of a .npy file, by rows of its first axis. */
interface NpyArray {
  readonly source: ByteSource;
  readonly header: NpyHeader;
  readonly elementBytes: number;
  readonly isLittle: boolean;
  readonly type: string;
}

async function openArray(source: ByteSource): Promise<NpyArray> {
  const header = await readNpyHeader(source);
  const { descr, dims, offset } = header;
  const [, order, type, size] = /^([<>|=])([a-zA-Z])(\d+)$/.exec(descr) ?? [];
  if (!type || !size || (!(type + size in getters) && !'US'.includes(type))) throw unsupportedDescr(source.path, descr);
  const elementBytes = Number(size) * (type === 'U' ? 4 : 1);
  checkShape(dims, source.path, 'byte 10');
  const end = offset + elementCount(dims) * elementBytes;
  if (end > source.size) {
    const message = `An array of shape ${formatDims(dims)} ends at byte ${end}, the file at ${source.size}.`;
    throw new WhenceError('truncated-file', message, {
      file: source.path,
      place: `byte ${source.size}`,
      mend: 'Copy or save the file again: it is not complete.',
    });
  }
  if (end < source.size) {
    const message = `${source.size - end} bytes follow the array's last element.`;
    throw new WhenceError('malformed-file', message, { file: source.path, place: `byte ${end}` });
  }
  const array = {
    source,
    header,
    elementBytes,
    isLittle: order !== '>',
    type: 'US'.includes(type) ? type : type + size,
  };
  return header.fortranOrder && dims.length > 1 ? turned(array) : array;
}

async function turned(array: NpyArray): Promise<NpyArray> {
  const { source, header, elementBytes } = array;
  const length = source.size - header.offset;
  if (length > largestTurned) {
    throw new WhenceError('unsupported-format', `The array of ${length} bytes is stored column by column.`, {
      file: source.path,
      place: 'byte 10',
      mend: 'Save it row by row: numpy.save(path, numpy.ascontiguousarray(array)).',
    });
  }
  const bytes = toRowMajor(await source.read(header.offset, length), header.dims, elementBytes);
  const inMemory: ByteSource = {
    path: source.path,
    size: length,
    read: async (from, count) => bytes.slice(from, from + count),
  };
  return { ...array, source: inMemory, header: { ...header, offset: 0 } };
}

/** Features of a .npy file: numbers of any type, one example a row. */
export async function openNpyRows(source: ByteSource): Promise<ExampleRows> {
  const array = await openArray(source);
  const [count, ...dims] = array.header.dims as [number, ...number[]];
  const get = getters[array.type];
  if (!get) throw unsupportedDescr(source.path, array.header.descr);
  const size = elementCount(dims);
  return {
    count,
    dims,
    isBytes: array.type === 'u1',
    async read(indices) {
      const values = new Float32Array(indices.length * size);
      for (const [at, from, to] of neighbours(indices)) {
        const view = await readView(array, from * size, to * size);
        const base = at * size;
        for (let i = 0; i < (to - from) * size; i++)
          values[base + i] = get(view, i * array.elementBytes, array.isLittle);
      }
      return values;
    },
    // Of an array that was turned, no row lies in one place.
    locate: (index) => ({
      file: source.path,
      index,
      ...(array.source === source ? { byte: array.header.offset + index * size * array.elementBytes } : {}),
    }),
  };
}

/** Labels of a .npy file, one a row: numbers, or names as NumPy's fixed-width texts. */
export async function readNpyLabels(
  source: ByteSource,
  examples: number,
  features: string,
  classes: readonly string[] | undefined,
): Promise<EncodedLabels> {
  const array = await openArray(source);
  const [count = 0, ...dims] = array.header.dims;
  if (elementCount(dims) !== 1) {
    const message = `Labels have one dimension; this array has the shape ${formatDims(array.header.dims)}.`;
    const mend = 'Save one label an example; of one-hot rows, array.argmax(1).';
    throw new WhenceError('malformed-file', message, { file: source.path, place: 'byte 10', mend });
  }
  if (count !== examples) {
    throw new WhenceError('malformed-file', `There are ${count} labels for the ${examples} examples of ${features}.`, {
      file: source.path,
      place: 'byte 10',
      mend: 'Name the array of labels that belongs to the features.',
    });
  }
  const encoder = new LabelEncoder(classes, (index) => ({ file: source.path, place: `example ${index}` }));
  const get = getters[array.type];
  const rows = 2 ** 16;
  for (let from = 0; from < count; from += rows) {
    const to = Math.min(count, from + rows);
    const view = await readView(array, from, to);
    for (let at = 0; at < view.byteLength; at += array.elementBytes) {
      if (get) encoder.addNumber(get(view, at, array.isLittle));
      else encoder.add(fixedText(view, at, array));
    }
  }
  return encoder.finish();
}

async function readView({ source, header, elementBytes }: NpyArray, from: number, to: number): Promise<DataView> {
  const bytes = await source.read(header.offset + from * elementBytes, (to - from) * elementBytes);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A text of fixed width, filled up with zeros: UTF-32 for U, bytes for S. */
function fixedText(view: DataView, at: number, { type, elementBytes, isLittle, source, header }: NpyArray): string {
  if (elementBytes > longestText) throw unsupportedDescr(source.path, header.descr);
  let text = '';
  const width = type === 'U' ? 4 : 1;
  for (let i = 0; i < elementBytes; i += width) {
    const code = type === 'U' ? view.getUint32(at + i, isLittle) : view.getUint8(at + i);
    if (code === 0) break;
    if (code > 0x10ffff) {
      throw new WhenceError('malformed-file', `A label has the character ${code}, which Unicode does not know.`, {
        file: source.path,
        place: `byte ${header.offset}`,
      });
    }
    text += String.fromCodePoint(code);
  }
  return text;
}
