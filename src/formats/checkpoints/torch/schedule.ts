import { scalarOf } from '../../pickle/numpy';
import { isDict, memberOf, type PickleDict, type PickleValue } from '../../pickle/values';
import type { RateSchedule } from '../../trainingState';

const places = [
  'lr_schedulers',
  'scheduler',
  'lr_scheduler',
  'scheduler_state_dict',
  'lr_scheduler_state_dict',
  'sched',
] as const;

/** The state of the one schedule that a training checkpoint holds. */
function savedSchedule(value: PickleDict): PickleValue | undefined {
  for (const key of places) {
    const saved = value.get(key);
    const [first, ...others] = Array.isArray(saved) ? saved : [saved];
    if (isDict(first) && others.length === 0) return first;
  }
  return undefined;
}

/** Rates that a schedule multiplies, group by group, as torch's schedulers keep them. */
export function baseLearningRates(value: PickleDict): readonly (number | undefined)[] {
  const rates = memberOf(savedSchedule(value), 'base_lrs');
  return Array.isArray(rates) ? rates.map((rate) => scalarOf(rate)) : [];
}

/** Tells torch's schedules by what only they keep; undefined for those that are told by no number, such as functions. */
export function scheduleOf(value: PickleDict): RateSchedule | undefined {
  const saved = savedSchedule(value);
  const number = (name: string) => scalarOf(memberOf(saved, name));
  const [base] = baseLearningRates(value);
  const ticks = number('last_epoch');
  if (base === undefined || ticks === undefined || isDict(saved) === false) return undefined;
  const gamma = number('gamma');
  const every = number('step_size');
  if (gamma !== undefined && every !== undefined) return { kind: 'step', base, ticks, every, gamma };
  const half = number('T_max');
  if (half !== undefined) return { kind: 'cosine', base, ticks, half, minimum: number('eta_min') ?? 0 };
  const [begin, end, length] = [number('start_factor'), number('end_factor'), number('total_iters')];
  if (begin !== undefined && end !== undefined && length !== undefined) {
    return { kind: 'linear', base, ticks, begin, end, length };
  }
  const isExponential = gamma !== undefined && memberOf(saved, 'milestones') === undefined;
  return isExponential ? { kind: 'exponential', base, ticks, gamma } : undefined;
}
