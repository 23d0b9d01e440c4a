import type { RunConfig } from '../../engine/config/config';
import { WhenceError } from '../../protocol/errors';
import type { TrainingRun } from '../../protocol/model';
import type { QueryRange } from '../queries';

/** A split that a run was trained on, and where its examples begin among those of all stages. */
export interface TrainingSplit {
  readonly split: string;
  readonly first: number;
  readonly examples: number;
}

/** The training examples of all stages, one stage after the other, as scores and subsets count them. */
export function trainingSplits(run: TrainingRun, { stages }: Pick<RunConfig, 'stages'>): readonly TrainingSplit[] {
  let first = 0;
  return (stages?.map(({ train = 'train' }) => train) ?? ['train']).map((split) => {
    const { examples = 0 } = run.splits.find(({ name }) => name === split) ?? {};
    first += examples;
    return { split, first: first - examples, examples };
  });
}

export function trainedExamples(splits: readonly TrainingSplit[]): number {
  return splits.reduce((sum, { examples }) => sum + examples, 0);
}

/** Ranges such as `train:9-12` as the places of their examples, rising, each once. */
export function placesOf(ranges: readonly QueryRange[], splits: readonly TrainingSplit[]): readonly number[] {
  const places = ranges.flatMap(({ split, from, to }) => {
    const own = splits.find((each) => each.split === split);
    if (own && to < own.examples) return Array.from({ length: to - from + 1 }, (_, at) => own.first + from + at);
    const message = own
      ? `There is no ${split}:${to}; there are ${own.examples}, from 0.`
      : `${split} is not trained on.`;
    const names = splits.map((each) => each.split).join(', ');
    throw new WhenceError('bad-argument', message, { mend: `Name examples of ${names}: --without train:1,5,9-12.` });
  });
  return [...new Set(places)].sort((a, b) => a - b);
}
