import { WhenceError } from '../../protocol/errors';
import type { Preview } from '../../protocol/model';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { elementCount, formatDims } from '../tensor';
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
  return {
    format: 'idx',
    files: labelSource ? [images.path, labelSource.path] : [images.path],
    length: idx.count,
    featureDims: dims,
    labels,
    async batch(indices) {
      checkIndices(indices, idx.count, images.path);
      const inputs = new Float32Array(indices.length * elementCount(dims));
      decodeElements(idx, await readRecords(idx, indices), inputs);
      return { inputs, labels: Float64Array.from(indices, (index) => labels[index]!) };
    },
    async preview(index) {
      checkIndices([index], idx.count, images.path);
      const values = new Float32Array(elementCount(dims));
      decodeElements(idx, await readRecords(idx, [index]), values);
      return previewOf(values, dims, idx.type === 'uint8');
    },
    locate: (index) => ({ file: images.path, index }),
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

function previewOf(values: Float32Array, dims: readonly number[], isBytes: boolean): Preview {
  const image = imageShape(dims);
  if (!image) {
    return { kind: 'row', columns: Array.from(values, (_, index) => `${index}`), values: Array.from(values, String) };
  }
  const { width, height, channels, channelsFirst } = image;
  const shown = isBytes ? values : stretch(values);
  const pixels = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = channelsFirst ? channel * width * height + pixel : pixel * channels + channel;
      pixels[pixel * channels + channel] = shown[from]!;
    }
  }
  return { kind: 'image', width, height, channels, pixels };
}

function imageShape(dims: readonly number[]) {
  const [first = 0, second = 0, third = 0] = dims;
  if (dims.length === 2) return { height: first, width: second, channels: 1 as const, channelsFirst: false };
  if (dims.length !== 3) return undefined;
  if (third === 1 || third === 3) {
    return { height: first, width: second, channels: third as 1 | 3, channelsFirst: false };
  }
  if (first === 1 || first === 3) {
    return { height: second, width: third, channels: first as 1 | 3, channelsFirst: true };
  }
  return undefined;
}

/** Values of any range to 0..255, so that an image of numbers other than bytes can be seen. */
function stretch(values: Float32Array): Float32Array {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = high > low ? 255 / (high - low) : 0;
  return values.map((value) => Math.round((value - low) * scale));
}
