import type { ByteSource, Files } from '../bytes';
import { plainOf, scalarOf } from '../pickle/numpy';
import { isDict, memberOf, type PickleValue } from '../pickle/values';
import type { LoggedStep, OptimizerKind, OptimizerState, ParameterGroup, TrainingState } from '../trainingState';
import { readJson } from './json';
import { type MovedTensors, readOptimizer } from './optimizer/optimizer';
import { isRecord } from './safetensorsHeader';
import { readTorchFile } from './torch/torch';

/** Files that transformers' Trainer, or accelerate by itself, writes beside the weights; and the names of those weights. */
const stateNames = ['trainer_state.json', 'optimizer.pt', 'optimizer.bin', 'training_args.bin'] as const;
const weightNames = /^(pytorch_model|model|adapter_model)(-[^/]*)?\.(safetensors|bin)(\.index\.json)?$/;

/** Files beside a checkpoint that tell of its training; only weights named as Trainer names them have any. */
export async function trainerFiles(path: string, files: Files): Promise<readonly string[]> {
  if (!weightNames.test(files.basename(path))) return [];
  const beside = stateNames.map((name) => files.join(files.dirname(path), name));
  const present = await Promise.all(beside.map((file) => files.exists(file)));
  return beside.filter((_, index) => present[index]);
}

/** What the files beside a checkpoint of transformers' Trainer tell; undefined where there are none. */
export async function readTrainerFolder(
  path: string,
  files: Files,
  moved: MovedTensors,
): Promise<TrainingState | undefined> {
  const present = await trainerFiles(path, files);
  if (present.length === 0) return undefined;
  const open = async (name: (typeof stateNames)[number]) => {
    const file = present.find((one) => files.basename(one) === name);
    return file === undefined ? undefined : files.open(file);
  };
  const [log, saved, args] = [
    await open('trainer_state.json'),
    (await open('optimizer.pt')) ?? (await open('optimizer.bin')),
    await open('training_args.bin'),
  ];
  const trainer = log && (await readTrainerState(log));
  const settings = args && argumentsOf((await readTorchFile(args)).value);
  const optimizer = (saved && (await readSaved(saved, moved))) ?? settings?.optimizer;
  return {
    ...trainer,
    ...settings,
    ...(optimizer && { optimizer: withKind(optimizer, settings?.optimizer?.kind) }),
    ...(log || args ? { writer: 'transformers Trainer' } : {}),
  };
}

/**
 * Steps, epochs and rates from trainer_state.json. A row's step counts the updates finished. Its learning rate is the one of
 * that update itself: Trainer takes it after the optimizer's step and before the schedule's (before version 4.47 it took it
 * after both, which is the next update's).
 */
async function readTrainerState(source: ByteSource): Promise<TrainingState> {
  const content = await readJson(source);
  const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : undefined);
  const rows = Array.isArray(content.log_history) ? content.log_history.filter(isRecord) : [];
  const log = rows
    .flatMap((row): LoggedStep[] => {
      const [step, learningRate, loss] = [number(row.step), number(row.learning_rate), number(row.loss)];
      if (step === undefined || (learningRate === undefined && loss === undefined)) return [];
      return [
        { step, ...(learningRate === undefined ? {} : { learningRate }), ...(loss === undefined ? {} : { loss }) },
      ];
    })
    .sort((a, b) => a.step - b.step);
  const [step, epoch] = [number(content.global_step), number(content.epoch)];
  return {
    ...(step === undefined ? {} : { step }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(log.length > 0 ? { log } : {}),
  };
}

async function readSaved(source: ByteSource, moved: MovedTensors): Promise<OptimizerState | undefined> {
  const { value, memory } = await readTorchFile(source);
  return isDict(value) && value.has('param_groups') ? readOptimizer(value, memory, moved) : undefined;
}

/** The state tells AdamW from Adam only in newer versions of torch; the arguments name it. */
function withKind(state: OptimizerState, kind: OptimizerKind | undefined): OptimizerState {
  return state.kind === undefined && kind !== undefined && state.groups.every(({ betas }) => betas) === (kind !== 'sgd')
    ? { ...state, kind }
    : state;
}

/** What a pickled TrainingArguments says; an object of any other class says nothing. */
function argumentsOf(value: PickleValue): TrainingState {
  const number = (name: string) => scalarOf(memberOf(value, name));
  const perDevice = number('per_device_train_batch_size');
  const devices = scalarOf(memberOf(memberOf(value, 'distributed_state'), 'num_processes')) ?? 1;
  const onNode = Math.max(1, number('_n_gpu') ?? 1);
  const accumulated = number('gradient_accumulation_steps') ?? 1;
  const clipping = number('max_grad_norm');
  const optimizer = optimizerNamed(plainOf(memberOf(value, 'optim')), number);
  return {
    ...(perDevice === undefined ? {} : { batchSize: perDevice * devices * onNode * accumulated }),
    ...(clipping === undefined || clipping <= 0 ? {} : { gradientClipping: clipping }),
    ...(optimizer && { optimizer }),
  };
}

function optimizerNamed(
  name: PickleValue | undefined,
  number: (name: string) => number | undefined,
): OptimizerState | undefined {
  const kind =
    name === 'sgd' ? 'sgd' : typeof name === 'string' && /^adamw_(torch|hf|apex)/.test(name) ? 'adamw' : undefined;
  if (!kind) return undefined;
  const [rate, decay, first, second, epsilon] = [
    number('learning_rate'),
    number('weight_decay'),
    number('adam_beta1'),
    number('adam_beta2'),
    number('adam_epsilon'),
  ];
  const isAdam = kind === 'adamw' && first !== undefined && second !== undefined && epsilon !== undefined;
  const group: ParameterGroup = {
    ...(rate === undefined ? {} : { initialLearningRate: rate }),
    ...(decay === undefined ? {} : { weightDecay: decay }),
    ...(isAdam ? { betas: [first, second] as const, epsilon } : {}),
  };
  return { kind, groups: [group], secondMoments: new Map() };
}
