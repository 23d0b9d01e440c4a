import type { ExampleId } from '../../protocol/model';
import { Fit } from '../fit/fit';
import type { EngineHost } from '../host';
import { Network } from '../network/network';
import type { LoadedStage } from '../scores/stageScores';
import { RunGradients } from '../scores/trainingGradients';
import type { Store } from '../store';
import { modelExamples } from './modelExamples';
import type { Stage } from './stages';

/** The training examples of all stages, one stage after the other: the columns of every array of scores. */
export interface TrainingSet {
  readonly length: number;
  readonly labels: Float64Array;
  /** The split and index of an example. */
  at(index: number): ExampleId;
  /** Where an example stands; undefined where no stage was trained on its split. */
  indexOf(example: ExampleId): number | undefined;
}

/** Each stage with a network of its own, since its loss may be another. */
export async function loadStages(stages: readonly Stage[], host: EngineHost, store: Store): Promise<LoadedStage[]> {
  const loaded: LoadedStage[] = [];
  for (const { run, split, firstCheckpoint } of stages) {
    const train = (await modelExamples(run)).get('train')!;
    const network = await Network.open(run, host, train);
    train.keep(network.memory.inputs);
    loaded.push(loadedStage({ run, network, train, split, firstCheckpoint }, host, store));
  }
  return loaded;
}

export function loadedStage(
  stage: Omit<LoadedStage, 'fit' | 'gradients'>,
  host: EngineHost,
  store: Store,
): LoadedStage {
  const { run, network, train } = stage;
  return { ...stage, fit: new Fit(run, network, train, host, store), gradients: new RunGradients(network, train) };
}

export function trainingSet(stages: readonly LoadedStage[]): TrainingSet {
  const labels = Float64Array.from(stages.flatMap(({ train }) => Array.from(train.dataset.labels)));
  const firsts: number[] = [];
  for (const { train } of stages) firsts.push((firsts.at(-1) ?? 0) + train.length);
  const begin = (stage: number) => (stage === 0 ? 0 : firsts[stage - 1]!);
  return {
    length: labels.length,
    labels,
    at(index) {
      const stage = firsts.findIndex((end) => index < end);
      return { split: stages[stage]!.split, index: index - begin(stage) };
    },
    indexOf({ split, index }) {
      const stage = stages.findIndex((own) => own.split === split);
      return stage < 0 ? undefined : begin(stage) + index;
    },
  };
}
