import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { elementCount, formatDims } from '../tensor';
import { arrayPictures } from './arrayPictures';
import { arrayPreview } from './arrayPreview';
import { decodeElements, type IdxFile, openIdx, readRecords } from './idxFile';
import { checkIndices } from './indices';

/**
 * Images (or rows) of an IDX file with the labels of a second one. Fails with `malformed-file` where the label file is of
 * another rank or holds another number of examples.
 */
export async function openIdxDataset(images: ByteSource, labelSource?: ByteSource): Promise<Dataset> {
  const idx = await openIdx(images);
  const labels = labelSource ? await readLabels(labelSource, idx) : new Float64Array(idx.count).fill(Number.NaN);
  const dims = idx.dims.length > 0 ? idx.dims : [1];
  const read = async (indices: readonly number[]) => {
    checkIndices(indices, idx.count, images.path);
    const values = new Float32Array(indices.length * elementCount(dims));
    decodeElements(idx, await readRecords(idx, indices), values);
    return values;
  };
  const isBytes = idx.type === 'uint8';
  const pictures = arrayPictures(dims, isBytes, (index) => read([index]));
  return {
    format: 'idx',
    files: labelSource ? [images.path, labelSource.path] : [images.path],
    ...(labelSource ? { labelFile: labelSource.path } : {}),
    length: idx.count,
    featureDims: dims,
    labels,
    ...(pictures ? { pictures } : {}),
    batch: async (indices) => ({
      inputs: await read(indices),
      labels: Float64Array.from(indices, (index) => labels[index]!),
    }),
    preview: async (index) => arrayPreview(await read([index]), dims, isBytes),
    locate: (index) => ({
      file: images.path,
      index,
      byte: idx.offset + index * elementCount(dims) * idx.bytesPerElement,
    }),
  };
}

async function readLabels(source: ByteSource, images: IdxFile): Promise<Float64Array> {
  const idx = await openIdx(source);
  if (idx.dims.length > 0) {
    throw new WhenceError(
      'malformed-file',
      `Labels have one dimension; this file holds ${formatDims([idx.count, ...idx.dims])}.`,
      {
        file: source.path,
        place: 'byte 3',
        mend: 'Name the file of labels, for example train-labels-idx1-ubyte.',
      },
    );
  }
  if (idx.count !== images.count) {
    const message = `There are ${idx.count} labels for the ${images.count} images of ${images.source.path}.`;
    throw new WhenceError('malformed-file', message, {
      file: source.path,
      place: 'byte 4',
      mend: 'Name the label file that belongs to the images.',
    });
  }
  const labels = new Float64Array(idx.count);
  decodeElements(idx, await source.read(idx.offset, idx.count * idx.bytesPerElement), labels);
  return labels;
}
