import type { LoggedStep } from '../../formats/trainingState';
import type { SavedCheckpoint } from './checkpointFiles';
import { type RateKnot, totalBetween } from './learningRates';
import { scheduledTotal } from './schedule';
import { type TrainingLog, totalLearningRate } from './trainingLog';

/** The learning rates of a run, from whoever tells them. */
export interface RunRates {
  readonly source: 'log' | 'checkpoints' | 'constant';
  /** That of each checkpoint, by its index. */
  readonly at: readonly number[];
  /** `Σ η_k` over the updates `from <= k < to`, counted from 0. */
  total(from: number, to: number): number;
}

type RatedStep = LoggedStep & { readonly learningRate: number };

/** The first that tells rates: the run's log, what the checkpoints logged, their optimizers' states, a constant. */
export function ratesOf(
  log: TrainingLog | undefined,
  saved: readonly SavedCheckpoint[],
  constant: number | undefined,
): RunRates | undefined {
  const rows = (log?.steps ?? []).filter(hasRate);
  if (log && rows.length > 0) {
    return {
      source: 'log',
      at: saved.map(({ step }) => rateAt(rows, step)),
      total: (from, to) => totalLearningRate(log, from, to),
    };
  }
  const logged = loggedIn(saved).filter(hasRate);
  const scheduled = logged.length === 0 ? scheduledTotal(saved) : undefined;
  const knots = distinct([...logged.map(loggedKnot), ...saved.flatMap(savedKnot)]);
  if (knots.length > 0) {
    const first = saved[0]!.state.optimizer?.groups[0]?.initialLearningRate;
    const begin = logged.length === 0 && first !== undefined ? [{ update: 0, rate: first }] : [];
    const all = distinct([...knots, ...begin]);
    const ceiling = Math.max(first ?? 0, ...all.map(({ rate }) => rate));
    return {
      source: 'checkpoints',
      at: saved.map((one) => (logged.length > 0 ? rateAt(logged, one.step) : (savedKnot(one)[0] ?? knots[0]!).rate)),
      total: scheduled ?? ((from, to) => totalBetween(all, from, to, ceiling)),
    };
  }
  if (constant === undefined) return undefined;
  const total = (from: number, to: number) => totalLearningRate(constant, from, to);
  return { source: 'constant', at: saved.map(() => constant), total };
}

/** The longest log of all checkpoints: each holds what was logged before it. */
export function loggedIn(saved: readonly SavedCheckpoint[]): readonly LoggedStep[] {
  const logs = saved.map(({ state }) => state.log ?? []);
  return logs.reduce((longest, log) => (log.length >= longest.length ? log : longest), []);
}

/** What was logged last up to a step, else first. */
function rateAt(rows: readonly RatedStep[], step: number): number {
  return (rows.filter((row) => row.step <= step).at(-1) ?? rows[0]!).learningRate;
}

function hasRate(row: LoggedStep): row is RatedStep {
  return row.learningRate !== undefined;
}

/** A row counts updates finished: it tells the rate of the one that made its step. */
function loggedKnot({ step, learningRate }: RatedStep): RateKnot {
  return { update: Math.max(0, step - 1), rate: learningRate };
}

/** Schedules take their step after the weights do: what a state holds is the rate of the update that comes next. */
function savedKnot({ step, state }: SavedCheckpoint): readonly RateKnot[] {
  const rate = state.optimizer?.groups[0]?.learningRate;
  return rate === undefined ? [] : [{ update: step, rate }];
}

/** Ascending by update; of several of one update the first. */
function distinct(knots: readonly RateKnot[]): RateKnot[] {
  const known = new Map<number, RateKnot>();
  for (const knot of knots) if (!known.has(knot.update)) known.set(knot.update, knot);
  return [...known.values()].sort((a, b) => a.update - b.update);
}
