import { cutSegments } from '../../attribution/segments';
import type { FisherKind } from '../../curvature/fisher';
import type { LossOptions } from '../../curvature/subject';
import type { Files } from '../../formats/bytes';
import { trainerFiles } from '../../formats/checkpoints/readTrainingState';
import type { Dataset } from '../../formats/dataset';
import { resolvePath } from '../../formats/datasets';
import type { Initializer, Model, ValueInfo } from '../../onnx/graph';
import type { Tensor } from '../../onnx/runtime';
import { WhenceError } from '../../protocol/errors';
import type { Checkpoint, LossKind, Problem, Segment, TrainingRun } from '../../protocol/model';
import { parseConfig, type RunConfig } from '../config/config';
import { lossOf, lossOptions } from '../config/lossConfig';
import { listCheckpoints } from './checkpointFiles';
import { customLossOf, lossFiles } from './customLoss';
import { externalFiles, initializerReader } from './initializers';
import { optimizerWords } from './optimizer';
import { type RunHash, runFingerprint, runHash } from './runHash';
import { defaultFisher, readRunModel } from './runModel';
import { checkSplit, isPerToken, openSplits } from './splits';
import { ofLastStage, type Stage, type StageSpan, stageParts } from './stages';
import { type ResolvedOptimizer, readTrajectory, type SecondMoments } from './trajectory';

const defaultSegments = 1;

/** A run whose configuration, model, checkpoints and data have been read and fit together. */
export interface OpenRun {
  readonly config: RunConfig;
  /** Absolute path of its `whence.json`. */
  readonly path: string;
  readonly folder: string;
  readonly name: string;
  readonly model: Model;
  readonly inputs: readonly ValueInfo[];
  /** The graph value that losses are computed from. */
  readonly logits: string;
  readonly loss: LossKind;
  readonly lossOptions: LossOptions;
  readonly fisher: FisherKind;
  /** Ascending by step; every one has a learning rate. */
  readonly checkpoints: readonly Checkpoint[];
  readonly segments: readonly Segment[];
  /** Where training had several: these, while the run itself is as the last of them sees it. Else none. */
  readonly stages: readonly Stage[];
  /** How the weights were updated, whoever told it. */
  readonly optimizer: ResolvedOptimizer;
  /** `Σ η_k` over the updates `from <= k < to`, counted from 0. */
  readonly totalLearningRate: (from: number, to: number) => number;
  /** Adam's second moments at a checkpoint, by its index in `checkpoints`; undefined where none were saved. */
  readonly secondMoments: (checkpoint: number) => Promise<SecondMoments | undefined>;
  /** What wrote the checkpoints, as people call it. */
  readonly writer: string | undefined;
  /** What is doubtful about its trajectory. */
  readonly problems: readonly Problem[];
  readonly classes: readonly string[];
  readonly splits: ReadonlyMap<string, Dataset>;
  /** The model's file and those of its external data. */
  readonly modelFiles: readonly string[];
  /** Changes with any file that the run reads. */
  readonly fingerprint: string;
  readonly hash: RunHash;
  readonly readInitializer: (initializer: Initializer) => Promise<Tensor>;
  /** Weights that no checkpoint fills: inputs of the model, of one value for all checkpoints. Known once weights are bound. */
  readonly frozen: readonly Initializer[];
}

/** Opens the run that a `whence.json` describes; the first thing that doesn't fit is the error. */
export async function openRun(path: string, files: Files): Promise<OpenRun> {
  return openConfig(await readConfig(path, files), path, files);
}

/** Opens a run by a configuration that stands, or would stand, at `path`. */
export async function openConfig(config: RunConfig, path: string, files: Files): Promise<OpenRun> {
  if (!config.stages) return openStage(config, path, files, { from: 0 });
  const stages: Stage[] = [];
  // Names of classes have one order for all stages: that of the first.
  const named = () => config.classes ?? stages[0]?.run.classes ?? [];
  const withClasses = (own: RunConfig) => (named().length > 0 ? { ...own, classes: named() } : own);
  for (const { config: own, span, ...part } of await stageParts(config, config.stages, files.dirname(path), files)) {
    stages.push({ ...part, run: await openStage(withClasses(own), path, files, span) });
  }
  const whole = await openStage(withClasses(ofLastStage(config, config.stages)), path, files, { from: 0 });
  const segments = stages.flatMap(({ run, firstCheckpoint }) =>
    run.segments.map((segment) => ({
      ...segment,
      checkpoints: segment.checkpoints.map((checkpoint) => firstCheckpoint + checkpoint),
    })),
  );
  const problems = stages.flatMap(({ run }) => run.problems);
  const fingerprint = whole.fingerprint && (await fingerprintOf(config, path, whole.modelFiles, files));
  return { ...whole, stages, segments, problems, fingerprint };
}

