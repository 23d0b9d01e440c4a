import { WhenceError } from '../protocol/errors';
import type { LayoutConfig } from './arrangement';
import type { Dataset } from './dataset';
import type { PictureConfig } from './images/prepare';
import { elementCount, formatDims } from './tensor';
import type { TokenizerConfig } from './tokenizer/config';

/**
 * What was done to raw features before the model: pictures were drawn and laid out (see `preparedDataset`), then
 * `(x * scale - mean) / std`, one number or one per channel or column.
 */
export interface PreprocessConfig extends PictureConfig, LayoutConfig {
  /** For texts, which nothing else here is done to. */
  readonly tokenizer?: TokenizerConfig;
  readonly scale?: number;
  readonly mean?: number | readonly number[];
  readonly std?: number | readonly number[];
  /** Column means and (population) standard deviations of the training split, as scikit-learn's StandardScaler. */
  readonly standardize?: boolean;
}

/** Mean and population standard deviation of every feature; a constant feature has the deviation 1. */
export interface FeatureStatistics {
  readonly mean: Float64Array;
  readonly std: Float64Array;
}

/**
 * Statistics of `inputs`, row-major [examples, exampleLength], summed in float64 and in two passes, as scikit-learn's
 * StandardScaler gives them.
 */
export function featureStatistics(inputs: Float32Array, exampleLength: number): FeatureStatistics {
  const examples = inputs.length / exampleLength;
  const mean = new Float64Array(exampleLength);
  const std = new Float64Array(exampleLength);
  addSums(inputs, mean);
  for (let feature = 0; feature < exampleLength; feature++) mean[feature]! /= examples;
  addSquares(inputs, mean, std);
  for (let feature = 0; feature < exampleLength; feature++) std[feature] = Math.sqrt(std[feature]! / examples) || 1;
  return { mean, std };
}

/** The same of a whole data set, which is read twice and never held. */
export async function datasetStatistics(
  dataset: Pick<Dataset, 'batch' | 'length' | 'featureDims'>,
): Promise<FeatureStatistics> {
  const { length, featureDims } = dataset;
  const mean = new Float64Array(elementCount(featureDims));
  const std = new Float64Array(mean.length);
  const rows = Math.max(1, Math.floor(statisticsValues / mean.length));
  const eachBatch = async (see: (inputs: Float32Array) => void) => {
    for (let from = 0; from < length; from += rows) {
      const indices = Array.from({ length: Math.min(rows, length - from) }, (_, row) => from + row);
      see((await dataset.batch(indices)).inputs);
    }
  };
  await eachBatch((inputs) => addSums(inputs, mean));
  for (let feature = 0; feature < mean.length; feature++) mean[feature]! /= length;
  await eachBatch((inputs) => addSquares(inputs, mean, std));
  for (let feature = 0; feature < mean.length; feature++) std[feature] = Math.sqrt(std[feature]! / length) || 1;
  return { mean, std };
}

/** Values that are read at a time. */
const statisticsValues = 2 ** 20;

function addSums(inputs: Float32Array, sums: Float64Array): void {
  for (let row = 0; row < inputs.length; row += sums.length) {
    for (let feature = 0; feature < sums.length; feature++) sums[feature]! += inputs[row + feature]!;
  }
}

function addSquares(inputs: Float32Array, mean: Float64Array, squares: Float64Array): void {
  for (let row = 0; row < inputs.length; row += mean.length) {
    for (let feature = 0; feature < mean.length; feature++) {
      squares[feature]! += (inputs[row + feature]! - mean[feature]!) ** 2;
    }
  }
}

/**
 * Raw features as the model wants them: `(x * scale - mean) / std`, each operation rounded to float32 as in numpy and
 * PyTorch. A scale that is one over a whole number divides by it, as `pixel / 255` does. `inputs` is row-major
 * [examples, ...featureDims] and stays as it is. With `standardize`, `statistics` are those of the training split.
 */
export function applyPreprocess(
  inputs: Float32Array,
  featureDims: readonly number[],
  preprocess: PreprocessConfig = {},
  statistics?: FeatureStatistics,
): Float32Array {
  const length = elementCount(featureDims);
  if (preprocess.standardize) {
    if (!statistics) throw new WhenceError('internal', 'Standardizing needs the statistics of the training split.');
    return standardize(inputs, length, statistics);
  }
  const { scale = 1 } = preprocess;
  const mean = spread(preprocess.mean, 0, featureDims, 'mean');
  const std = spread(preprocess.std, 1, featureDims, 'std');
  const divisor = Math.round(1 / scale);
  const divides = divisor > 1 && Math.abs(divisor * scale - 1) < 1e-7;
  const factor = Math.fround(scale);
  const outputs = new Float32Array(inputs.length);
  for (let row = 0; row < inputs.length; row += length) {
    for (let feature = 0; feature < length; feature++) {
      const value = inputs[row + feature]!;
      const scaled = Math.fround(divides ? value / divisor : value * factor);
      outputs[row + feature] = Math.fround(scaled - mean[feature]!) / std[feature]!;
    }
  }
  return outputs;
}

/** In float64 up to the last step, as numpy does it on a table read as float64. */
function standardize(inputs: Float32Array, length: number, { mean, std }: FeatureStatistics): Float32Array {
  const outputs = new Float32Array(inputs.length);
  for (let row = 0; row < inputs.length; row += length) {
    for (let feature = 0; feature < length; feature++) {
      outputs[row + feature] = (inputs[row + feature]! - mean[feature]!) / std[feature]!;
    }
  }
  return outputs;
}

/** One number, or one for each feature, or one for each channel (the first axis of three, or the last) as one for each feature. */
function spread(
  values: number | readonly number[] | undefined,
  absent: number,
  dims: readonly number[],
  name: string,
): Float32Array {
  const length = elementCount(dims);
  const spreadOut = new Float32Array(length);
  if (values === undefined || typeof values === 'number') return spreadOut.fill(values ?? absent);
  if (values.length === 1) return spreadOut.fill(values[0]!);
  const channels = values.length;
  if (channels === length) return Float32Array.from(values);
  if (dims.length === 3 && dims[0] === channels) {
    return spreadOut.map((_, feature) => values[Math.floor(feature / (length / channels))]!);
  }
  if (dims.at(-1) === channels) return spreadOut.map((_, feature) => values[feature % channels]!);
  throw new WhenceError(
    'config-invalid',
    `preprocess.${name} has ${channels} numbers, which fits neither channels nor features of shape ${formatDims(dims)}.`,
    { mend: `Give \`${name}\` as one number, or one for each channel or column.` },
  );
}
