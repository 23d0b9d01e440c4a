import { measuredOutput, measureGraph } from '../../curvature/measureGraph';
import { isPerToken } from '../../curvature/subject';
import type { MeasuredQueries, MeasureRequest } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import { floats, runWith } from '../network/feeds';
import { predictionOf, predictWith } from '../network/predictions';
import { checkedIndex, type LoadedRun } from '../run/loadedRun';
import { checkTarget } from '../scores/queryScores';
import type { Task } from '../task';

/**
 * What queries of one split are measured at, at a run's last checkpoint or at one that another training of the same network
 * left: its tensors have the names and shapes of the run's own.
 */
export async function measureQueries(loaded: LoadedRun, request: MeasureRequest, task: Task): Promise<MeasuredQueries> {
  const { queries, measurement, checkpoint } = request;
  const [first] = queries;
  if (!first) throw new WhenceError('bad-argument', 'There are no queries to measure.');
  const { run, network } = loaded;
  const examples = loaded.examples(first.split);
  const indices = queries.map((query) => {
    if (query.split === first.split) return checkedIndex(examples, query);
    throw new WhenceError('bad-argument', 'Queries that are measured together must be of one split.');
  });
  const { labels } = examples.dataset;
  const targets = indices.map((index) => measurement.target ?? labels[index]!);
  for (const target of targets) checkTarget(loaded, target);

  const subject = network.training;
  const weights =
    checkpoint === undefined
      ? await network.weights(run.checkpoints.length - 1)
      : await network.weightsFrom({ file: checkpoint, step: 0 });
  const session = await network.forwardSession(`measure ${measurement.kind}`, subject, (own) =>
    measureGraph(own, measurement.kind),
  );
  const values = new Float64Array(indices.length);
  for (let start = 0; start < indices.length; start += subject.batch) {
    const batch = await examples.batch(indices.slice(start, start + subject.batch), subject.batch);
    const own = targets.slice(start, start + subject.batch);
    const feeds = network.batchFeeds(subject, batch, own, measurement.token);
    const measured = floats(await runWith(session, { ...weights, ...feeds }), measuredOutput);
    values.set(measured.subarray(0, batch.indices.length), start);
    task.step('checking', 'Measuring queries', 0);
  }
  if (isPerToken(subject) || run.loss === 'custom') return { values: [...values] };
  const predictions = await predictWith(network, examples, indices, weights, task);
  const predicted = indices.map((index, row) => predictionOf(run, predictions, row, labels[index]!).predicted);
  return { values: [...values], predicted };
}
