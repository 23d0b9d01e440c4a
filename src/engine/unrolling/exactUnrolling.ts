import { emptyState, stepBack } from '../../attribution/unrolling';
import { curvatureGraph, measurementGradientGraph, replayNames } from '../../curvature/replayGraph';
import { inputNames } from '../../curvature/subject';
import type { Feeds, Session, Tensor } from '../../onnx/runtime';
import type { EngineHost } from '../host';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { AskedScores, DirectScorer } from '../scores/directScores';
import type { Task } from '../task';
import { readBatches } from './batches';
import { type Parameter, parametersOf, stepSettings } from './parameters';
import { addTo, overBatch, type Replay, replay } from './replay';
import { unrollingFiles } from './unrollingFiles';

/**
 * Exact unrolling: the measurement's gradient is carried back through every step of training, and at each the slopes of the batch's
 * losses along it are what those examples did. A score is minus the derivative in an example's weight, the change that leaving it
 * out makes to first order, with the number of examples that a batch is divided by left as it is.
 */
export class ExactUnrolling implements DirectScorer {
  private replayed: Promise<Replay> | undefined;
  private files = '';

  constructor(
    private readonly run: OpenRun,
    private readonly host: EngineHost,
    private readonly network: Network,
    private readonly train: ModelExamples,
  ) {}

  async score(asked: AskedScores, task: Task): Promise<Float32Array> {
    const replayed = await this.replay(task);
    const names = replayed.parameters.map(({ initializer }) => initializer);
    const session = await this.network.session(`unrolled curvature ${names.length}`, replayed.subject, (own) =>
      curvatureGraph(own, names),
    );
    const { length } = this.train;
    const scores = new Float32Array(asked.indices.length * length);
    task.expect(asked.indices.length * replayed.batches.length);
    for (const q of asked.indices.keys()) {
      const moved = await this.wayBack(replayed, session, await this.measurementGradient(replayed, asked, q), task);
      for (let i = 0; i < length; i++) scores[q * length + i] = -moved[i]!;
    }
    return scores;
  }

  /** Replayed once, and again when a file that it is made of has changed. */
  private async replay(task: Task): Promise<Replay> {
    const { run, network, train, host } = this;
    const { batches, initial } = unrollingFiles(run, host.files);
    const files = `${await host.files.hashFile(batches)} ${await host.files.hashFile(initial)}`;
    if (!this.replayed || files !== this.files) {
      this.files = files;
      const parameters = parametersOf(run, network.bindings);
      const read = await readBatches(await host.files.open(batches), train.length);
      this.replayed = replay(run, network, train, parameters, initial, read, task);
      this.replayed.catch(() => {
        this.replayed = undefined;
      });
    }
    return this.replayed;
  }

  /** Derivatives of the measurement in each training example's weight [examples]. */
  private async wayBack(
    { subject, parameters, batches, weights, records }: Replay,
    session: Session,
    gradients: readonly Float64Array[],
    task: Task,
  ): Promise<Float64Array> {
    const { run, network, train } = this;
    const derivatives = new Float64Array(train.length);
    const adjoints = gradients.map(emptyState);
    for (let step = batches.length - 1; step >= 0; step--) {
      const batch = batches[step]!;
      const vectors = parameters.map(({ tensor }, p) =>
        stepBack(run.optimizer, stepSettings(run, tensor, step), adjoints[p]!, records[step]![p]),
      );
      // The graph is float32: a vector of length about 1 keeps clear of its smallest numbers.
      const size = Math.sqrt(vectors.reduce((sum, own) => own.reduce((total, value) => total + value ** 2, sum), 0));
      const scale = size > 0 ? size : 1;
      const feeds = { ...weights[step]!, ...vectorFeeds(parameters, vectors, weights[step]!, scale) };
      await overBatch(network, subject, session, train, batch, feeds, (outputs, examples) => {
        const slopes = floats(outputs, replayNames.slopes);
        examples.forEach((example, row) => {
          derivatives[example] = derivatives[example]! + (scale * slopes[row]!) / batch.length;
        });
        parameters.forEach(({ initializer }, p) => {
          const product = floats(outputs, replayNames.gradient(initializer)).map((value) => value * scale);
          addTo(adjoints[p]!.weights, product);
        });
      });
      task.step('scoring', 'Back through training');
    }
    return derivatives;
  }

  /** At the end of training, one entry a parameter; pointing to where the query gets worse. */
  private async measurementGradient(
    { subject, parameters, weights }: Replay,
    { queries, indices, targets, measurement, token }: AskedScores,
    q: number,
  ): Promise<Float64Array[]> {
    const names = parameters.map(({ initializer }) => initializer);
    const session = await this.network.session(`unrolled ${measurement} ${names.length}`, subject, (own) =>
      measurementGradientGraph(own, names, measurement),
    );
    const batch = await queries.batch([indices[q]!], subject.batch);
    const data = new Float32Array(subject.batch).fill(1, 0, 1);
    const own: Tensor = { dtype: 'float32', dims: [subject.batch], data };
    const feeds = this.network.batchFeeds(subject, batch, [targets[q]!], token);
    const outputs = await runWith(session, { ...weights.at(-1)!, ...feeds, [inputNames.weights]: own });
    return names.map((name) => Float64Array.from(floats(outputs, replayNames.gradient(name))));
  }
}

function vectorFeeds(
  parameters: readonly Parameter[],
  vectors: readonly Float64Array[],
  weights: Feeds,
  scale: number,
): Feeds {
  return Object.fromEntries(
    parameters.map(({ initializer }, p): [string, Tensor] => {
      const data = Float32Array.from(vectors[p]!, (value) => value / scale);
      return [replayNames.vector(initializer), { dtype: 'float32', dims: weights[initializer]!.dims, data }];
    }),
  );
}
