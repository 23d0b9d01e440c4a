import { preparedDataset } from '../../formats/prepared';
import { datasetStatistics } from '../../formats/transform';
import { ModelExamples } from '../network/examples';
import { inputSources, sequenceOf } from '../network/inputSources';
import type { OpenRun } from './openRun';

/** A run's splits, preprocessed as its configuration says. */
export async function modelExamples(run: OpenRun): Promise<Map<string, ModelExamples>> {
  const preprocess = run.config.preprocess ?? {};
  const splits = new Map([...run.splits].map(([name, split]) => [name, preparedDataset(split, preprocess)]));
  const train = splits.get('train')!;
  const statistics = preprocess.standardize ? await datasetStatistics(train) : undefined;
  const sources = inputSources({ ...run, splits });
  const plan = { sources, sequence: sequenceOf(run, sources), preprocess, statistics };
  return new Map([...splits].map(([name, split]) => [name, new ModelExamples(split, plan)]));
}
