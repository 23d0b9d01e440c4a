import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RetrainConfig } from '../../engine/config/retrainConfig';
import { maskOf, type OutcomeDescription, type Subset } from '../../engine/retraining/outcomeFolder';
import type { Training } from '../../engine/retraining/plans';
import { encodeNpy } from '../../formats/npy';
import { toErrorData } from '../../protocol/errors';
import type { TrainingRun } from '../../protocol/model';
import type { CommandSession } from '../session';
import { measureTraining } from './measureTraining';
import type { OutcomeStore } from './outcomeStore';
import { trainingCommand } from './trainingCommand';
import { runTraining } from './trainingProcess';

export interface RetrainingJob {
  readonly run: TrainingRun;
  readonly config: RetrainConfig;
  /** The run's own `checkpoints`. */
  readonly checkpoints: string | readonly string[];
  readonly description: OutcomeDescription;
  readonly subsets: readonly Subset[];
  readonly trainings: readonly Training[];
  readonly examples: number;
  readonly store: OutcomeStore;
  /** Where trainings work; each one's folder goes when its outcome is known. */
  readonly scratch: string;
  readonly parallel: number;
}

export interface TrainingFailure {
  readonly training: Training;
  readonly reason: string;
  readonly lastLines: readonly string[];
  readonly log: string;
}

/** A command that never works is not tried more often than this. */
const firstFailures = 3;

/**
 * Trains what is not done yet, some at a time, and keeps every outcome as soon as it is there. A failed training holds none
 * of the others up.
 * @returns what failed
 */
export async function trainAll(session: CommandSession, job: RetrainingJob): Promise<readonly TrainingFailure[]> {
  const { trainings, store, parallel } = job;
  const waiting = trainings.filter(({ subset, repeat }) => !store.has(subset, repeat));
  const before = trainings.length - waiting.length;
  if (before > 0) session.say(`${before} of ${trainings.length} trainings are done already.`);
  const failures: TrainingFailure[] = [];
  const started = performance.now();
  // Of the platform's own kind: a training stops listening when it has ended.
  const cancel = new AbortController();
  session.call.signal?.addEventListener('abort', () => cancel.abort());
  let [done, next] = [0, 0];
  const report = () => {
    const seconds = (performance.now() - started) / 1000;
    const left = waiting.length - done - failures.length;
    session.call.onProgress?.({
      phase: 'retraining',
      message: `${before + done} of ${trainings.length} done${failures.length > 0 ? `, ${failures.length} failed` : ''}`,
      done: before + done + failures.length,
      total: trainings.length,
      ...(done > 0 ? { remainingSeconds: (seconds / (done + failures.length)) * left } : {}),
    });
  };
  const givesUp = () => done === 0 && failures.length >= firstFailures;
  const work = async () => {
    while (next < waiting.length && !cancel.signal.aborted && !givesUp()) {
      const training = waiting[next++]!;
      const failure = await train(session, job, training, cancel.signal);
      if (failure === 'cancelled') return;
      if (failure) failures.push(failure);
      else done++;
      report();
    }
  };
  report();
  await Promise.all(Array.from({ length: Math.min(parallel, waiting.length) }, work));
  return failures;
}

async function train(
  session: CommandSession,
  job: RetrainingJob,
  training: Training,
  signal: AbortSignal,
): Promise<TrainingFailure | 'cancelled' | undefined> {
  const { config, run, store, parallel } = job;
  const place = join(job.scratch, `subset-${training.subset}-repeat-${training.repeat}`);
  const out = join(place, 'out');
  const log = join(place, 'log.txt');
  const failed = (reason: string, lastLines: readonly string[]) => ({ training, reason, lastLines, log });
  await rm(place, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
  const subset = await writeSubset(job, training.subset, place);
  const command = trainingCommand(config, { subset, seed: training.seed, out, queries: store.queries });
  const end = await runTraining(command, { folder: run.folder, log, timeout: config.timeout, parallel, signal });
  if (end.kind === 'cancelled') return 'cancelled';
  if (end.kind === 'failed') return failed(end.reason, end.lastLines);
  try {
    const measured = await measureTraining(session, job, out);
    await store.add({ ...training, ...measured });
  } catch (error) {
    if (signal.aborted) return 'cancelled';
    const { message, details } = toErrorData(error);
    return failed(`its outcome cannot be read: ${[details.file, message].filter(Boolean).join(': ')}`, []);
  }
  await rm(place, { recursive: true, force: true });
  return undefined;
}

async function writeSubset(
  { config, subsets, examples }: RetrainingJob,
  subset: number,
  place: string,
): Promise<string> {
  const format = config.subset ?? 'txt';
  const path = join(place, `subset.${format}`);
  const mask = maskOf(subsets[subset]!, examples);
  const indices = Array.from(mask.keys()).filter((index) => mask[index] === 1);
  if (format === 'txt') await writeFile(path, indices.map((index) => `${index}\n`).join(''));
  if (format === 'json') await writeFile(path, JSON.stringify(indices));
  if (format === 'npy') {
    const data = BigInt64Array.from(indices, BigInt);
    await writeFile(path, encodeNpy({ dtype: 'int64', dims: [indices.length], data }));
  }
  return path;
}
