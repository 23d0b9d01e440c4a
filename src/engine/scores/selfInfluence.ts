import type { SelfInfluenceReport, SelfInfluenceRequest } from '../../protocol/engineApi';
import { range } from '../network/examples';
import type { LoadedRun } from '../run/loadedRun';
import type { Task } from '../task';
import { exampleOf } from './exampleOf';

/** The training examples that moved their own loss most, as a method sees it: outliers, hard ones and wrong labels. */
export async function selfInfluenceOf(
  loaded: LoadedRun,
  { method, top }: SelfInfluenceRequest,
  task: Task,
): Promise<SelfInfluenceReport> {
  const scores = await loaded.attribution.selfInfluence(task, method);
  const order = range(0, scores.length).sort((a, b) => scores[b]! - scores[a]! || a - b);
  const strongest = order.slice(0, Math.max(0, top)).map(async (index) => ({
    example: await exampleOf(loaded, loaded.training.at(index)),
    score: scores[index]!,
  }));
  return { method, strongest: await Promise.all(strongest), examples: scores.length };
}
