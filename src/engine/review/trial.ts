import type { Dataset, RawBatch } from '../../formats/dataset';
import { preparedDataset } from '../../formats/prepared';
import { elementCount } from '../../formats/tensor';
import { featureStatistics, type PreprocessConfig } from '../../formats/transform';
import { WhenceError } from '../../protocol/errors';
import { ModelExamples, range } from '../network/examples';
import { inputSources } from '../network/inputSources';
import type { Network } from '../network/network';
import { type Predictions, predict } from '../network/predictions';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';

/** What of a preprocessing happens before arithmetic: where two agree in it, they share their numbers. */
function drawing({ channels, resize, interpolation, crop, transpose, layout }: PreprocessConfig): string {
  return JSON.stringify({ channels, resize, interpolation, crop, transpose, layout });
}

/** Training examples that a checkpoint is tried on under one preprocessing after another. */
export class Trial {
  private drawn: { readonly key: string; readonly dataset: Dataset } | undefined;

  /** @param indices of the training split */
  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly checkpoint: number,
    readonly indices: readonly number[],
    private readonly task: Task,
  ) {}

  /** Labels of the tried examples. */
  get labels(): Float64Array {
    const { labels } = this.run.splits.get('train')!;
    return Float64Array.from(this.indices, (index) => labels[index]!);
  }

  /** The examples as numbers before arithmetic. */
  async features(
    preprocess: PreprocessConfig,
  ): Promise<{ readonly dims: readonly number[]; readonly inputs: Float32Array }> {
    const { featureDims, batch } = await this.draw(preprocess);
    const { inputs } = await batch(range(0, this.indices.length));
    return { dims: featureDims, inputs };
  }

  /** The checkpoint's predictions of the first `count` examples; undefined where such inputs do not fit the model. */
  async predictions(preprocess: PreprocessConfig, count = this.indices.length): Promise<Predictions | undefined> {
    try {
      const examples = await this.examples(preprocess);
      this.task.expect(Math.ceil(count / this.network.training.batch));
      return await predict(this.network, examples, range(0, count), this.checkpoint, this.task);
    } catch (error) {
      if (error instanceof WhenceError && ['shape-mismatch', 'config-invalid'].includes(error.code)) return undefined;
      throw error;
    }
  }

  private async examples(preprocess: PreprocessConfig): Promise<ModelExamples> {
    const dataset = await this.draw(preprocess);
    const splits = new Map([['train', dataset]]);
    const statistics = preprocess.standardize ? await this.statistics(preprocess) : undefined;
    return new ModelExamples(dataset, { sources: inputSources({ ...this.run, splits }), preprocess, statistics });
  }

  /** Those of the whole training split where it is a table, which is in memory; else of the examples tried. */
  private async statistics(preprocess: PreprocessConfig) {
    const train = this.run.splits.get('train')!;
    const { dims, inputs } = await this.features(preprocess);
    const all = dims.length === 1 ? (await train.batch(range(0, train.length))).inputs : inputs;
    return featureStatistics(all, elementCount(dims));
  }

  private async draw(preprocess: PreprocessConfig): Promise<Dataset> {
    const key = drawing(preprocess);
    if (this.drawn?.key !== key) {
      const dataset = await inMemory(preparedDataset(this.run.splits.get('train')!, preprocess), this.indices);
      this.drawn = { key, dataset };
    }
    return this.drawn.dataset;
  }
}

/** Some examples of a data set as one of its own, read once. */
async function inMemory(dataset: Dataset, indices: readonly number[]): Promise<Dataset> {
  const { inputs, labels } = await dataset.batch(indices);
  const size = elementCount(dataset.featureDims);
  const batch = async (rows: readonly number[]): Promise<RawBatch> => {
    const own = new Float32Array(rows.length * size);
    rows.forEach((row, at) => {
      own.set(inputs.subarray(row * size, (row + 1) * size), at * size);
    });
    return { inputs: own, labels: Float64Array.from(rows, (row) => labels[row]!) };
  };
  return { ...dataset, length: indices.length, labels, batch };
}

/** Whether a run's inputs are features that `preprocess` acts on, and not tokens. */
export function isPreprocessed(run: OpenRun): boolean {
  return run.splits.get('train')!.arrays === undefined && inputSources(run).some(({ from }) => from === 'features');
}

/** Up to `most` indices, evenly spread, so that data sorted by class are covered. */
export function spreadIndices(length: number, most: number): number[] {
  const count = Math.min(length, most);
  return range(0, count).map((i) => Math.floor((i * length) / count));
}
