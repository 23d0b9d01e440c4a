import type { Dataset } from '../../formats/dataset';
import { elementCount, formatDims } from '../../formats/tensor';
import { applyPreprocess, type FeatureStatistics, type PreprocessConfig } from '../../formats/transform';
import type { Feeds, Tensor } from '../../onnx/runtime';
import { tensorOf } from '../../onnx/tensor';
import { WhenceError } from '../../protocol/errors';
import { arrayOf, type InputSource, type Sequence } from './inputSources';

/** A batch as the model takes it, and which rows are examples (the rest is padding). */
export interface ModelBatch {
  readonly indices: readonly number[];
  /** The model's inputs by name, [batch, ...] each. */
  readonly inputs: Feeds;
  /** One label an example, as the data have them; NaN where it has none. */
  readonly labels: Float64Array;
  /** float32 [batch, tokens]: 1 for a token, 0 for padding. */
  readonly mask?: Tensor;
  /** [batch · tokens]: each place's label, -1 where none counts. */
  readonly tokenLabels?: Int32Array;
}

/** How a run's examples become the model's inputs. */
export interface InputPlan {
  readonly sources: readonly InputSource[];
  readonly sequence?: Sequence | undefined;
  readonly preprocess: PreprocessConfig;
  readonly statistics?: FeatureStatistics | undefined;
}

/** Examples, and numbers of theirs, that are preprocessed at a time on their way to memory. */
const mostExamples = 2048;
const mostNumbers = 2 ** 23;

/** A split as batches of model inputs of one static size; the last one is padded. */
export class ModelExamples {
  private kept: Promise<Float32Array> | undefined;
  private keepsFeatures = false;

  constructor(
    readonly dataset: Dataset,
    private readonly plan: InputPlan,
  ) {
    const features = plan.sources.find(({ from }) => from === 'features');
    if (features && elementCount(features.dims) !== elementCount(dataset.featureDims)) {
      throw new WhenceError(
        'shape-mismatch',
        `Examples of shape ${formatDims(dataset.featureDims)} do not fit the model's input ${formatDims(features.dims)}.`,
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

  get sequence(): Sequence | undefined {
    return this.plan.sequence;
  }

  /**
   * Keeps preprocessed features in memory from now on if they fit, since every checkpoint reads them again.
   * @returns bytes that they take of those offered
   */
  keep(bytes: number): number {
    const features = this.plan.sources.find(({ from }) => from === 'features');
    const own = features ? 4 * this.length * elementCount(features.dims) : 0;
    this.keepsFeatures = own <= bytes;
    return this.keepsFeatures ? own : 0;
  }

  async batch(indices: readonly number[], size: number): Promise<ModelBatch> {
    const { sources, sequence } = this.plan;
    // Padding repeats an example: of all zeros some networks make NaN, which no weight of 0 would silence.
    const rows = Array.from({ length: size }, (_, row) => indices[row] ?? indices[0]!);
    const inputs: Record<string, Tensor> = {};
    for (const source of sources) inputs[source.name] = inputTensor(source, size, await this.values(source, rows));
    const mask = sequence?.mask && { dtype: 'float32' as const, dims: [size, sequence.tokens], data: this.mask(rows) };
    return {
      indices,
      inputs,
      labels: Float64Array.from(indices, (index) => this.dataset.labels[index]!),
      ...(mask ? { mask } : {}),
      ...(sequence?.labels ? { tokenLabels: this.tokenLabels(rows) } : {}),
    };
  }

  /** All examples in order, `size` at a time. */
  async *batches(size: number): AsyncGenerator<ModelBatch> {
    for (let from = 0; from < this.length; from += size) {
      yield await this.batch(range(from, Math.min(this.length, from + size)), size);
    }
  }

  private async values({ from, dims }: InputSource, rows: readonly number[]): Promise<Float32Array> {
    if (from === 'labels') return Float32Array.from(rows, (index) => this.dataset.labels[index]! || 0);
    if (from === 'zeros') return new Float32Array(rows.length * elementCount(dims));
    if (from === 'mask') return this.mask(rows);
    if (from === 'positions') return repeated(range(0, elementCount(dims)), rows.length);
    if (from !== 'features') return this.array(from.array, elementCount(dims), rows);
    const width = elementCount(dims);
    if (!this.keepsFeatures) return this.transformed(rows);
    this.kept ??= this.transformedAll(width);
    return gathered(await this.kept, width, width, rows);
  }

  /** Rows of an array; shorter sequences than the model's are followed by zeros. */
  private array(name: string, width: number, rows: readonly number[]): Float32Array {
    const { values, dims } = arrayOf(this.dataset, name);
    return gathered(values, elementCount(dims), width, rows);
  }

  private mask(rows: readonly number[]): Float32Array {
    const { tokens, mask } = this.plan.sequence!;
    if (!mask) return new Float32Array(rows.length * tokens).fill(1);
    if (mask.by === 'values') return this.array(mask.array, tokens, rows);
    const { lengths, dims } = arrayOf(this.dataset, mask.array);
    const result = new Float32Array(rows.length * tokens);
    rows.forEach((index, row) => {
      result.fill(1, row * tokens, row * tokens + (lengths?.[index] ?? dims[0]!));
    });
    return result;
  }

  private tokenLabels(rows: readonly number[]): Int32Array {
    const { tokens, labels } = this.plan.sequence!;
    const { array, shifted } = labels!;
    const { values, dims, lengths } = arrayOf(this.dataset, array);
    const mask = this.mask(rows);
    const result = new Int32Array(rows.length * tokens).fill(-1);
    rows.forEach((index, row) => {
      const length = lengths?.[index] ?? dims[0]!;
      for (let at = shifted ? 1 : 0; at < length; at++) {
        const label = values[index * dims[0]! + at]!;
        if (label >= 0 && label !== labels!.ignored && mask[row * tokens + at] !== 0)
          result[row * tokens + at - (shifted ? 1 : 0)] = label;
      }
    });
    return result;
  }

  private async transformedAll(width: number): Promise<Float32Array> {
    const all = new Float32Array(this.length * width);
    const chunk = Math.max(1, Math.min(mostExamples, Math.floor(mostNumbers / width)));
    for (let from = 0; from < this.length; from += chunk) {
      all.set(await this.transformed(range(from, Math.min(this.length, from + chunk))), from * width);
    }
    return all;
  }

  private async transformed(indices: readonly number[]): Promise<Float32Array> {
    const { preprocess, statistics } = this.plan;
    const { inputs } = await this.dataset.batch(indices);
    return applyPreprocess(inputs, this.dataset.featureDims, preprocess, statistics);
  }
}

/** Rows of `from` values each, in a place of `to`. */
function gathered(values: Float32Array, from: number, to: number, rows: readonly number[]): Float32Array {
  const result = new Float32Array(rows.length * to);
  rows.forEach((index, row) => {
    result.set(values.subarray(index * from, (index + 1) * from), row * to);
  });
  return result;
}

function inputTensor({ dtype, dims }: InputSource, size: number, values: Float32Array): Tensor {
  const all = [size, ...dims];
  if (dtype === 'float32') return { dtype, dims: all, data: values };
  return tensorOf(
    dtype,
    all,
    Array.from(values, (value) => (dtype === 'bool' ? Number(value !== 0) : value)),
  );
}

function repeated(values: readonly number[], times: number): Float32Array {
  const result = new Float32Array(values.length * times);
  for (let time = 0; time < times; time++) result.set(values, time * values.length);
  return result;
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}
