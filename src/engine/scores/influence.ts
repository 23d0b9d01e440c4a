import type { AttributeRequest } from '../../protocol/engineApi';
import type { Influence, InfluentialExample } from '../../protocol/model';
import { range } from '../network/examples';
import type { LoadedRun } from '../run/loadedRun';
import { isClassifier } from '../run/splits';
import type { Task } from '../task';
import { exampleOf } from './exampleOf';
import { classInfluence } from './groupInfluence';
import { scoredQuery } from './queryScores';

/** Answers one query: its scores from the store or anew, ranked both ways. */
export async function influenceOf(loaded: LoadedRun, request: AttributeRequest, task: Task): Promise<Influence> {
  const started = performance.now();
  const { run } = loaded;
  const { query, measurement, hash, scores, bySegment, truncationError } = await scoredQuery(loaded, request, task);
  const { labels } = loaded.training;
  const kept = range(0, scores.length).filter((i) => !request.labels?.length || request.labels.includes(labels[i]!));
  kept.sort((a, b) => scores[b]! - scores[a]! || a - b);
  const top = Math.max(0, request.top);
  const describe = (indices: readonly number[]): Promise<InfluentialExample[]> =>
    Promise.all(
      indices.map(async (i) => ({
        example: await exampleOf(loaded, loaded.training.at(i)),
        score: scores[i]!,
        bySegment: bySegment.map((part) => part[i]!),
      })),
    );
  return {
    run: run.path,
    query,
    method: request.method,
    measurement,
    towards: await describe(kept.filter((i) => scores[i]! > 0).slice(0, top)),
    away: await describe(
      kept
        .filter((i) => scores[i]! < 0)
        .reverse()
        .slice(0, top),
    ),
    byClass: isClassifier(run) ? classInfluence(labels, scores) : [],
    segments: run.segments,
    ...truncationOf(run, truncationError),
    examples: kept.length,
    hash,
    seconds: (performance.now() - started) / 1000,
  };
}

/** What is told of truncated queries. */
export function truncationOf(
  { config }: LoadedRun['run'],
  relativeError: number | undefined,
): { readonly truncation?: NonNullable<Influence['truncation']> } {
  const { queryRank: rank } = config;
  return rank === undefined || relativeError === undefined ? {} : { truncation: { rank, relativeError } };
}
