import type { Tensor } from '../../onnx/runtime';
import { WhenceError } from '../../protocol/errors';
import { type ModelExamples, range } from '../network/examples';
import type { Network } from '../network/network';
import { predict, softmax } from '../network/predictions';
import type { OpenRun } from '../run/openRun';
import { isClassifier } from '../run/splits';
import type { Attribution } from '../scores/attribute';
import type { Store } from '../store';
import type { Task } from '../task';

/** Signals of one training example, and the rank that they give together. */
export interface SuspectSignals {
  readonly index: number;
  readonly suggested: number;
  readonly suspicion: number;
  readonly meanLoss: number;
  readonly selfInfluence: number;
}

/**
 * Training examples by how likely their label is wrong, most suspect first: the mean of the ranks of the loss averaged
 * over the checkpoints (what training resisted) and of SOURCE self-influence (what had to be learnt by heart). Of a training of
 * several stages, the last one's.
 */
export async function rankSuspects(
  run: OpenRun,
  network: Network,
  train: ModelExamples,
  attribution: Attribution,
  store: Store,
  task: Task,
): Promise<readonly SuspectSignals[]> {
  if (!isClassifier(run) || network.outputs < 2) {
    throw new WhenceError(
      'bad-argument',
      'Suspect labels are ranked for classifiers of two outputs or more; this run is none.',
      {
        file: run.path,
      },
    );
  }
  const { meanLoss, suggested } = await trajectory(run, network, train, store, task);
  // Of several stages, the last one's examples come last; `train` is that stage's.
  const selfInfluence = (await attribution.selfInfluence(task)).subarray(-train.length);
  const lossRanks = ranks(meanLoss);
  const influenceRanks = ranks(selfInfluence);
  const last = Math.max(1, train.length - 1);
  return range(0, train.length)
    .map((index) => ({
      index,
      suggested: suggested[index]!,
      suspicion: (lossRanks[index]! + influenceRanks[index]!) / (2 * last),
      meanLoss: meanLoss[index]!,
      selfInfluence: selfInfluence[index]!,
    }))
    .sort((a, b) => b.suspicion - a.suspicion || b.meanLoss - a.meanLoss || a.index - b.index);
}

/** Loss averaged over the checkpoints, and the other class that they together find likeliest. */
async function trajectory(
  run: OpenRun,
  network: Network,
  train: ModelExamples,
  store: Store,
  task: Task,
): Promise<{ meanLoss: Float64Array; suggested: Float64Array }> {
  const checkpoints = range(0, run.checkpoints.length);
  const key = { kind: 'losses', hash: await run.hash('losses', checkpoints) } as const;
  const kept = await store.get(key);
  if (kept) {
    const stored = (name: string) => kept.get(name)!.data as Float64Array;
    return { meanLoss: stored('meanLoss'), suggested: stored('suggested') };
  }
  const { length } = train;
  task.expect(Math.ceil(length / network.training.batch) * checkpoints.length);
  const meanLoss = new Float64Array(length);
  let mass = new Float64Array(0);
  let outputs = 0;
  for (const checkpoint of checkpoints) {
    const predictions = await predict(network, train, range(0, length), checkpoint, task);
    outputs = predictions.outputs;
    if (mass.length === 0) mass = new Float64Array(length * outputs);
    for (let i = 0; i < length; i++) {
      meanLoss[i] = meanLoss[i]! + predictions.losses[i]! / checkpoints.length;
      const probabilities = softmax(predictions.logits.subarray(i * outputs, (i + 1) * outputs));
      probabilities.forEach((probability, label) => {
        mass[i * outputs + label] = mass[i * outputs + label]! + probability;
      });
    }
  }
  const suggested = Float64Array.from({ length }, (_, i) => {
    const own = mass.subarray(i * outputs, (i + 1) * outputs).slice();
    own[train.dataset.labels[i]!] = Number.NEGATIVE_INFINITY;
    return own.indexOf(Math.max(...own));
  });
  const tensor = (data: Float64Array): Tensor => ({ dtype: 'float64', dims: [length], data });
  await store.put(
    key,
    new Map([
      ['meanLoss', tensor(meanLoss)],
      ['suggested', tensor(suggested)],
    ]),
  );
  return { meanLoss, suggested };
}

/** Rank of each value, 0 for the smallest; equal values share the mean of their ranks. */
export function ranks(values: Float64Array): Float64Array {
  const order = range(0, values.length).sort((a, b) => values[a]! - values[b]!);
  const result = new Float64Array(values.length);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && values[order[end + 1]!] === values[order[start]!]) end++;
    for (let i = start; i <= end; i++) result[order[i]!] = (start + end) / 2;
    start = end + 1;
  }
  return result;
}
