import type { Files } from '../../formats/bytes';
import { readTrainingState } from '../../formats/checkpoints/readTrainingState';
import { resolvePath } from '../../formats/datasets';
import type { TensorRef } from '../../formats/tensor';
import type { OptimizerKind } from '../../formats/trainingState';
import { WhenceError } from '../../protocol/errors';
import type { Checkpoint, Problem } from '../../protocol/model';
import type { RunConfig } from '../config/config';
import { matchesName } from '../config/names';
import { findCheckpoints, type SavedCheckpoint } from './checkpointFiles';
import { stepProblem } from './checkpointSteps';
import { inUpdates } from './epochs';
import { resolveOptimizer } from './optimizer';
import { loggedIn, type RunRates, ratesOf } from './rates';
import { readTrainingLog, type TrainingLog } from './trainingLog';

/** Parameters that were updated otherwise than the rest. */
export interface ResolvedGroup {
  /** Names of the checkpoints' tensors; each may hold `*`. */
  readonly parameters: readonly string[];
  /** Times the run's own learning rate. */
  readonly learningRateScale: number;
  readonly weightDecay: number;
}

/** How the weights were updated, as `whence.json` and the checkpoints tell it together; everything is filled in. */
export interface ResolvedOptimizer {
  readonly kind: OptimizerKind;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Of parameters in no group: L2 regularisation for sgd and adam, decoupled for adamw. */
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** Examples of one update; absent where nothing tells it. */
  readonly batchSize?: number;
  readonly groups: readonly ResolvedGroup[];
}

/** Adam's second moments as they were when a checkpoint was saved. */
export interface SecondMoments {
  /** Not corrected for bias, by the names of the checkpoint's tensors; parameters without one are missing. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** Updates that they were averaged over: the correction is `1 / (1 - beta2 ** updates)`. */
  readonly updates: number;
}

/** The settings of one parameter, by the name of the checkpoints' tensor: those of the first group that names it. */
export function settingsOf(
  { groups, weightDecay }: ResolvedOptimizer,
  parameter: string,
): Pick<ResolvedGroup, 'learningRateScale' | 'weightDecay'> {
  const own = groups.find(({ parameters }) => parameters.some((pattern) => matchesName(parameter, pattern)));
  return own ?? { learningRateScale: 1, weightDecay };
}

/** What a trajectory is read with; without it some of it stays unknown. */
export interface TrainingFacts {
  /** Names of the model's parameters in its order, for optimizers that count them. */
  readonly order?: readonly string[];
  /** Of the training data, for checkpoints that count epochs. */
  readonly examples?: number;
}

/** What happened in training, as the run's log, its checkpoints and `whence.json` tell it together. */
export interface Trajectory {
  /** Ascending by step; every one has a learning rate. */
  readonly checkpoints: readonly Checkpoint[];
  readonly optimizer: ResolvedOptimizer;
  readonly rates: RunRates;
  /** What wrote the checkpoints, as people call it; absent where they don't say. */
  readonly writer?: string;
  readonly secondMoments: (checkpoint: number) => Promise<SecondMoments | undefined>;
  readonly problems: readonly Problem[];
}

/**
 * Reads a run's trajectory. Learning rates come from the first that has any: the log that `whence.json` names, the log that
 * the last checkpoint holds, the optimizer's state in each checkpoint, the constant in `whence.json`.
 * @throws WhenceError `config-invalid` where nothing tells the learning rate or a step
 */
export async function readTrajectory(
  config: RunConfig,
  path: string,
  files: Files,
  { order, examples }: TrainingFacts = {},
): Promise<Trajectory> {
  const folder = files.dirname(path);
  const logFile = config.log === undefined ? undefined : resolvePath(folder, config.log, files);
  const log = logFile === undefined ? undefined : await readTrainingLog(await files.open(logFile));
  const found = await findCheckpoints(config.checkpoints, folder, files, order);
  const saved = inUpdates(found, examples, config.optimizer.batchSize ?? found.at(-1)!.state.batchSize);
  const rates = ratesOf(log, saved, config.optimizer.learningRate);
  if (!rates) {
    throw new WhenceError('config-invalid', 'The learning rate is known from no log, no checkpoint and no constant.', {
      file: path,
      place: 'optimizer',
      mend: 'Give `optimizer.learningRate`, or a training log as `log`.',
    });
  }
  const last = saved.at(-1)!;
  const { optimizer, problems } = resolveOptimizer(config.optimizer, last.state.optimizer, last.state.batchSize, path);
  return {
    checkpoints: describeCheckpoints(saved, log, rates),
    optimizer,
    rates,
    ...(last.state.writer === undefined ? {} : { writer: last.state.writer }),
    secondMoments: async (checkpoint) => momentsOf(saved[checkpoint]?.file, files, order),
    problems: [...stateProblems(saved, path), ...rateProblems(rates, config, path), ...problems],
  };
}

/** Checkpoints in the interface's words, with what was logged last at each. */
export function describeCheckpoints(
  saved: readonly SavedCheckpoint[],
  log: TrainingLog | undefined,
  rates: RunRates | undefined,
): Checkpoint[] {
  const losses = (log?.steps ?? loggedIn(saved)).filter((row) => row.loss !== undefined);
  return saved.map(({ file, step }, index) => {
    const loss = losses.filter((row) => row.step <= step).at(-1)?.loss;
    const learningRate = rates?.at[index];
    return {
      file,
      step,
      ...(learningRate === undefined ? {} : { learningRate }),
      ...(loss === undefined ? {} : { trainingLoss: loss }),
    };
  });
}

/** Read when they are asked for: states are twice as large as the weights, and their references need open files. */
async function momentsOf(
  file: string | undefined,
  files: Files,
  order: readonly string[] | undefined,
): Promise<SecondMoments | undefined> {
  const state = file === undefined ? undefined : await readTrainingState(file, files, order);
  const { secondMoments, updates } = state?.optimizer ?? {};
  return secondMoments && secondMoments.size > 0 && updates ? { tensors: secondMoments, updates } : undefined;
}

/** What is doubtful in what checkpoints say of themselves. */
export function stateProblems(saved: readonly SavedCheckpoint[], path: string): Problem[] {
  const problems = saved.flatMap(({ file, state }) => stepProblem(file, state) ?? []);
  if (saved.some(({ counts }) => counts === 'epochs')) {
    problems.push({
      severity: 'warning',
      message: 'The checkpoints count epochs, not updates: learning rates are summed over too few of them.',
      file: path,
      mend: 'Give `optimizer.batchSize`, or name checkpoints by their step, as in step-1000.safetensors.',
    });
  }
  const norm = saved.at(-1)!.state.gradientClipping;
  if (norm !== undefined) {
    problems.push({
      severity: 'info',
      message: `Gradients were clipped to the norm ${norm}. Scores take every update as unclipped: where gradients were larger, mostly early in training, what examples did is overstated.`,
      file: path,
    });
  }
  return problems;
}

function rateProblems({ source, at }: RunRates, { optimizer }: RunConfig, path: string): Problem[] {
  const constant = optimizer.learningRate;
  if (constant === undefined || source !== 'checkpoints') return [];
  return at.every((rate) => Math.abs(rate - constant) <= 1e-6 * constant)
    ? []
    : [
        {
          severity: 'warning',
          message: `The checkpoints tell other learning rates than the constant ${constant} in whence.json: theirs are taken.`,
          file: path,
          mend: 'Remove "learningRate" from "optimizer".',
        },
      ];
}
