import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { isPickle } from '../pickle/pickle';
import { arrayDataset } from './arrayDataset';
import { readPickledBatch, readPickledNames } from './cifarPickle';
import { checkIndices } from './indices';

/** Which of CIFAR-100's two labels. */
export type CifarLabel = 'fine' | 'coarse';

const dims = [3, 32, 32];
const pixelBytes = 3072;

/** One batch: pictures planes first (red, green, blue), and their labels. */
interface Batch {
  readonly path: string;
  readonly count: number;
  readonly labels: readonly number[];
  readonly classes: number;
  pixels(index: number): Promise<Uint8Array>;
  /** Where a picture's pixels begin, in the binary version. */
  byte(index: number): number | undefined;
}

/** Opens a file beside another one; undefined where there is none. */
export type OpenBeside = (name: string) => Promise<ByteSource | undefined>;

/** True for names of batches, and content that they can begin with. */
export function isCifar(head: Uint8Array, name: string): boolean {
  const isBinary =
    /(^|[\\/])(data_batch_\d+|test_batch|train|test)\.bin$/i.test(name) && head.length > 0 && head[0]! < 100;
  return isBinary || (/(^|[\\/])(data_batch_\d+|test_batch|train|test)$/i.test(name) && isPickle(head));
}

/**
 * Batches of CIFAR-10 or CIFAR-100, in the binary or the Python version: https://www.cs.toronto.edu/~kriz/cifar.html. The
 * classes' names are read in the file that comes with them, where it still lies beside.
 */
export async function openCifarDataset(
  sources: readonly ByteSource[],
  label: CifarLabel = 'fine',
  beside: OpenBeside = async () => undefined,
): Promise<Dataset> {
  const batches = await Promise.all(sources.map((source) => openBatch(source, label)));
  const starts: number[] = [];
  let count = 0;
  for (const batch of batches) {
    starts.push(count);
    count += batch.count;
  }
  const find = (index: number) => {
    let at = 0;
    while (at + 1 < batches.length && starts[at + 1]! <= index) at++;
    return { batch: batches[at]!, own: index - starts[at]! };
  };
  const names = await classNames(batches[0]!, label, beside);
  const rows = {
    count,
    dims,
    isBytes: true,
    async read(indices: readonly number[]) {
      checkIndices(indices, count, batches[0]!.path);
      const values = new Float32Array(indices.length * pixelBytes);
      for (const [row, index] of indices.entries()) {
        const { batch, own } = find(index);
        values.set(await batch.pixels(own), row * pixelBytes);
      }
      return values;
    },
    locate(index: number) {
      const { batch, own } = find(index);
      const byte = batch.byte(own);
      return { file: batch.path, index, row: own + 1, ...(byte === undefined ? {} : { byte }) };
    },
  };
  const labels = Float64Array.from(batches.flatMap((batch) => batch.labels));
  return arrayDataset(
    'cifar',
    batches.map(({ path }) => path),
    rows,
    { labels, ...(names ? { classes: names } : {}) },
  );
}

async function openBatch(source: ByteSource, label: CifarLabel): Promise<Batch> {
  const head = await source.read(0, Math.min(2, source.size));
  const batch = isPickle(head) ? await pickled(source, label) : await binary(source, label);
  if (batch.count === 0) throw new WhenceError('empty-data', 'The batch holds no pictures.', { file: source.path });
  const wrong = batch.labels.findIndex((value) => !(Number.isInteger(value) && value >= 0 && value < batch.classes));
  if (wrong < 0) return batch;
  throw new WhenceError('label-out-of-range', `Picture ${wrong} has the label ${batch.labels[wrong]}.`, {
    file: source.path,
    place: `picture ${wrong}`,
    mend: `Labels of this file are 0 to ${batch.classes - 1}: copy it again, or name another format in whence.json.`,
  });
}

async function pickled(source: ByteSource, label: CifarLabel): Promise<Batch> {
  const { pixels, rowBytes, labels } = await readPickledBatch(source);
  const isHundred = labels.has('fine_labels');
  const own = labels.get(isHundred ? `${label}_labels` : 'labels');
  if (!own || rowBytes !== pixelBytes) {
    throw new WhenceError('malformed-file', `The batch has no labels, or no pictures of ${pixelBytes} bytes.`, {
      file: source.path,
      mend: 'Name the batches as the CIFAR page offers them, for example data_batch_1.',
    });
  }
  return {
    path: source.path,
    count: own.length,
    labels: own,
    classes: classCount(isHundred, label),
    pixels: async (index) => pixels.subarray(index * pixelBytes, (index + 1) * pixelBytes),
    byte: () => undefined,
  };
}

async function binary(source: ByteSource, label: CifarLabel): Promise<Batch> {
  // Records of CIFAR-10 have one byte of labels before the pixels, those of CIFAR-100 two.
  const isTen = source.size % (pixelBytes + 1) === 0;
  const isHundred = source.size % (pixelBytes + 2) === 0 && !(isTen && /batch/i.test(source.path));
  if (!isTen && !isHundred) {
    throw new WhenceError('truncated-file', `${source.size} bytes are no whole number of pictures.`, {
      file: source.path,
      place: `byte ${source.size}`,
      mend: 'Copy or download the file again: it is not complete.',
    });
  }
  const labelBytes = isHundred ? 2 : 1;
  const record = pixelBytes + labelBytes;
  const count = source.size / record;
  const labels: number[] = [];
  const chunk = 4096;
  for (let from = 0; from < count; from += chunk) {
    const bytes = await source.read(from * record, Math.min(chunk, count - from) * record);
    for (let at = 0; at < bytes.length; at += record)
      labels.push(bytes[at + (label === 'coarse' ? 0 : labelBytes - 1)]!);
  }
  const byte = (index: number) => index * record + labelBytes;
  return {
    path: source.path,
    count,
    labels,
    classes: classCount(isHundred, label),
    pixels: (index) => source.read(byte(index), pixelBytes),
    byte,
  };
}

function classCount(isHundred: boolean, label: CifarLabel): number {
  if (!isHundred) return 10;
  return label === 'fine' ? 100 : 20;
}

/** The list beside the batches that is as long as there are classes; a damaged one is none. */
async function classNames({ classes }: Batch, label: CifarLabel, beside: OpenBeside): Promise<string[] | undefined> {
  for (const name of ['batches.meta.txt', `${label}_label_names.txt`, 'batches.meta', 'meta']) {
    const source = await beside(name);
    if (!source) continue;
    try {
      const lists = name.endsWith('.txt') ? [await lines(source)] : [...(await readPickledNames(source)).values()];
      const found = lists.find((list) => list.length === classes);
      if (found) return [...found];
    } catch {
      // Without names, classes are numbers.
    }
  }
  return undefined;
}

async function lines(source: ByteSource): Promise<string[]> {
  const text = new TextDecoder('utf-8').decode(await source.read(0, Math.min(source.size, 2 ** 16)));
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}
