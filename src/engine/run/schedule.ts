import type { RateSchedule } from '../../formats/trainingState';
import type { SavedCheckpoint } from './checkpointFiles';

/** Sums are kept for so many updates at most. */
const mostUpdates = 5_000_000;
const tolerance = 1e-4;

/**
 * `Σ η_k` over the updates `from <= k < to` of a schedule whose settings the last checkpoint holds; undefined where there is none,
 * or it does not give the rates that all checkpoints were saved with: training may have changed them by hand, or in between.
 */
export function scheduledTotal(saved: readonly SavedCheckpoint[]): ((from: number, to: number) => number) | undefined {
  const last = saved.at(-1)!;
  const { schedule } = last.state;
  if (!schedule || schedule.ticks < 1 || last.step > mostUpdates) return undefined;
  const updatesPerTick = last.step / schedule.ticks;
  const rateOf = (update: number) => rateAt(schedule, Math.floor(update / updatesPerTick + 1e-9));
  const isRight = saved.every(({ step, state }) => {
    const rate = state.optimizer?.groups[0]?.learningRate;
    return rate === undefined || Math.abs(rate - rateOf(step)) <= tolerance * schedule.base;
  });
  if (!isRight) return undefined;
  const sums = new Float64Array(last.step + 1);
  for (let update = 0; update < last.step; update++) sums[update + 1] = sums[update]! + rateOf(update);
  const until = (update: number) =>
    update <= last.step ? sums[update]! : sums[last.step]! + (update - last.step) * rateOf(last.step);
  return (from, to) => until(to) - until(from);
}

/** The learning rate after so many steps of a schedule of `torch.optim.lr_scheduler`, in closed form. */
function rateAt(schedule: RateSchedule, tick: number): number {
  const { base } = schedule;
  switch (schedule.kind) {
    case 'step':
      return base * schedule.gamma ** Math.floor(tick / schedule.every);
    case 'exponential':
      return base * schedule.gamma ** tick;
    case 'cosine':
      return schedule.minimum + ((base - schedule.minimum) * (1 + Math.cos((Math.PI * tick) / schedule.half))) / 2;
    case 'linear': {
      const share = Math.min(1, tick / schedule.length);
      return base * (schedule.begin + (schedule.end - schedule.begin) * share);
    }
  }
}
