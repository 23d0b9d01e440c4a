import type { Tensor } from '../../onnx/runtime';
import { bytesOf } from '../../onnx/tensor';
import type { AttributeRequest } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import type { Influence, PredictedExample } from '../../protocol/model';
import { type ModelExamples, range } from '../network/examples';
import { predict, predictionOf } from '../network/predictions';
import { checkedIndex, type LoadedRun } from '../run/loadedRun';
import { isClassifier, isPerToken } from '../run/splits';
import type { Task } from '../task';
import { unrollingFiles } from '../unrolling/unrollingFiles';
import { exampleOf } from './exampleOf';

/** What a question about one prediction names. */
export type AskedQuery = Pick<AttributeRequest, 'query' | 'method' | 'measurement'>;

/** One query with its scores against all training examples. */
export interface ScoredQuery {
  readonly query: PredictedExample;
  readonly measurement: Influence['measurement'];
  readonly hash: string;
  /** [examples], summed over segments. */
  readonly scores: Float64Array;
  readonly bySegment: readonly Float32Array[];
  readonly truncationError: number | undefined;
}

/** A query's prediction and scores, these from the store or anew. */
export async function scoredQuery(loaded: LoadedRun, asked: AskedQuery, task: Task): Promise<ScoredQuery> {
  const { run } = loaded;
  const queries = loaded.examples(asked.query.split);
  const index = checkedIndex(queries, asked.query);
  const predictions = await predict(loaded.network, queries, [index], run.checkpoints.length - 1, task);
  const label = queries.dataset.labels[index]!;
  const prediction = predictionOf(run, predictions, 0, label);
  const perToken = queries.sequence?.labels !== undefined;
  const kind = asked.measurement?.kind ?? (perToken || run.loss === 'custom' ? 'loss' : 'margin');
  const target = asked.measurement?.target ?? (kind === 'loss' ? label : prediction.predicted);
  checkTarget(loaded, target);
  const token = asked.measurement?.token;
  const measurement = { kind, target, ...(token === undefined ? {} : { token }) };
  const hash = await influenceHash(loaded, asked.method);
  const { bySegment, truncationError } = await storedScores(loaded, asked, index, measurement, hash, task);
  const scores = new Float64Array(loaded.training.length);
  for (const part of bySegment) for (let i = 0; i < scores.length; i++) scores[i] = scores[i]! + part[i]!;
  const query = { ...(await exampleOf(loaded, asked.query)), prediction };
  return { query, measurement, hash, scores, bySegment, truncationError };
}

/** Content hash of what a method's scores depend on, whichever the query. */
export async function influenceHash({ run, files }: LoadedRun, method: AttributeRequest['method']): Promise<string> {
  const replayed = method === 'exact-unrolling' ? Object.values(unrollingFiles(run, files)) : [];
  const stages = run.stages.map((stage) =>
    stage.run.hash('stage', range(0, stage.run.checkpoints.length), stage.run.optimizer),
  );
  return run.hash('scores', range(0, run.checkpoints.length), {
    method,
    segments: run.segments,
    optimizer: run.optimizer,
    rates: run.checkpoints.map(({ learningRate }) => learningRate),
    queryRank: run.config.queryRank,
    ...(stages.length > 0 ? { stages: await Promise.all(stages) } : {}),
    ...(replayed.length > 0 ? { replayed: await Promise.all(replayed.map((file) => files.hashFile(file))) } : {}),
    ...(method === 'trak' ? { trak: run.config.trak, seed: run.config.seed } : {}),
  });
}

async function storedScores(
  loaded: LoadedRun,
  asked: AskedQuery,
  index: number,
  measurement: Influence['measurement'],
  hash: string,
  task: Task,
): Promise<{ readonly bySegment: readonly Float32Array[]; readonly truncationError: number | undefined }> {
  const { files, store } = loaded;
  const queries = loaded.examples(asked.query.split);
  const { inputs, labels } = await queries.batch([index], 1);
  // The query by its content, so that a changed test file never shows another row's scores.
  const facts = JSON.stringify({
    hash,
    measurement,
    label: labels[0],
    inputs: Object.entries(inputs).map(([name, tensor]) => [name, files.hashBytes([bytesOf(tensor)])]),
  });
  const key = { kind: 'scores', hash: files.hashBytes([new TextEncoder().encode(facts)]) } as const;
  const kept = await store.get(key);
  if (kept) {
    const { dims, data } = kept.get('scores')!;
    const [segments, examples] = dims as [number, number];
    const bySegment = range(0, segments).map((s) => (data as Float32Array).subarray(s * examples, (s + 1) * examples));
    return { bySegment, truncationError: (kept.get('truncation error')?.data as Float64Array | undefined)?.[0] };
  }
  const scores = await loaded.attribution.score(
    queries,
    [index],
    [measurement.target],
    asked.method,
    measurement.kind,
    task,
    tokenPlace(queries, measurement.token),
  );
  const { examples, truncationErrors: errors } = scores;
  const data = new Float32Array(scores.bySegment.length * examples);
  scores.bySegment.forEach((part, segment) => {
    data.set(part, segment * examples);
  });
  const tensor: Tensor = { dtype: 'float32', dims: [scores.bySegment.length, examples], data };
  const error: [string, Tensor][] = errors ? [['truncation error', { dtype: 'float64', dims: [1], data: errors }]] : [];
  await store.put(key, new Map([['scores', tensor], ...error]));
  return { bySegment: scores.bySegment, truncationError: errors?.[0] };
}

/** Where the label of a token stands: language models predict it one place before. */
function tokenPlace({ sequence, dataset }: ModelExamples, token: number | undefined): number | undefined {
  if (token === undefined) return undefined;
  const first = sequence?.labels?.shifted ? 1 : 0;
  if (sequence?.labels && Number.isInteger(token) && token >= first && token < sequence.tokens) return token - first;
  throw new WhenceError(
    'bad-argument',
    sequence?.labels
      ? `There is no prediction of token ${token}: tokens with one are ${first} to ${sequence.tokens - 1}.`
      : 'Only models with a label for every token can be measured at one.',
    { file: dataset.files[0]! },
  );
}

/** Fails with `bad-argument` where a measurement cannot be taken at `target`: a class, or a regression's label. Tokens have their own. */
export function checkTarget({ run, network }: LoadedRun, target: number): void {
  if (isPerToken(run.splits, run.loss)) return;
  const { outputs } = network;
  const fits = isClassifier(run)
    ? Number.isInteger(target) && target >= 0 && target < Math.max(2, outputs)
    : !Number.isNaN(target);
  if (fits) return;
  throw new WhenceError(
    'bad-argument',
    Number.isNaN(target)
      ? 'The query has no label to be measured at.'
      : `There is no class ${target}: the model has ${outputs}.`,
    { file: run.path, mend: 'Choose the margin or the logit of a class.' },
  );
}