/** Opens a training of one stage, or one stage of several. */
async function openStage(config: RunConfig, path: string, files: Files, span: StageSpan): Promise<OpenRun> {
  const folder = files.dirname(path);
  const read = await readRunModel(resolvePath(folder, config.model, files), files);
  const { logits, outputs } = read;
  const custom = await customLossOf(config, folder, read, files);
  const { model } = custom ?? read;
  const inputs = custom ? [...read.inputs, custom.target] : read.inputs;
  const modelFiles = [model.file, ...externalFiles(model, files), ...lossFiles(config, folder, files)];
  const splits = await openSplits(config, folder, files);
  const facts = { order: [...read.model.graph.initializers.keys()], examples: splits.get('train')!.length };
  const trajectory = await readTrajectory(config, path, files, facts);
  const { checkpoints, optimizer, secondMoments } = trajectory;
  const classes = config.classes ?? splits.get('train')!.classes ?? [];
  const configured = lossOf(config.loss);
  const loss = configured.kind;
  const perToken = isPerToken(splits, loss);
  for (const [name, split] of splits) {
    checkSplit(name, split, loss, perToken ? undefined : (outputs ?? (classes.length || undefined)));
  }
  const fisher = config.fisher ?? defaultFisher(loss, perToken, outputs ?? classes.length);
  const schedule = {
    checkpointSteps: checkpoints.map(({ step }) => step),
    totalLearningRate: trajectory.rates.total,
    momentum: optimizer.momentum,
    ...span,
  };
  return {
    config,
    path,
    folder,
    name: config.name ?? files.basename(folder),
    model,
    inputs,
    logits,
    loss,
    lossOptions: { ...lossOptions(configured, splits.get('train')!.labels, path), ...custom?.options },
    fisher,
    checkpoints,
    segments: inConfig(path, () => cutSegments(schedule, config.segments ?? defaultSegments)),
    stages: [],
    optimizer,
    totalLearningRate: trajectory.rates.total,
    secondMoments,
    writer: trajectory.writer,
    problems: trajectory.problems,
    classes,
    splits,
    modelFiles,
    fingerprint: (await files.exists(path)) ? await fingerprintOf(config, path, modelFiles, files) : '',
    hash: runHash(config, folder, modelFiles, checkpoints, fisher, optimizer.kind !== 'sgd', files),
    readInitializer: initializerReader(model, files),
    frozen: [],
  };
}

/** The fingerprint that an opened run would have if it were opened now. */
export async function currentFingerprint({ path, modelFiles }: OpenRun, files: Files): Promise<string> {
  return fingerprintOf(await readConfig(path, files), path, modelFiles, files);
}

/** The run in the interface's words. */
export function describeRun(run: OpenRun): TrainingRun {
  return {
    config: run.path,
    name: run.name,
    folder: run.folder,
    model: run.model.file,
    checkpoints: run.checkpoints,
    splits: splitsOf(run).map(([name, { format, files, length }]) => ({ name, format, files, examples: length })),
    classes: run.classes,
    optimizer: optimizerWords(run.optimizer),
    ...(run.writer === undefined ? {} : { writer: run.writer }),
    loss: run.loss,
    segments: run.segments,
    problems: run.problems,
  };
}

/** Splits by their names in `whence.json`: what a stage was trained on is only there called `train` too. */
function splitsOf({ splits, stages }: OpenRun): [string, Dataset][] {
  if (stages.length === 0) return [...splits];
  const trained = new Map(stages.map(({ split, run }) => [split, run.splits.get('train')!]));
  return [...trained, ...[...splits].filter(([name]) => name !== 'train')];
}

async function fingerprintOf(
  config: RunConfig,
  path: string,
  modelFiles: readonly string[],
  files: Files,
): Promise<string> {
  const folder = files.dirname(path);
  const checkpoints = await listCheckpoints(config.checkpoints, folder, files);
  const states = await Promise.all(checkpoints.map((file) => trainerFiles(file, files)));
  return runFingerprint(config, path, folder, [...modelFiles, ...checkpoints, ...states.flat()], files);
}

export async function readConfig(path: string, files: Files): Promise<RunConfig> {
  if (!(await files.exists(path))) {
    throw new WhenceError('not-set-up', 'This folder has no whence.json.', {
      file: path,
      mend: 'Run "Whence: Set Up This Workspace", or `whence setup`.',
    });
  }
  const source = await files.open(path);
  const { config, problems } = parseConfig(new TextDecoder().decode(await source.read(0, source.size)), path);
  if (config) return config;
  const first = problems.find(({ severity }) => severity === 'error')!;
  throw new WhenceError('config-invalid', first.message, {
    file: path,
    ...(first.range ? { place: `character ${first.range.offset}` } : {}),
    ...(first.mend === undefined ? {} : { mend: first.mend }),
  });
}

/** What the settings alone get wrong is an error of `whence.json`. */
function inConfig<T>(path: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof WhenceError) || error.code !== 'config-invalid') throw error;
    throw new WhenceError(error.code, error.message, { file: path, place: 'segments', ...error.details });
  }
}
