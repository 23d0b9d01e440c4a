import type { PreprocessConfig } from '../../formats/transform';
import type { Network } from '../network/network';
import type { Predictions } from '../network/predictions';
import type { OpenRun } from '../run/openRun';
import { isClassifier } from '../run/splits';
import type { Task } from '../task';
import { type LabelCause, labelCause } from './labelCauses';
import { isPreprocessed, spreadIndices, Trial } from './trial';
import { featureFacts, preprocessVariants, type Variant } from './variants';

/** A preprocessing that was tried, with the last checkpoint's mean loss on a sample of the training data. */
export interface Tried extends Variant {
  readonly loss: number;
}

/** What the matter is with a run's inputs, found by changing it and seeing the training loss fall. */
export interface Diagnosis {
  /** Mean loss as the run stands. */
  readonly loss: number;
  /** Changes one upon the other, each with the loss that it leaves. */
  readonly changes: readonly Tried[];
  /** Other first changes that lower the loss as surely, likeliest first. */
  readonly alternatives: readonly Tried[];
  /** Where the labels are the matter. */
  readonly labels?: LabelCause;
}

const screened = 64;
const sampled = 256;
const finalists = 3;
const mostChanges = 3;
/** A change must lower the loss by this share of it, by so much, and by so many standard errors of the paired difference. */
const leastShare = 0.15;
const leastFall = 0.05;
const leastErrors = 3;
/** Losses so near to the smallest do not tell causes apart: the likelier one is taken. */
const indifferentRatio = 1.5;
const indifferentLoss = 0.1;

/** Whether a loss is too near to the smallest of several to be told from it. */
export function isNearSmallest(loss: number, smallest: number): boolean {
  return loss <= smallest * indifferentRatio + indifferentLoss;
}

interface Final extends Tried {
  readonly predictions: Predictions;
}

/**
 * Tries usual mistakes of preprocessing, and those of labels, on the last checkpoint. Training made its loss small for the
 * inputs that it saw: a change that lowers the loss by much is what training did.
 * @param expected the loss that training logged; once it is reached, nothing more is tried
 */
export async function diagnose(
  run: OpenRun,
  network: Network,
  expected: number | undefined,
  task: Task,
): Promise<Diagnosis> {
  const indices = spreadIndices(run.splits.get('train')!.length, sampled);
  const trial = new Trial(run, network, run.checkpoints.length - 1, indices, task);
  let preprocess = run.config.preprocess ?? {};
  let predictions = (await trial.predictions(preprocess))!;
  const loss = mean(predictions.losses);
  const ofLabels = (own: Predictions) => (isClassifier(run) ? labelCause(own, trial.labels) : undefined);
  const asTheyAre = ofLabels(predictions);
  if (asTheyAre) return { loss, changes: [], alternatives: [], labels: asTheyAre };
  const changes: Tried[] = [];
  let alternatives: readonly Tried[] = [];
  const isReached = () => expected !== undefined && mean(predictions.losses) <= expected * (1 + leastShare) + leastFall;
  while (isPreprocessed(run) && changes.length < mostChanges && !isReached()) {
    const found = await bestVariants(run, trial, preprocess, predictions);
    const [best, ...others] = found;
    if (!best) break;
    if (changes.length === 0) alternatives = others.map(({ predictions: _, ...tried }) => tried);
    ({ preprocess, predictions } = best);
    changes.push({ cause: best.cause, preprocess, loss: best.loss });
  }
  const labels = ofLabels(predictions);
  // Wrong labels make confident predictions dear: whatever dulls the inputs helps then, but is no cause.
  const isDulled = isClassifier(run) && !labels && mean(predictions.losses) >= entropy(trial.labels);
  if (isDulled) return { loss, changes: [], alternatives: [] };
  return { loss, changes, alternatives, ...(labels ? { labels } : {}) };
}

/**
 * Variants that lower the loss for sure, likeliest first among those that are hardly worse than the best: all are tried on a
 * few examples, the best on more.
 */
async function bestVariants(
  run: OpenRun,
  trial: Trial,
  base: PreprocessConfig,
  { losses }: Predictions,
): Promise<Final[]> {
  const { dims, inputs } = await trial.features(base);
  const arePictures = run.splits.get('train')!.pictures?.stored === 'files';
  const screen: Tried[] = [];
  for (const variant of preprocessVariants(base, featureFacts(dims, inputs, arePictures))) {
    const tried = await trial.predictions(variant.preprocess, Math.min(screened, trial.indices.length));
    if (tried) screen.push({ ...variant, loss: mean(tried.losses) });
  }
  const finals: Final[] = [];
  for (const { cause, preprocess } of likeliestFirst(screen).slice(0, finalists)) {
    const predictions = (await trial.predictions(preprocess))!;
    const loss = mean(predictions.losses);
    if (isLower(predictions.losses, losses)) finals.push({ cause, preprocess, loss, predictions });
  }
  return likeliestFirst(finals);
}

/** Of a list in the order of likelihood first those that are hardly worse than the best, then the others by their losses. */
function likeliestFirst<T extends Tried>(tried: readonly T[]): T[] {
  const best = Math.min(...tried.map(({ loss }) => loss));
  const isNear = ({ loss }: T) => isNearSmallest(loss, best);
  return [...tried.filter(isNear), ...tried.filter((one) => !isNear(one)).sort((a, b) => a.loss - b.loss)];
}

/** Whether losses of the same examples are lower by much and not by chance. */
function isLower(losses: Float32Array, before: Float32Array): boolean {
  const falls = before.map((loss, row) => loss - losses[row]!);
  const fall = mean(falls);
  const variance = mean(falls.map((one) => (one - fall) ** 2));
  const error = Math.sqrt(variance / falls.length);
  return fall >= Math.max(leastFall, leastShare * mean(before)) && fall >= leastErrors * error;
}

/** The loss of always predicting the labels' own shares. */
export function entropy(labels: Float64Array): number {
  const counts = new Map<number, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  return [...counts.values()].reduce(
    (sum, count) => sum - (count / labels.length) * Math.log(count / labels.length),
    0,
  );
}

export function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let index = 0; index < values.length; index++) sum += values[index]!;
  return sum / values.length;
}
