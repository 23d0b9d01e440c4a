import { predictGraph } from '../../curvature/instrument';
import { isPerToken, outputNames } from '../../curvature/subject';
import type { Feeds } from '../../onnx/runtime';
import type { Prediction } from '../../protocol/model';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import type { ModelExamples } from './examples';
import { floats, runWith } from './feeds';
import type { Network } from './network';

/** A checkpoint's opinion of some examples. */
export interface Predictions {
  readonly outputs: number;
  /** [examples, outputs] */
  readonly logits: Float32Array;
  /** [examples] */
  readonly losses: Float32Array;
}

/** Runs a checkpoint forward over `indices` of a split. */
export async function predict(
  network: Network,
  examples: ModelExamples,
  indices: readonly number[],
  checkpoint: number,
  task: Task,
): Promise<Predictions> {
  return predictWith(network, examples, indices, await network.weights(checkpoint), task);
}

/** The same with weights of the caller's. */
export async function predictWith(
  network: Network,
  examples: ModelExamples,
  indices: readonly number[],
  weights: Feeds,
  task: Task,
): Promise<Predictions> {
  const subject = network.training;
  const session = await network.forwardSession('predict', subject, predictGraph);
  // Of tokens only the losses are looked at.
  const outputs = isPerToken(subject) ? 0 : network.outputs;
  const logits = new Float32Array(indices.length * outputs);
  const losses = new Float32Array(indices.length);
  for (let start = 0; start < indices.length; start += subject.batch) {
    const part = indices.slice(start, start + subject.batch);
    const batch = await examples.batch(part, subject.batch);
    const results = await runWith(session, { ...weights, ...network.batchFeeds(subject, batch) });
    if (outputs > 0)
      logits.set(floats(results, outputNames.logits).subarray(0, part.length * outputs), start * outputs);
    losses.set(floats(results, outputNames.losses).subarray(0, part.length), start);
    task.step('checking', 'Predictions');
  }
  return { outputs, logits, losses };
}

/**
 * Row `row` of predictions in the interface's words; the loss of an example without a label is NaN. Of tokens, and of losses that
 * know no classes, there is no single prediction: it is NaN, with the probability that the mean loss stands for.
 */
export function predictionOf(
  run: OpenRun,
  { outputs, logits, losses }: Predictions,
  row: number,
  label: number,
): Prediction {
  const own = logits.subarray(row * outputs, (row + 1) * outputs);
  if (outputs === 0) {
    return { predicted: Number.NaN, confidence: Math.exp(-losses[row]!), loss: losses[row]!, probabilities: [] };
  }
  const loss = Number.isNaN(label) ? Number.NaN : losses[row]!;
  if (run.loss === 'binary-cross-entropy') {
    const yes = 1 / (1 + Math.exp(-own[0]!));
    const predicted = yes > 0.5 ? 1 : 0;
    return { predicted, confidence: Math.max(yes, 1 - yes), loss, probabilities: [1 - yes, yes] };
  }
  if (outputs === 1) return { predicted: own[0]!, confidence: 1, loss, probabilities: [] };
  const probabilities = softmax(own);
  const predicted = probabilities.indexOf(Math.max(...probabilities));
  return { predicted, confidence: probabilities[predicted]!, loss, probabilities };
}

export function softmax(logits: ArrayLike<number>): number[] {
  const values = Array.from(logits);
  const largest = Math.max(...values);
  const exponentials = values.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}
