import { WhenceError } from '../../protocol/errors';
import type { Location } from '../../protocol/model';
import type { Dataset } from '../dataset';
import { elementCount, formatDims } from '../tensor';
import { arrayPictures } from './arrayPictures';
import { arrayPreview } from './arrayPreview';
import { checkIndices } from './indices';
import type { EncodedLabels } from './labels';

/** Examples as rows of an array in a file: the first axis counts them. */
export interface ExampleRows {
  readonly count: number;
  /** Shape of one. */
  readonly dims: readonly number[];
  /** Whether values are bytes, which are pixels as they are. */
  readonly isBytes: boolean;
  /** Rows `indices`, in that order, row-major. */
  read(indices: readonly number[]): Promise<Float32Array>;
  locate(index: number): Location;
}

/** A data set of rows with their labels. `place` is where the features' shape stands, for messages. */
export function arrayDataset(
  format: string,
  files: readonly string[],
  rows: ExampleRows,
  { labels, classes }: EncodedLabels,
): Dataset {
  const dims = rows.dims.length > 0 ? rows.dims : [1];
  const read = async (indices: readonly number[]) => {
    checkIndices(indices, rows.count, files[0]!);
    const values = await rows.read(indices);
    if (!rows.isBytes) checkFinite(values, elementCount(dims), indices, rows);
    return values;
  };
  const pictures = arrayPictures(dims, rows.isBytes, (index) => read([index]));
  return {
    format,
    files,
    length: rows.count,
    featureDims: dims,
    labels,
    ...(pictures ? { pictures } : {}),
    ...(classes ? { classes } : {}),
    batch: async (indices) => ({
      inputs: await read(indices),
      labels: Float64Array.from(indices, (index) => labels[index]!),
    }),
    preview: async (index) => arrayPreview(await read([index]), dims, rows.isBytes),
    locate: (index) => rows.locate(index),
  };
}

function checkFinite(values: Float32Array, size: number, indices: readonly number[], rows: ExampleRows): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  const index = indices[Math.floor(at / size)]!;
  throw new WhenceError('not-finite', `Example ${index} has the value ${values[at]}.`, {
    file: rows.locate(index).file,
    place: `example ${index}`,
    mend: 'Replace the values that are not finite, as training must have done.',
  });
}

/** Refuses arrays without examples. */
export function checkShape(dims: readonly number[], file: string, place: string): void {
  if (dims.length > 0 && elementCount(dims) > 0) return;
  throw new WhenceError('empty-data', `The array has the shape ${formatDims(dims)}: no examples.`, {
    file,
    place,
    mend: 'Write the array again with one example a row, or name another one in whence.json.',
  });
}
