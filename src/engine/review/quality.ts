import type { CheckpointQuality, QualityReport } from '../../protocol/engineApi';
import type { Problem } from '../../protocol/model';
import { range } from '../network/examples';
import { predict, predictionOf } from '../network/predictions';
import type { LoadedRun } from '../run/loadedRun';
import { isClassifier } from '../run/splits';
import type { Task } from '../task';

const sampleSize = 1000;
/** A loss beyond this many times the logged one (and not both small) means that the model sees other inputs than in training. */
const tolerance = 1.5;
const smallLoss = 0.25;

/** The five-second check: accuracy and loss of every checkpoint on a sample of the training data, beside what was logged. */
export async function checkQuality(loaded: LoadedRun, task: Task): Promise<QualityReport> {
  const { run } = loaded;
  const train = loaded.examples('train');
  const indices = sample(train.length);
  const { labels } = train.dataset;
  task.expect(run.checkpoints.length * Math.ceil(indices.length / loaded.network.training.batch));
  const checkpoints: CheckpointQuality[] = [];
  for (const [index, { step, trainingLoss }] of run.checkpoints.entries()) {
    const predictions = await predict(loaded.network, train, indices, index, task);
    const { losses } = predictions;
    const right = indices.filter(
      (example, row) => predictionOf(run, predictions, row, labels[example]!).predicted === labels[example],
    ).length;
    checkpoints.push({
      step,
      ...(isClassifier(run) ? { accuracy: right / indices.length } : {}),
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      ...(trainingLoss === undefined ? {} : { loggedLoss: trainingLoss }),
    });
  }
  return {
    examples: indices.length,
    checkpoints,
    problems: [...loaded.network.bindingProblems, ...uncoveredProblems(loaded), ...lossProblems(loaded, checkpoints)],
  };
}

/** Evenly spread over the split, so that data sorted by class are covered. */
function sample(length: number): number[] {
  const count = Math.min(length, sampleSize);
  return range(0, count).map((i) => Math.floor((i * length) / count));
}

/** Compares means over the checkpoints, since one logged batch is noisy. */
function lossProblems({ run }: LoadedRun, checkpoints: readonly CheckpointQuality[]): Problem[] {
  const logged = checkpoints.filter((one) => one.loggedLoss !== undefined);
  if (logged.length === 0) return [];
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const ours = mean(logged.map(({ loss }) => loss));
  const theirs = mean(logged.map(({ loggedLoss }) => loggedLoss!));
  if (ours <= smallLoss || ours <= tolerance * theirs + smallLoss) return [];
  return [
    {
      severity: 'warning',
      message: `The loss on the training data is ${ours.toFixed(2)}, but training logged ${theirs.toFixed(2)}: the model sees other inputs than in training.`,
      file: run.path,
      mend: 'Check `preprocess` (pixels as 0..255 where the model saw 0..1, another mean or std), the order of `classes`, and that labels and images belong together.',
    },
  ];
}

/** What the scores leave out is said, not passed over. */
function uncoveredProblems({ run, network }: LoadedRun): Problem[] {
  const { uncovered } = network;
  if (uncovered.length === 0) return [];
  const names = uncovered.length > 4 ? [...uncovered.slice(0, 3), `${uncovered.length - 3} more`] : uncovered;
  return [
    {
      severity: 'info',
      message: `Scores leave out what is neither a Linear nor a convolution layer, or is read in another way as well: ${names.join(', ')}.`,
      file: run.model.file,
    },
  ];
}
