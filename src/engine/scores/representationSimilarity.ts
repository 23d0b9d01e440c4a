import { Algebra, type Matrix } from '../../curvature/algebra';
import { lastLayer, placesInput, representationGraph } from '../../curvature/representation';
import { outputNames } from '../../curvature/subject';
import type { Feeds } from '../../onnx/runtime';
import { type ModelBatch, type ModelExamples, range } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import type { AskedScores, DirectScorer } from './directScores';

/** Of the memory for what is kept of training gradients, since other methods may have kept theirs there too. */
const keptShare = 0.125;

/** Cosines of the last layer's inputs at the last checkpoint. */
export class RepresentationSimilarity implements DirectScorer {
  private algebra: Promise<Algebra> | undefined;
  /** Of the training set, where they fit. */
  private kept: Float32Array | undefined;

  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly train: ModelExamples,
  ) {}

  async score({ queries, indices, token }: AskedScores, task: Task): Promise<Float32Array> {
    const { width } = lastLayer(this.network.training);
    const { length } = this.train;
    this.algebra ??= this.network.device().then(({ runtime }) => Algebra.open(runtime));
    const algebra = await this.algebra;
    const own = await this.gathered(queries, indices, token);
    const scores = new Float32Array(indices.length * length);
    const take = async (from: number, rows: Matrix) => {
      const { values } = await algebra.project(own, rows);
      const count = rows.dims[0]!;
      for (let q = 0; q < indices.length; q++)
        scores.set(values.subarray(q * count, (q + 1) * count), q * length + from);
    };
    if (this.kept) {
      await take(0, { dims: [length, width], values: this.kept });
      return scores;
    }
    task.expect(Math.ceil(length / this.network.training.batch));
    const all =
      4 * length * width <= keptShare * this.network.memory.gradients ? new Float32Array(length * width) : undefined;
    for await (const batch of this.train.batches(this.network.training.batch)) {
      const rows = await this.representations(batch);
      await take(batch.indices[0]!, rows);
      all?.set(rows.values, batch.indices[0]! * width);
      task.step('scoring', 'Representations');
    }
    this.kept = all;
    return scores;
  }

  private async gathered(examples: ModelExamples, indices: readonly number[], token?: number): Promise<Matrix> {
    const { width } = lastLayer(this.network.training);
    const { batch: size } = this.network.training;
    const values = new Float32Array(indices.length * width);
    for (let start = 0; start < indices.length; start += size) {
      const batch = await examples.batch(indices.slice(start, start + size), size);
      values.set((await this.representations(batch, token)).values, start * width);
    }
    return { dims: [indices.length, width], values };
  }

  /** Of the examples of a batch, without its padding. */
  private async representations(batch: ModelBatch, token?: number): Promise<Matrix> {
    const { network, run } = this;
    const subject = network.training;
    const session = await network.forwardSession('representations', subject, representationGraph);
    const weights = await network.weights(run.checkpoints.length - 1);
    const outputs = await runWith(session, {
      ...weights,
      ...network.batchFeeds(subject, batch),
      ...this.places(token),
    });
    const { width } = lastLayer(subject);
    const values = floats(outputs, outputNames.representation).slice(0, batch.indices.length * width);
    return { dims: [batch.indices.length, width], values };
  }

  /** All positions alike, or the one of a token that is measured. */
  private places(token: number | undefined): Feeds {
    const { batch } = this.network.training;
    const { positions } = lastLayer(this.network.training);
    if (positions === 1) return {};
    const single = token !== undefined && positions === this.train.sequence?.tokens ? token : undefined;
    const row = Float32Array.from(range(0, positions), (at) => (single === undefined || at === single ? 1 : 0));
    const data = new Float32Array(batch * positions);
    for (let at = 0; at < batch; at++) data.set(row, at * positions);
    return { [placesInput]: { dtype: 'float32', dims: [batch, positions], data } };
  }
}
