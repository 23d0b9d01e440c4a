import type { Dataset } from '../formats/dataset';
import { elementCount, formatDims } from '../formats/tensor';
import { applyPreprocess, type FeatureStatistics, type PreprocessConfig } from '../formats/transform';
import type { Tensor } from '../onnx/runtime';
import { WhenceError } from '../protocol/errors';

/** A batch as the model takes it: inputs [batch, ...], and which rows are examples (the rest is padding). */
export interface ModelBatch {
  readonly indices: readonly number[];
  readonly inputs: Tensor;
  /** One label an example, as the data has them. */
  readonly labels: Float64Array;
}

/** Up to this many bytes of preprocessed inputs are kept in memory, since every checkpoint reads them again. */
const keptBytes = 256 * 2 ** 20;

/** A split as batches of model inputs of one static size; the last one is padded. */
export class ModelExamples {
  private kept: Promise<Float32Array> | undefined;

  constructor(
    readonly dataset: Dataset,
    private readonly preprocess: PreprocessConfig,
    private readonly statistics: FeatureStatistics | undefined,
    /** Shape of one example as the model takes it. */
    private readonly exampleDims: readonly number[],
  ) {
    if (elementCount(exampleDims) !== elementCount(dataset.featureDims)) {
      throw new WhenceError(
        'shape-mismatch',
        `Examples of shape ${formatDims(dataset.featureDims)} do not fit the model's input ${formatDims(exampleDims)}.`,
        {
          file: dataset.files[0]!,
          mend: 'Check that this model was trained on this data, and the columns in whence.json.',
        },
      );
    }
  }

  get length(): number {
    return this.dataset.length;
  }

  async batch(indices: readonly number[], size: number): Promise<ModelBatch> {
    const width = elementCount(this.exampleDims);
    const inputs = new Float32Array(size * width);
    const labels = Float64Array.from(indices, (index) => this.dataset.labels[index]!);
    if (this.dataset.length * width * 4 <= keptBytes) {
      this.kept ??= this.transformed(range(0, this.dataset.length));
      const all = await this.kept;
      indices.forEach((index, row) => {
        inputs.set(all.subarray(index * width, (index + 1) * width), row * width);
      });
    } else {
      inputs.set(await this.transformed(indices));
    }
    // Padding repeats an example: of all zeros some networks make NaN, which no weight of 0 would silence.
    for (let row = indices.length; row < size; row++) inputs.copyWithin(row * width, 0, width);
    return { indices, inputs: { dtype: 'float32', dims: [size, ...this.exampleDims], data: inputs }, labels };
  }

  /** All examples in order, `size` at a time. */
  async *batches(size: number): AsyncGenerator<ModelBatch> {
    for (let from = 0; from < this.length; from += size) {
      yield await this.batch(range(from, Math.min(this.length, from + size)), size);
    }
  }

  private async transformed(indices: readonly number[]): Promise<Float32Array> {
    const { inputs } = await this.dataset.batch(indices);
    return applyPreprocess(inputs, this.dataset.featureDims, this.preprocess, this.statistics);
  }
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
