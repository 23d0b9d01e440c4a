import type { EngineHost } from '../host';
import { loadedStage } from '../run/loadedStages';
import type { OpenRun } from '../run/openRun';
import type { Store } from '../store';
import type { LoadedStage } from './stageScores';

/** A stage with one checkpoint for each of its segments, at the mean of the weights of the segment's own. */
export function averagedStage(stage: LoadedStage, host: EngineHost, store: Store): LoadedStage {
  const { run, network } = stage;
  const groups = run.segments.map(({ checkpoints }) => checkpoints);
  return loadedStage({ ...stage, run: averagedRun(run, groups), network: network.averaged(groups) }, host, store);
}

/** Of each group, step, learning rate and what the optimizer kept are those of its last checkpoint. */
function averagedRun(run: OpenRun, groups: readonly (readonly number[])[]): OpenRun {
  const last = (index: number) => groups[index]!.at(-1)!;
  return {
    ...run,
    checkpoints: groups.map((_, index) => run.checkpoints[last(index)]!),
    segments: run.segments.map((segment, index) => ({ ...segment, checkpoints: [index] })),
    secondMoments: (index) => run.secondMoments(last(index)),
    hash: (stage, indices, more) => {
      const means = indices.map((index) => groups[index]!.length);
      return run.hash(
        stage,
        indices.flatMap((index) => groups[index]!),
        { means, more },
      );
    },
  };
}
