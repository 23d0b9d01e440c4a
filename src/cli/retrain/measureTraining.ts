import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod/mini';
import type { Outcome } from '../../engine/retraining/outcomeFolder';
import { findCheckpoints } from '../../engine/run/checkpointFiles';
import { WhenceError } from '../../protocol/errors';
import { nodeFiles } from '../../worker/nodeFiles';
import type { CommandSession } from '../session';
import type { RetrainingJob } from './trainAll';

const resultsSchema = z.object({
  values: z.exactOptional(z.array(z.number())),
  losses: z.exactOptional(z.array(z.number())),
  predicted: z.exactOptional(z.array(z.number())),
});

/** What a finished training says of the queries, larger where one does better: its own results, or its last checkpoint's. */
export async function measureTraining(
  session: CommandSession,
  job: RetrainingJob,
  out: string,
): Promise<Pick<Outcome, 'values' | 'predicted'>> {
  const { config, description, run } = job;
  if (config.results !== undefined) return readResults(join(out, config.results), description.queries.length);
  const { split, queries, measurement = 'margin', target } = description;
  const { values, predicted } = await session.engine.measure({
    config: run.config,
    queries: queries.map((index) => ({ split, index })),
    measurement: { kind: measurement, ...(target === undefined ? {} : { target }) },
    checkpoint: await lastCheckpoint(job, out),
  });
  const sign = measurement === 'loss' ? -1 : 1;
  return { values: values.map((value) => sign * value), ...(predicted ? { predicted: [...predicted] } : {}) };
}

async function lastCheckpoint({ config, checkpoints, run }: RetrainingJob, out: string): Promise<string> {
  const own = typeof checkpoints === 'string' ? checkpoints : checkpoints.at(-1)!;
  const pattern = config.checkpoint ?? own;
  const files = nodeFiles();
  if (pattern.includes('*')) return (await findCheckpoints(pattern, out, files)).at(-1)!.file;
  const path = files.join(out, pattern);
  if (await files.exists(path)) return path;
  throw new WhenceError('not-found', 'The training left no such checkpoint.', {
    file: path,
    mend: `Name what it leaves as retrain.checkpoint in ${run.config}.`,
  });
}

async function readResults(path: string, queries: number): Promise<Pick<Outcome, 'values' | 'predicted'>> {
  const mend = 'Write { "values": [...] }, larger where a query does better, or { "losses": [...] }.';
  const result = resultsSchema.safeParse(await readJson(path, mend));
  const { values, losses, predicted } = result.success ? result.data : {};
  const found = values ?? losses?.map((loss) => -loss);
  if (!found)
    throw new WhenceError('malformed-file', 'The results have neither values nor losses.', { file: path, mend });
  if (found.length !== queries || (predicted && predicted.length !== queries)) {
    const message = `The results are of ${found.length} queries; ${queries} were asked for.`;
    throw new WhenceError('shape-mismatch', message, { file: path, mend: 'Measure those that WHENCE_QUERIES names.' });
  }
  return { values: found, ...(predicted ? { predicted } : {}) };
}

async function readJson(path: string, mend: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((cause: unknown) => {
    throw new WhenceError('not-found', 'The training left no such results.', { file: path, mend }, { cause });
  });
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new WhenceError('malformed-file', 'The results are not valid JSON.', { file: path, mend }, { cause });
  }
}
