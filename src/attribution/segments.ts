import { WhenceError } from '../protocol/errors';
import type { Segment } from '../protocol/model';

/** What segments need to know of training: which step each checkpoint is from, and Σ η over any range of steps. */
export interface Schedule {
  /** Ascending. */
  readonly checkpointSteps: readonly number[];
  /** Sum of the learning rates of the steps `from <= k < to`. */
  totalLearningRate(from: number, to: number): number;
  /** Heavy-ball or Nesterov momentum; total learning rates are divided by `1 - momentum`. */
  readonly momentum: number;
  /** The step at which the first segment begins; 0 unless another stage came before. */
  readonly from?: number;
  /** The step up to which the last one goes; that of the last checkpoint unless another stage follows. */
  readonly to?: number;
}

/**
 * Cuts training into segments. A count asks for segments of equal total learning rate, moved to the nearest checkpoint so
 * that each owns as many checkpoints as it can; a list gives the step at which each ends. A checkpoint saved after step k
 * belongs to the segment with `from < k <= to`.
 */
export function cutSegments(schedule: Schedule, segments: number | readonly number[]): Segment[] {
  const ends = typeof segments === 'number' ? equalEnds(schedule, segments) : checkedEnds(schedule, segments);
  let from = schedule.from ?? 0;
  return ends.map((to, index) => {
    const start = from;
    from = to;
    const checkpoints = schedule.checkpointSteps.flatMap((step, i) => (step > start && step <= to ? [i] : []));
    if (checkpoints.length === 0) {
      throw new WhenceError('config-invalid', `Segment ${index + 1} (steps ${start} to ${to}) holds no checkpoint.`, {
        mend: 'Ask for fewer segments, or save more checkpoints in training.',
      });
    }
    const totalLearningRate = schedule.totalLearningRate(start, to) / (1 - schedule.momentum);
    return { from: start, to, totalLearningRate, checkpoints };
  });
}

function checkedEnds(schedule: Schedule, ends: readonly number[]): readonly number[] {
  const last = schedule.checkpointSteps.at(-1)!;
  const ascending = ends.every((end, i) => end > (i === 0 ? (schedule.from ?? 0) : ends[i - 1]!));
  if (ends.length === 0 || !ascending || ends.at(-1)! < last) {
    throw new WhenceError('config-invalid', `Segments must end at ascending steps, the last at ${last} or later.`, {
      place: 'segments',
    });
  }
  return ends;
}

/**
 * Ends of `count` segments at checkpoints: the cuts that leave the segments' total learning rates as equal as checkpoints
 * allow, by dynamic programming over the squared deviations. Never more segments than checkpoints.
 */
function equalEnds(schedule: Schedule, count: number): number[] {
  const steps = schedule.checkpointSteps;
  if (steps.length === 0) throw new WhenceError('empty-data', 'A run without checkpoints has no segments.');
  const segments = Math.max(1, Math.min(Math.floor(count), steps.length));
  const last = schedule.to ?? steps.at(-1)!;
  const reached = steps.map((step, i) => (i === steps.length - 1 ? last : step));
  const total = [0, ...reached.map((step) => schedule.totalLearningRate(schedule.from ?? 0, step))];
  const ideal = total.at(-1)! / segments;
  const cost = (from: number, to: number) => (total[to]! - total[from]! - ideal) ** 2;

  // best[s][i]: least cost of cutting the first i checkpoints into s segments; cut[s][i]: where the last of them begins.
  const best = Array.from({ length: segments + 1 }, () => new Array<number>(steps.length + 1).fill(Infinity));
  const cut = Array.from({ length: segments + 1 }, () => new Array<number>(steps.length + 1).fill(0));
  best[0]![0] = 0;
  for (let s = 1; s <= segments; s++) {
    for (let i = s; i <= steps.length; i++) {
      for (let j = s - 1; j < i; j++) {
        const candidate = best[s - 1]![j]! + cost(j, i);
        if (candidate < best[s]![i]!) {
          best[s]![i] = candidate;
          cut[s]![i] = j;
        }
      }
    }
  }
  const ends: number[] = [];
  for (let s = segments, i = steps.length; s > 0; s--) {
    ends.unshift(reached[i - 1]!);
    i = cut[s]![i]!;
  }
  return ends;
}
