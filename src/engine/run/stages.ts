import type { Files } from '../../formats/bytes';
import { WhenceError } from '../../protocol/errors';
import type { RunConfig, StageConfig } from '../config/config';
import { findCheckpoints } from './checkpointFiles';
import type { OpenRun } from './openRun';

/** One stage of a training as a run of its own: its data as `train`, its loss, optimizer, checkpoints and segments. */
export interface Stage {
  readonly name: string;
  /** The split of the whole run that it was trained on. */
  readonly split: string;
  readonly run: OpenRun;
  /** Index of its first checkpoint among the whole run's. */
  readonly firstCheckpoint: number;
}

/** Steps that a run's segments cover; a run of one stage ends with its last checkpoint. */
export interface StageSpan {
  readonly from: number;
  readonly to?: number;
}

/** A stage's part of a configuration. */
export interface StagePart {
  readonly name: string;
  readonly split: string;
  readonly config: RunConfig;
  readonly span: StageSpan;
  readonly firstCheckpoint: number;
}

/** The splits that training was on, in its order, each once. */
export function trainedSplits({ stages }: RunConfig): readonly string[] {
  return stages ? [...new Set(stages.map(splitOf))] : ['train'];
}

/** Cuts a configuration with stages into one for each of them. */
export async function stageParts(
  config: RunConfig,
  stages: readonly StageConfig[],
  folder: string,
  files: Files,
): Promise<StagePart[]> {
  const saved = await findCheckpoints(config.checkpoints, folder, files);
  let from = 0;
  return stages.map((stage, index) => {
    const span = { from, ...(index < stages.length - 1 ? { to: stage.until } : {}) };
    const within = saved.filter(({ step }) => step > span.from && step <= stage.until);
    if (within.length === 0) {
      throw new WhenceError('config-invalid', `No checkpoint is of steps ${from + 1} to ${stage.until}.`, {
        file: folder,
        place: `stages.${index}.until`,
        mend: 'Correct the steps at which stages end, or save checkpoints in every stage.',
      });
    }
    from = stage.until;
    const own = ofStage(config, stage);
    const { segments } = config;
    return {
      name: stage.name ?? stage.train ?? `stage ${index + 1}`,
      split: splitOf(stage),
      span,
      firstCheckpoint: saved.indexOf(within[0]!),
      config: {
        ...own,
        data: { train: own.data.train! },
        checkpoints: within.map(({ file }) => file),
        ...(Array.isArray(segments) ? { segments: endsWithin(segments, span, within.at(-1)!.step) } : {}),
        ...(config.memory === undefined ? {} : { memory: Math.max(512, Math.floor(config.memory / stages.length)) }),
      },
    };
  });
}

/** The run as its last stage sees it, with the data of no other stage: what it predicts is the last stage's. */
export function ofLastStage(config: RunConfig, stages: readonly StageConfig[]): RunConfig {
  const trained = new Set(stages.map(splitOf));
  const { data, ...own } = ofStage({ ...config, segments: 1 }, stages.at(-1)!, config.log);
  const others = Object.entries(config.data).filter(([name]) => !trained.has(name));
  return { ...own, data: { train: data.train!, ...Object.fromEntries(others) } };
}

function splitOf({ train = 'train' }: StageConfig): string {
  return train;
}

function ofStage({ stages: _, ...config }: RunConfig, stage: StageConfig, log = stage.log): RunConfig {
  const { loss, optimizer } = stage;
  return {
    ...config,
    data: { ...config.data, train: config.data[splitOf(stage)]! },
    ...(loss === undefined ? {} : { loss }),
    ...(optimizer === undefined ? {} : { optimizer }),
    ...(log === undefined ? {} : { log }),
  };
}

function endsWithin(ends: readonly number[], { from, to }: StageSpan, last: number): readonly number[] {
  const end = to ?? Math.max(last, ends.at(-1) ?? last);
  return [...ends.filter((step) => step > from && step < end), end];
}
