import type { ExamplesPage, ExamplesRequest } from '../../protocol/engineApi';
import type { PredictedExample } from '../../protocol/model';
import { range } from '../network/examples';
import { type Predictions, predict, predictionOf } from '../network/predictions';
import type { LoadedRun } from '../run/loadedRun';
import { isClassifier } from '../run/splits';
import { exampleOf } from '../scores/exampleOf';
import type { Task } from '../task';

/** A split's predictions by the last checkpoint, and the order of its mistakes. */
interface JudgedSplit {
  readonly predictions: Predictions;
  readonly wrongFirst: readonly number[];
}

/** Computed once a loaded run. */
const known = new WeakMap<LoadedRun, Map<string, Promise<JudgedSplit>>>();

/** A page of a split's examples with their predictions, in file order or wrong ones first. */
export async function pageOfExamples(loaded: LoadedRun, request: ExamplesRequest, task: Task): Promise<ExamplesPage> {
  const { split } = request;
  const from = Math.max(0, request.from);
  const end = from + Math.max(0, request.count);
  const { predictions, wrongFirst } = await judged(loaded, split, task);
  const { labels, length } = loaded.examples(split).dataset;
  const indices = request.order === 'file' ? range(from, Math.min(length, end)) : wrongFirst.slice(from, end);
  const examples = await Promise.all(
    indices.map(
      async (index): Promise<PredictedExample> => ({
        ...(await exampleOf(loaded, { split, index })),
        prediction: predictionOf(loaded.run, predictions, index, labels[index]!),
      }),
    ),
  );
  return { total: request.order === 'file' ? length : wrongFirst.length, examples };
}

function judged(loaded: LoadedRun, split: string, task: Task): Promise<JudgedSplit> {
  const own = known.get(loaded) ?? new Map<string, Promise<JudgedSplit>>();
  known.set(loaded, own);
  let judgement = own.get(split);
  if (!judgement) {
    judgement = judge(loaded, split, task);
    own.set(split, judgement);
    // A cancelled or failed pass is not remembered.
    judgement.catch(() => own.delete(split));
  }
  return judgement;
}

async function judge(loaded: LoadedRun, split: string, task: Task): Promise<JudgedSplit> {
  const examples = loaded.examples(split);
  task.expect(Math.ceil(examples.length / loaded.network.training.batch));
  const last = loaded.run.checkpoints.length - 1;
  const predictions = await predict(loaded.network, examples, range(0, examples.length), last, task);
  return { predictions, wrongFirst: wrongFirst(loaded, predictions, examples.dataset.labels) };
}

/** Wrong predictions, most confident first; for regressions all examples, largest loss first. */
function wrongFirst(loaded: LoadedRun, predictions: Predictions, labels: Float64Array): number[] {
  const all = range(0, labels.length)
    .filter((index) => !isClassifier(loaded.run) || !Number.isNaN(labels[index]))
    .map((index) => ({ index, ...predictionOf(loaded.run, predictions, index, labels[index]!) }));
  if (!isClassifier(loaded.run)) return all.sort((a, b) => b.loss - a.loss).map(({ index }) => index);
  return all
    .filter(({ index, predicted }) => predicted !== labels[index])
    .sort((a, b) => b.confidence - a.confidence || a.index - b.index)
    .map(({ index }) => index);
}
