import { WhenceError } from '../../protocol/errors';
import type { Location, Preview } from '../../protocol/model';
import type { Dataset, ExampleArray } from '../dataset';
import { elementCount, formatDims } from '../tensor';
import { type ArrayKeys, ArrayReader, type Place, parseArray, type Row } from './exampleArrays';
import { checkIndices, neighbours } from './indices';
import { LabelEncoder } from './labels';
import { findKeys, type ReadKeys, type RecordKeys } from './recordKeys';
import { findTextKey, textRecords } from './textRecords';

/** Examples as records of named values, whatever the file: one JSON object a line, rows of Parquet or of Arrow. */
export interface Records {
  readonly format: string;
  readonly files: readonly string[];
  readonly length: number;
  /** Bytes that the values take unpacked, about: small files are read and checked whole when they are opened. */
  readonly bytes: number;
  /** Records `from` to `to - 1`; with `keys` these alone. */
  rows(from: number, to: number, keys?: readonly string[]): Promise<readonly Row[]>;
  /** How many records from `from` on make a read of handy size. */
  blockEnd(from: number): number;
  /** `line` or `row` with a number, and the file. */
  place(index: number): Place;
  locate(index: number): Location;
  indexAtLine?(line: number): number | undefined;
  /** Names of the classes that numbers under a key stand for, where the file says them. */
  classNames(key: string): readonly string[] | undefined;
  /** Gives every label under a key to the encoder, in order, faster than by `rows`. */
  encodeLabels(key: string, encoder: LabelEncoder): Promise<void>;
  preview(index: number, keys: ReadKeys): Promise<Preview>;
}

/** Up to this many bytes of values are read when the file is opened, so that what is wrong in them is told at once. */
const wholeBytes = 2 ** 26;
/** Elements that sequences and arrays beside each other may come to: they are held in memory. */
const mostElements = 2 ** 29;

/**
 * Records as examples. Small files are read whole; of large ones the labels alone, and features by ranges when they are asked
 * for. Fails with `config-invalid` where keys are missing or cannot be told, with `malformed-file` and the place where a value
 * is wrong.
 */
export async function recordsDataset(
  records: Records,
  keys: RecordKeys,
  classes: readonly string[] | undefined,
): Promise<Dataset> {
  const first = (await records.rows(0, 1))[0]!;
  const textKey = findTextKey(first, keys);
  if (textKey !== undefined) return textRecords(records, textKey, keys, classes);
  const found = findKeys(first, keys, records.place(0));
  const { label, tokenLabels, arrays } = found;
  const own = classes ?? (label === undefined ? undefined : records.classNames(label));
  const encoder = new LabelEncoder(own, (index) => keyed(records.place(index), label));
  const isStreamed = records.bytes > wholeBytes && arrays.length === 1 && !arrays[0]!.ragged;
  const read = isStreamed ? undefined : await readWhole(records, arrays, tokenLabels ? undefined : label, encoder);
  if (isStreamed) await streamLabels(records, label, encoder);
  const [primary] = arrays as [ArrayKeys, ...ArrayKeys[]];
  const dims = read?.[0]?.dims ?? parseArray(first, primary.keys, records.place(0)).dims;
  const encoded = encoder.finish();
  const names = encoded.classes ?? (label === undefined ? undefined : records.classNames(label));
  return {
    format: records.format,
    files: records.files,
    length: records.length,
    featureDims: dims,
    labels: encoded.labels,
    ...(read ? { arrays: read } : {}),
    ...(tokenLabels === undefined ? {} : { tokenLabels }),
    ...(names ? { classes: names } : {}),
    async batch(indices) {
      checkIndices(indices, records.length, records.files[0]!);
      const inputs = read ? gathered(read[0]!, indices) : await readFeatures(records, primary, dims, indices);
      return { inputs, labels: Float64Array.from(indices, (index) => encoded.labels[index]!) };
    },
    async preview(index) {
      checkIndices([index], records.length, records.files[0]!);
      return records.preview(index, found);
    },
    locate: (index) => records.locate(index),
    ...(records.indexAtLine ? { indexAtLine: records.indexAtLine } : {}),
  };
}

async function readWhole(
  records: Records,
  arrays: readonly ArrayKeys[],
  label: string | undefined,
  encoder: LabelEncoder,
): Promise<ExampleArray[]> {
  const readers = arrays.map((array) => new ArrayReader(array, records.length, mostElements));
  const wanted = [...arrays.flatMap(({ keys }) => keys), ...(label === undefined ? [] : [label])];
  for (let from = 0; from < records.length; ) {
    const to = records.blockEnd(from);
    const rows = await records.rows(from, to, wanted);
    rows.forEach((row, offset) => {
      const place = records.place(from + offset);
      for (const reader of readers) reader.read(row, place);
      addLabel(row, label, encoder, place);
    });
    from = to;
  }
  return readers.map((reader) => reader.finish());
}

async function streamLabels(records: Records, label: string | undefined, encoder: LabelEncoder): Promise<void> {
  if (label !== undefined) return records.encodeLabels(label, encoder);
  for (let index = 0; index < records.length; index++) encoder.addNumber(Number.NaN);
}

/** The label of a record, as the encoder takes it: a name, a number, true or false as 1 or 0, or none. */
export function addLabel(row: Row, key: string | undefined, encoder: LabelEncoder, place: Place): void {
  const value = key === undefined ? undefined : row[key];
  if (value === undefined || value === null) encoder.addNumber(Number.NaN);
  else if (typeof value === 'string') encoder.add(value);
  else if (typeof value === 'number') encoder.addNumber(value);
  else if (typeof value === 'boolean') encoder.addNumber(value ? 1 : 0);
  else {
    const message = `${place.name} has a label that is neither a name nor a number.`;
    throw new WhenceError('malformed-file', message, keyed(place, key));
  }
}

/** Features of the records `indices`; neighbours are read together. */
async function readFeatures(
  records: Records,
  array: ArrayKeys,
  dims: readonly number[],
  indices: readonly number[],
): Promise<Float32Array> {
  const size = elementCount(dims);
  const inputs = new Float32Array(indices.length * size);
  for (const [at, from, to] of neighbours(indices)) {
    const rows = await records.rows(from, to, array.keys);
    rows.forEach((row, offset) => {
      const place = records.place(from + offset);
      const parsed = parseArray(row, array.keys, place);
      if (formatDims(parsed.dims) !== formatDims(dims)) throw otherShape(place, parsed.dims, dims);
      inputs.set(parsed.values, (at + offset) * size);
    });
  }
  return inputs;
}

function otherShape(place: Place, found: readonly number[], dims: readonly number[]): WhenceError {
  const message = `${place.name} has features of shape ${formatDims(found)}, the first one ${formatDims(dims)}.`;
  return new WhenceError('malformed-file', message, { file: place.file, place: place.place });
}

function gathered({ values, dims }: ExampleArray, indices: readonly number[]): Float32Array {
  const size = elementCount(dims);
  const inputs = new Float32Array(indices.length * size);
  indices.forEach((index, row) => {
    inputs.set(values.subarray(index * size, (index + 1) * size), row * size);
  });
  return inputs;
}

function keyed({ file, place }: Place, key: string | undefined) {
  return { file, place: key === undefined ? place : `${place}, key ${key}` };
}
