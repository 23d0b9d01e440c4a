import { type OutcomeDescription, outcomesOf, readOutcomeFolder } from '../../engine/retraining/outcomeFolder';
import { withAndWithout } from '../../engine/retraining/plans';
import type { MethodName, TrainingRun } from '../../protocol/model';
import { nodeFiles } from '../../worker/nodeFiles';
import { allScores } from '../allScores';
import { toJson } from '../json';
import type { QueryRange } from '../queries';
import type { CommandSession } from '../session';
import { table } from '../table';
import { methodNames, signed } from '../words';
import type { RetrainingPlan } from './retrainingPlan';
import { placesOf, type TrainingSplit, trainedExamples } from './trainingSplits';

const defaultRepeats = 5;

/** With and without some examples, from the same seeds; beside it what the scores say of the group. */
export async function withoutPlan(
  session: CommandSession,
  run: TrainingRun,
  description: OutcomeDescription,
  splits: readonly TrainingSplit[],
  ranges: readonly QueryRange[],
  { repeats = defaultRepeats, methods, json }: WithoutOptions,
): Promise<RetrainingPlan> {
  const removed = placesOf(ranges, splits);
  const named = ranges.map(({ split, from, to }) => (from === to ? `${split}:${from}` : `${split}:${from}-${to}`));
  const group = removed.length > 3 ? `${removed.length} examples` : named.join(', ');
  const files = nodeFiles();
  const id = files.hashBytes([new TextEncoder().encode(removed.join())]).slice(0, 8);
  return {
    name: `without-${removed.length}-${id}`,
    sentence: `With and without ${group}`,
    subsets: withAndWithout(removed),
    repeats,
    paired: true,
    facts: { kind: 'without' },
    report: async (out) => {
      const folder = await readOutcomeFolder(out, files);
      const measured = changes(outcomesOf(folder, trainedExamples(splits)).values, repeats, description.queries.length);
      const predicted = await predictions(session, run, description, removed, methods);
      return withoutReport({ description, measured, predicted, repeats, group, json: json ?? false });
    },
  };
}

interface WithoutOptions {
  readonly repeats?: number;
  readonly methods: readonly MethodName[];
  readonly json?: boolean;
}

/** A query's change of the measurement over seeds. */
export interface MeasuredChange {
  readonly mean: number;
  /** Standard error of the mean, from the seeds' own differences; NaN for one seed. */
  readonly error: number;
}

/**
 * Without less with, seed by seed: the same seed starts both from the same weights.
 * @param values [2, repeats, queries]: with everything, and without the group
 */
export function changes(values: Float64Array, repeats: number, queries: number): readonly MeasuredChange[] {
  return Array.from({ length: queries }, (_, q) => {
    const own = Array.from(
      { length: repeats },
      (_, r) => values[(repeats + r) * queries + q]! - values[r * queries + q]!,
    );
    const mean = own.reduce((sum, value) => sum + value, 0) / repeats;
    const squares = own.reduce((sum, value) => sum + (value - mean) ** 2, 0);
    return { mean, error: Math.sqrt(squares / (repeats - 1) / repeats) };
  });
}

interface Report {
  readonly description: OutcomeDescription;
  readonly measured: readonly MeasuredChange[];
  /** By method, query by query. */
  readonly predicted: ReadonlyMap<MethodName, readonly number[]>;
  readonly repeats: number;
  readonly group: string;
  readonly json: boolean;
}

/** In the measurement's own units: a loss that rises is a positive change. */
export function withoutReport({ description, measured, predicted, repeats, group, json }: Report): string {
  const { split, queries, measurement } = description;
  const sign = measurement === 'loss' ? -1 : 1;
  const rows = queries.map((index, at) => ({
    query: `${split}:${index}`,
    measured: sign * measured[at]!.mean,
    error: measured[at]!.error,
    predicted: Object.fromEntries([...predicted].map(([method, values]) => [method, sign * values[at]!])),
  }));
  if (json) return toJson({ group, measurement, repeats, queries: rows });
  const right = (title: string) => ({ title, align: 'right' }) as const;
  const columns = [
    { title: 'query' },
    right(`${measurement} changed by`),
    right('standard error'),
    ...[...predicted.keys()].map((method) => right(`predicted, ${methodNames[method]}`)),
  ];
  const cells = rows.map((row) => [
    row.query,
    signed(row.measured),
    Number.isFinite(row.error) ? row.error.toPrecision(2) : '',
    ...Object.values(row.predicted).map(signed),
  ]);
  return `Trained ${repeats} times with and without ${group}, each pair from one seed:\n${table(columns, cells)}`;
}

/** What the sum of the group's scores says: leaving proponents out lowers what they raised. */
async function predictions(
  session: CommandSession,
  run: TrainingRun,
  { split, queries, measurement = 'margin' }: OutcomeDescription,
  removed: readonly number[],
  methods: readonly MethodName[],
): Promise<ReadonlyMap<MethodName, readonly number[]>> {
  const predicted = new Map<MethodName, readonly number[]>();
  const ids = queries.map((index) => ({ split, index }));
  for (const method of methods) {
    const request = { config: run.config, queries: ids, method, measurement: { kind: measurement } };
    const { examples, scores } = await allScores(session, request);
    predicted.set(
      method,
      queries.map((_, q) => -removed.reduce((sum, index) => sum + scores[q * examples + index]!, 0)),
    );
  }
  return predicted;
}
