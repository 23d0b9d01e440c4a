import { type AdamRecord, emptyState, takeStep } from '../../attribution/unrolling';
import { lossGradientGraph, replayNames } from '../../curvature/replayGraph';
import { inputNames, type Subject } from '../../curvature/subject';
import type { Feeds, Session, Tensor } from '../../onnx/runtime';
import { WhenceError } from '../../protocol/errors';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import type { Batches } from './batches';
import { type Parameter, refused, stepSettings } from './parameters';

/** A training run as it was taken again, with what the way back needs. */
export interface Replay {
  readonly subject: Subject;
  /** The parameters that moved. */
  readonly parameters: readonly Parameter[];
  readonly batches: Batches;
  /** The graph's weights before each update, and after the last: [updates + 1]. */
  readonly weights: readonly Feeds[];
  /** By update and parameter, for Adam. */
  readonly records: readonly (readonly (AdamRecord | undefined)[])[];
}

/** How far a replayed checkpoint may be from the saved one, relative to how far training had come from its initial weights. */
const tolerance = 0.01;

/**
 * Trains again from the initial weights with training's own batches, in the precision of the graph, the optimizer's own arithmetic
 * in float64.
 * @throws WhenceError `unsupported-op` where it does not meet the checkpoints, `out-of-memory` where the run is too large
 */
export async function replay(
  run: OpenRun,
  network: Network,
  train: ModelExamples,
  all: readonly Parameter[],
  initial: string,
  given: Batches,
  task: Task,
): Promise<Replay> {
  const steps = run.checkpoints.at(-1)!.step;
  if (given.length < steps)
    throw refused(run, `There are batches of ${given.length} updates, and the last checkpoint is of ${steps}`);
  const batches = given.slice(0, steps);
  const first = await network.weightsFrom({ file: initial, step: 0 });
  const last = await network.weights(run.checkpoints.length - 1);
  const parameters = all.filter(({ initializer }) => !equal(first[initializer]!, last[initializer]!));
  checkSize(run, network, steps, parameters, first);
  const subject = await network.subjectAt(Math.max(...batches.map((batch) => batch.length)));
  const names = parameters.map(({ initializer }) => initializer);
  const session = await network.session(`replayed losses ${names.length}`, subject, (own) =>
    lossGradientGraph(own, names),
  );
  const states = parameters.map(({ initializer }) => emptyState(Float64Array.from(dataOf(first[initializer]!))));
  const weights: Feeds[] = [first];
  const records: (AdamRecord | undefined)[][] = [];
  task.expect(steps);
  for (const [step, batch] of batches.entries()) {
    const gradients = states.map(({ weights: own }) => new Float64Array(own.length));
    await overBatch(network, subject, session, train, batch, weights.at(-1)!, (outputs) => {
      parameters.forEach(({ initializer }, p) => {
        addTo(gradients[p]!, floats(outputs, replayNames.gradient(initializer)));
      });
    });
    records.push(
      parameters.map(({ tensor }, p) =>
        takeStep(run.optimizer, stepSettings(run, tensor, step), states[p]!, gradients[p]!),
      ),
    );
    const moved = parameters.map(({ initializer }, p): [string, Tensor] => {
      const { dims } = first[initializer]!;
      return [initializer, { dtype: 'float32', dims, data: Float32Array.from(states[p]!.weights) }];
    });
    weights.push({ ...first, ...Object.fromEntries(moved) });
    task.step('gradients', 'Training again');
  }
  await checkCheckpoints(run, network, parameters, weights);
  return { subject, parameters, batches, weights, records };
}

/** Runs a graph over a batch, whose examples count 1 / its length each; `take` is told which of them a run held. */
export async function overBatch(
  network: Network,
  subject: Subject,
  session: Session,
  train: ModelExamples,
  batch: readonly number[],
  feeds: Feeds,
  take: (outputs: Record<string, Tensor>, examples: readonly number[]) => void,
): Promise<void> {
  for (let start = 0; start < batch.length; start += subject.batch) {
    const some = batch.slice(start, start + subject.batch);
    const own = network.batchFeeds(subject, await train.batch(some, subject.batch));
    const data = new Float32Array(subject.batch).fill(1 / batch.length, 0, some.length);
    const weights: Tensor = { dtype: 'float32', dims: [subject.batch], data };
    take(await runWith(session, { ...feeds, ...own, [inputNames.weights]: weights }), some);
  }
}

export function addTo(total: Float64Array, values: Float32Array): void {
  for (let i = 0; i < total.length; i++) total[i] = total[i]! + values[i]!;
}

function checkSize(
  run: OpenRun,
  network: Network,
  steps: number,
  parameters: readonly Parameter[],
  weights: Feeds,
): void {
  const count = parameters.reduce((sum, { initializer }) => sum + dataOf(weights[initializer]!).length, 0);
  // Weights in float32; of Adam also the gradient and both averages in float64.
  const bytes = steps * count * (run.optimizer.kind === 'sgd' ? 4 : 4 + 3 * 8);
  if (bytes <= network.memory.gradients) return;
  const megabytes = (value: number) => Math.ceil(value / 2 ** 20);
  throw new WhenceError(
    'out-of-memory',
    `Exact unrolling keeps all ${steps} steps of ${count} weights, ${megabytes(bytes)} MB; ${megabytes(network.memory.gradients)} MB are allowed.`,
    {
      file: run.path,
      place: 'unrolling',
      mend: 'It is meant for tiny networks: choose the method source, or allow more with "memory" in whence.json.',
    },
  );
}

async function checkCheckpoints(
  run: OpenRun,
  network: Network,
  parameters: readonly Parameter[],
  weights: readonly Feeds[],
): Promise<void> {
  for (const [index, { step, file }] of run.checkpoints.entries()) {
    const saved = await network.weights(index);
    const found = weights[step]!;
    let [apart, way] = [0, 0];
    for (const { initializer } of parameters) {
      const own = dataOf(found[initializer]!);
      const [goal, start] = [dataOf(saved[initializer]!), dataOf(weights[0]![initializer]!)];
      for (let i = 0; i < own.length; i++) {
        apart += (own[i]! - goal[i]!) ** 2;
        way += (goal[i]! - start[i]!) ** 2;
      }
    }
    if (apart <= tolerance ** 2 * way) continue;
    const share = `${(100 * Math.sqrt(apart / way)).toPrecision(2)} %`;
    throw new WhenceError(
      'unsupported-op',
      `Training again ends ${share} of the way from step ${step}'s checkpoint: something moved the weights that is not known.`,
      {
        file,
        place: `step ${step}`,
        mend: 'Check batches, learning rates and the optimizer in whence.json. Dropout, augmentation, gradient clipping and a loss averaged over all tokens of a batch cannot be replayed.',
      },
    );
  }
}

function dataOf({ data }: Tensor): Float32Array {
  return data as Float32Array;
}

function equal(a: Tensor, b: Tensor): boolean {
  const [left, right] = [dataOf(a), dataOf(b)];
  return left.every((value, i) => value === right[i]);
}
