import type { CheckpointQuality, QualityReport } from '../../protocol/engineApi';
import type { Problem } from '../../protocol/model';
import { predict, predictionOf } from '../network/predictions';
import type { LoadedRun } from '../run/loadedRun';
import { isClassifier } from '../run/splits';
import type { Task } from '../task';
import { diagnose, entropy, mean } from './diagnosis';
import { diagnosisProblems } from './diagnosisText';
import { spreadIndices } from './trial';

const sampleSize = 1000;
/** A loss beyond this many times the logged one (and not both small) means that the model sees other inputs than in training. */
const tolerance = 1.5;
const smallLoss = 0.25;
/** Beyond these, causes are looked for; they are told only where one is found. */
const doubtfulRatio = 1.15;
const doubtfulLoss = 0.05;
/** Without a log: the share of the loss of guessing. */
const doubtfulGuess = 0.5;

/** The five-second check: accuracy and loss of every checkpoint on a sample of the training data, beside what was logged. */
export async function checkQuality(loaded: LoadedRun, task: Task): Promise<QualityReport> {
  const { run } = loaded;
  const train = loaded.examples('train');
  const indices = spreadIndices(train.length, sampleSize);
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
  const doubt = doubtOf(
    loaded,
    checkpoints,
    Float64Array.from(indices, (index) => labels[index]!),
  );
  const ofLoss = doubt ? await lossProblems(loaded, doubt, task) : [];
  return {
    examples: indices.length,
    checkpoints,
    problems: [...loaded.network.bindingProblems, ...uncoveredProblems(loaded), ...ofLoss],
  };
}

/** Whether something may be the matter with a run's inputs, and what was expected of them. */
interface Doubt {
  readonly ours: number;
  /** Mean logged loss, or undefined where nothing was logged. */
  readonly theirs: number | undefined;
  /** Whether it is surely wrong, and not only worth a look. */
  readonly isSure: boolean;
}

/** Compares means over the checkpoints, since one logged batch is noisy; without a log, the last one with guessing. */
function doubtOf(
  { run }: LoadedRun,
  checkpoints: readonly CheckpointQuality[],
  labels: Float64Array,
): Doubt | undefined {
  const logged = checkpoints.filter((one) => one.loggedLoss !== undefined);
  if (logged.length > 0) {
    const ours = mean(logged.map(({ loss }) => loss));
    const theirs = mean(logged.map(({ loggedLoss }) => loggedLoss!));
    const isSure = ours > smallLoss && ours > tolerance * theirs + smallLoss;
    return isSure || ours > doubtfulRatio * theirs + doubtfulLoss ? { ours, theirs, isSure } : undefined;
  }
  const ours = checkpoints.at(-1)!.loss;
  if (!isClassifier(run) || ours <= doubtfulGuess * entropy(labels)) return undefined;
  return { ours, theirs: undefined, isSure: ours > entropy(labels) && checkpoints.length > 1 };
}

async function lossProblems(loaded: LoadedRun, doubt: Doubt, task: Task): Promise<Problem[]> {
  const { run, network } = loaded;
  const last = run.checkpoints.at(-1)!.trainingLoss ?? doubt.theirs;
  const found = await diagnose(run, network, last, task);
  const ours = doubt.ours.toFixed(2);
  const what =
    doubt.theirs === undefined
      ? `The last checkpoint's loss on its training data is ${ours}${doubt.isSure ? ': no better than guessing' : ''}.`
      : `The loss on the training data is ${ours}, but training logged ${doubt.theirs.toFixed(2)}.`;
  const problems = diagnosisProblems(run, what, found);
  if (problems.length > 0 || !doubt.isSure) return problems;
  return [
    {
      severity: 'warning',
      message: `${what} The model sees other inputs than in training.`,
      file: run.path,
      mend: 'None of the usual causes lowers it: check `preprocess`, and that labels and examples belong together.',
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
