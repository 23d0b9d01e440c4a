import type { GroupInfluenceRequest } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import type { ClassInfluence, GroupInfluence, SummedInfluence } from '../../protocol/model';
import { range } from '../network/examples';
import { checkedIndex, type LoadedRun } from '../run/loadedRun';
import type { Task } from '../task';
import { scoredQuery } from './queryScores';

/**
 * What a set of training examples did to one prediction together: the sum of their scores, to first order, since examples that
 * could stand in for one another do not add up in truth.
 */
export async function groupInfluenceOf(
  loaded: LoadedRun,
  request: GroupInfluenceRequest,
  task: Task,
): Promise<GroupInfluence> {
  const started = performance.now();
  const members = membersOf(loaded, request);
  const { query, measurement, hash, scores } = await scoredQuery(loaded, request, task);
  return {
    run: loaded.run.path,
    query,
    method: request.method,
    measurement,
    group: summed(scores, members),
    all: summed(scores, range(0, scores.length)),
    hash,
    seconds: (performance.now() - started) / 1000,
  };
}

/** The training examples of each label, together. */
export function classInfluence(labels: Float64Array, scores: Float64Array): ClassInfluence[] {
  const members = new Map<number, number[]>();
  labels.forEach((label, index) => {
    const own = members.get(label);
    if (own) own.push(index);
    else members.set(label, [index]);
  });
  return [...members]
    .map(([label, indices]) => ({ label, ...summed(scores, indices) }))
    .sort((a, b) => a.label - b.label);
}

function summed(scores: Float64Array, indices: readonly number[]): SummedInfluence {
  let towards = 0;
  let away = 0;
  for (const index of indices) {
    if (scores[index]! > 0) towards += scores[index]!;
    else away += scores[index]!;
  }
  return { examples: indices.length, towards, away };
}

/** Each once, in the order of the file. */
function membersOf(loaded: LoadedRun, { group }: GroupInfluenceRequest): readonly number[] {
  const { training } = loaded;
  const wanted = new Set(group.labels ?? []);
  const all = range(0, wanted.size > 0 ? training.length : 0);
  const indices = new Set(all.filter((index) => wanted.has(training.labels[index]!)));
  for (const example of group.examples ?? []) {
    const index = training.indexOf(example);
    if (index === undefined) {
      throw new WhenceError(
        'bad-argument',
        `A group is one of training examples; ${example.split} is no training data.`,
        {
          file: loaded.run.path,
          mend: `Name examples like ${training.at(0).split}:1,5,9-20.`,
        },
      );
    }
    checkedIndex(loaded.examples(example.split), example);
    indices.add(index);
  }
  if (indices.size > 0) return [...indices].sort((a, b) => a - b);
  throw new WhenceError('bad-argument', 'The group has no training examples.', { file: loaded.run.path });
}
