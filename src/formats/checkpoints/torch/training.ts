import { scalarOf } from '../../pickle/numpy';
import { isDict, memberOf, type PickleDict, type PickleValue } from '../../pickle/values';
import type { TrainingState } from '../../trainingState';
import { type MovedTensors, numberIn, readOptimizer } from '../optimizer/optimizer';
import { baseLearningRates, scheduleOf } from './schedule';
import type { TensorMemory } from './tensor';
import { isOptimizerState } from './weights';

const stepKeys = [
  'global_step',
  'step',
  'iteration',
  'iter',
  'iters',
  'num_updates',
  'iter_num',
  'it',
  'n_iter',
  'steps',
];
const epochKeys = ['epoch', 'epochs', 'current_epoch', 'epoch_idx'];
/** Where people put the counters, besides the outermost dict. */
const innerKeys = ['trainer', 'trainer_state', 'training_state', 'train_state', 'state', 'meta', 'info', 'progress'];

/** What a training checkpoint tells besides its weights; undefined where it tells nothing. */
export async function trainingStateOf(
  value: PickleValue,
  memory: TensorMemory,
  moved: MovedTensors,
): Promise<TrainingState | undefined> {
  if (!isDict(value)) return undefined;
  const step = await firstNumber(value, stepKeys, memory);
  const epoch = await firstNumber(value, epochKeys, memory);
  const saved = optimizerIn(value, 0, new Set());
  const optimizer = saved && (await readOptimizer(saved, memory, moved, baseLearningRates(value)));
  const schedule = scheduleOf(value);
  const batchSize = batchSizeOf(value);
  const version = value.get('pytorch-lightning_version');
  const state: TrainingState = {
    ...(step === undefined ? {} : { step }),
    ...(epoch === undefined ? {} : { epoch }),
    ...(optimizer === undefined ? {} : { optimizer }),
    ...(schedule ? { schedule } : {}),
    ...(batchSize === undefined ? {} : { batchSize }),
    ...(typeof version === 'string' ? { writer: `PyTorch Lightning ${version}` } : {}),
  };
  return Object.keys(state).length > 0 ? state : undefined;
}

async function firstNumber(value: PickleDict, keys: readonly string[], memory: TensorMemory) {
  const places = [value, ...innerKeys.flatMap((key) => dictIn(value.get(key)))];
  for (const place of places) {
    for (const key of keys) {
      const found = await numberIn(place.get(key), memory);
      if (found !== undefined && Number.isSafeInteger(found) && found >= 0) return found;
    }
  }
  return undefined;
}

function dictIn(value: PickleValue | undefined): readonly PickleDict[] {
  return isDict(value) ? [value] : [];
}

/** The one optimizer of a training checkpoint; of several, none: which moved the weights cannot be told. */
function optimizerIn(value: PickleValue, depth: number, seen: Set<PickleValue>): PickleDict | undefined {
  if (isDict(value) && isOptimizerState(value)) return value;
  // Each is visited once: dicts may hold each other many times over.
  if (depth > 3 || seen.has(value)) return undefined;
  if (value instanceof Object) seen.add(value);
  const inner = isDict(value) ? [...value].filter(([key]) => !/^(callbacks|loops)$/.test(String(key))) : [];
  const values = Array.isArray(value) ? (value.length <= 8 ? value : []) : inner.map(([, one]) => one);
  const found = values.flatMap((one) => optimizerIn(one, depth + 1, seen) ?? []);
  return found.length === 1 ? found[0] : undefined;
}

/**
 * Lightning keeps a model's arguments, mostly with the batch size, and counts batches and updates apart: their ratio is the
 * number of batches that one update accumulates.
 */
function batchSizeOf(value: PickleDict): number | undefined {
  const size = scalarOf(memberOf(value.get('hyper_parameters'), 'batch_size'));
  if (size === undefined || !Number.isSafeInteger(size) || size < 1) return undefined;
  const loop = memberOf(value.get('loops'), 'fit_loop');
  const total = (key: string, ...path: string[]) =>
    scalarOf([...path, 'total', 'completed'].reduce<PickleValue | undefined>(memberOf, memberOf(loop, key)));
  const batches = total('epoch_loop.batch_progress');
  const updates = total('epoch_loop.automatic_optimization.optim_progress', 'optimizer', 'step');
  const accumulated = batches && updates ? Math.max(1, Math.round(batches / updates)) : 1;
  return size * accumulated;
}
