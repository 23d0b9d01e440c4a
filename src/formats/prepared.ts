import { WhenceError } from '../protocol/errors';
import { type Arrangement, arrangement, storedLayout } from './arrangement';
import type { Dataset, PictureReader, RawBatch } from './dataset';
import { checkIndices } from './datasets/indices';
import { preparedDims, preparePicture } from './images/prepare';
import { elementCount, formatDims } from './tensor';
import type { PreprocessConfig } from './transform';

/**
 * A data set as the model's preprocessing begins: pictures in their colours, resized, cropped and laid out; what is left to
 * `applyPreprocess` is arithmetic.
 * @throws WhenceError `config-invalid` where pictures are meant and the data are none
 */
export function preparedDataset(dataset: Dataset, preprocess: PreprocessConfig): Dataset {
  const { pictures } = dataset;
  const named = (['resize', 'crop', 'interpolation'] as const).find((key) => preprocess[key] !== undefined);
  const isDrawn = named !== undefined || (preprocess.channels === 'grey' && dataset.featureDims.length > 2);
  if (pictures && (pictures.stored === 'files' || isDrawn)) return drawn(dataset, pictures, preprocess);
  if (isDrawn) {
    const message = `preprocess.${named ?? 'channels'} is for pictures of 8 bits, which these data are not.`;
    throw new WhenceError('config-invalid', message, {
      file: dataset.files[0]!,
      mend: `Remove "${named ?? 'channels'}" from \`preprocess\`, or name the pictures' own files.`,
    });
  }
  const arranged = arrangement(dataset.featureDims, preprocess);
  if (!arranged.order && formatDims(arranged.dims) === formatDims(dataset.featureDims)) return dataset;
  return {
    ...dataset,
    featureDims: arranged.dims,
    async batch(indices) {
      const { inputs, labels } = await dataset.batch(indices);
      return { inputs: rearranged(inputs, arranged), labels };
    },
  };
}

/** Pictures decoded, one by one as they are asked for, and drawn at the size that the model takes. */
function drawn(dataset: Dataset, pictures: PictureReader, preprocess: PreprocessConfig): Dataset {
  // Pictures in files are made RGB, as torchvision's loader does; an array keeps its channels and its layout.
  const isArray = pictures.stored === 'array';
  const usual = isArray && pictures.channels === 1 ? 'grey' : 'rgb';
  const layout = (isArray ? storedLayout(dataset.featureDims) : undefined) ?? 'chw';
  const config = { channels: usual, layout, ...preprocess } as const;
  const { dims, order } = arrangement(preparedDims(pictures.size, config), config, 'hwc');
  const isFlat = dataset.featureDims.length === 2 && config.channels === 'grey' && config.layout === 'chw';
  const arranged = { dims: isFlat ? dims.slice(1) : dims, ...(order ? { order } : {}) };
  return {
    ...dataset,
    featureDims: arranged.dims,
    batch: (indices) => pictureBatch(dataset, pictures, indices, config, arranged),
  };
}

async function pictureBatch(
  { length, labels, files, locate }: Dataset,
  pictures: PictureReader,
  indices: readonly number[],
  preprocess: PreprocessConfig,
  { dims, order }: Arrangement,
): Promise<RawBatch> {
  checkIndices(indices, length, files[0]!);
  const size = elementCount(dims);
  const [height, width] = preparedDims(pictures.size, preprocess);
  const inputs = new Float32Array(indices.length * size);
  for (let row = 0; row < indices.length; row++) {
    const index = indices[row]!;
    const own = preparePicture(await pictures.decode(index), preprocess);
    if (own.height !== height || own.width !== width) {
      throw new WhenceError(
        'shape-mismatch',
        `The picture comes to ${own.height} × ${own.width} pixels where others come to ${height} × ${width}.`,
        {
          file: locate(index).file,
          mend: 'Set `resize` as [height, width], or `resize` and `crop`, in `preprocess` of whence.json, as training did.',
        },
      );
    }
    const { data } = own;
    if (!order) inputs.set(data, row * size);
    else for (let at = 0; at < size; at++) inputs[row * size + at] = data[order[at]!]!;
  }
  return { inputs, labels: Float64Array.from(indices, (index) => labels[index]!) };
}

function rearranged(inputs: Float32Array, { dims, order }: Arrangement): Float32Array {
  if (!order) return inputs;
  const size = elementCount(dims);
  const result = new Float32Array(inputs.length);
  for (let row = 0; row < inputs.length; row += size) {
    for (let at = 0; at < size; at++) result[row + at] = inputs[row + order[at]!]!;
  }
  return result;
}
