import { cutSegments } from '../../attribution/segments';
import type { FisherKind } from '../../curvature/fisher';
import type { LossOptions } from '../../curvature/subject';
import type { Files } from '../../formats/bytes';
import type { Dataset } from '../../formats/dataset';
import { resolvePath } from '../../formats/datasets';
import type { Initializer, Model, ValueInfo } from '../../onnx/graph';
import type { Tensor } from '../../onnx/runtime';
import { WhenceError } from '../../protocol/errors';
import type { Checkpoint, LossKind, Segment, TrainingRun } from '../../protocol/model';
import { parseConfig, type RunConfig } from '../config/config';
import { lossOf, lossOptions } from '../config/lossConfig';
import { findCheckpoints } from './checkpointFiles';
import { customLossOf, lossFiles } from './customLoss';
import { externalFiles, initializerReader } from './initializers';
import { type RunHash, runFingerprint, runHash } from './runHash';
import { defaultFisher, readRunModel } from './runModel';
import { checkSplit, isPerToken, openSplits } from './splits';
import { readTrainingLog, type TrainingLog, totalLearningRate } from './trainingLog';
import { configuredOptimizer, type ResolvedOptimizer, type SecondMoments } from './trajectory';

const defaultSegments = 3;
const optimizerNames = { sgd: 'SGD', adam: 'Adam', adamw: 'AdamW' } as const;

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
  /** How the weights were updated, whoever told it. */
  readonly optimizer: ResolvedOptimizer;
  /** Adam's second moments at a checkpoint, by its index in `checkpoints`; undefined where none were saved. */
  readonly secondMoments: (checkpoint: number) => Promise<SecondMoments | undefined>;
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
  const folder = files.dirname(path);
  const read = await readRunModel(resolvePath(folder, config.model, files), files);
  const { logits, outputs } = read;
  const custom = await customLossOf(config, folder, read, files);
  const { model } = custom ?? read;
  const inputs = custom ? [...read.inputs, custom.target] : read.inputs;
  const modelFiles = [model.file, ...externalFiles(model, files), ...lossFiles(config, folder, files)];
  const log =
    config.log === undefined
      ? undefined
      : await readTrainingLog(await files.open(resolvePath(folder, config.log, files)));
  const checkpoints = await describeCheckpoints(config, path, folder, log, files);
  const splits = await openSplits(config, folder, files);
  const classes = config.classes ?? splits.get('train')!.classes ?? [];
  const configured = lossOf(config.loss);
  const loss = configured.kind;
  const perToken = isPerToken(splits, loss);
  for (const [name, split] of splits) {
    checkSplit(name, split, loss, perToken ? undefined : (outputs ?? (classes.length || undefined)));
  }
  const fisher = config.fisher ?? defaultFisher(loss, perToken, outputs ?? classes.length);
  const rates = hasRates(log) ? log : config.optimizer.learningRate!;
  const optimizer = configuredOptimizer(config);
  const schedule = {
    checkpointSteps: checkpoints.map(({ step }) => step),
    totalLearningRate: (from: number, to: number) => totalLearningRate(rates, from, to),
    momentum: optimizer.momentum,
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
    optimizer,
    secondMoments: async () => undefined,
    classes,
    splits,
    modelFiles,
    fingerprint: (await files.exists(path)) ? await fingerprintOf(config, path, modelFiles, files) : '',
    hash: runHash(config, folder, modelFiles, checkpoints, fisher, files),
    readInitializer: initializerReader(model, files),
    frozen: [],
  };
}

/** The fingerprint that an opened run would have if it were opened now. */
export async function currentFingerprint({ path, modelFiles }: OpenRun, files: Files): Promise<string> {
  return fingerprintOf(await readConfig(path, files), path, modelFiles, files);
}

/** The run in the interface's words. */
export function describeRun(run: OpenRun, problems: TrainingRun['problems']): TrainingRun {
  const { kind, momentum, nesterov, weightDecay } = run.optimizer;
  const details = [
    momentum > 0 ? `${nesterov ? 'Nesterov momentum' : 'momentum'} ${momentum}` : '',
    weightDecay > 0 ? `weight decay ${weightDecay}` : '',
  ].filter(Boolean);
  return {
    config: run.path,
    name: run.name,
    folder: run.folder,
    model: run.model.file,
    checkpoints: run.checkpoints,
    splits: [...run.splits].map(([name, { format, files, length }]) => ({ name, format, files, examples: length })),
    classes: run.classes,
    optimizer: [optimizerNames[kind], ...details].join(', '),
    loss: run.loss,
    segments: run.segments,
    problems,
  };
}

async function fingerprintOf(
  config: RunConfig,
  path: string,
  modelFiles: readonly string[],
  files: Files,
): Promise<string> {
  const folder = files.dirname(path);
  const checkpoints = await findCheckpoints(config.checkpoints, folder, files);
  return runFingerprint(config, path, folder, [...modelFiles, ...checkpoints.map(({ file }) => file)], files);
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

async function describeCheckpoints(
  config: RunConfig,
  path: string,
  folder: string,
  log: TrainingLog | undefined,
  files: Files,
): Promise<Checkpoint[]> {
  const constant = config.optimizer.learningRate;
  if (!hasRates(log) && constant === undefined) {
    throw new WhenceError(
      'config-invalid',
      'The learning rate is not known: no log says it, and no constant is given.',
      {
        file: path,
        place: 'optimizer',
        mend: 'Give `optimizer.learningRate`, or a training log as `log`.',
      },
    );
  }
  const found = await findCheckpoints(config.checkpoints, folder, files);
  return found.map(({ file, step }) => {
    const row = log && lastRow(log, step);
    return {
      file,
      step,
      learningRate: row?.learningRate ?? constant ?? 0,
      ...(row?.loss === undefined ? {} : { trainingLoss: row.loss }),
    };
  });
}

function hasRates(log: TrainingLog | undefined): log is TrainingLog {
  return log?.steps.some(({ learningRate }) => learningRate !== undefined) ?? false;
}

/** What was logged last up to a step. */
function lastRow(log: TrainingLog, step: number): TrainingLog['steps'][number] | undefined {
  return log.steps.filter((row) => row.step <= step).at(-1);
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
