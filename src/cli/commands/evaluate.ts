import { resolve } from 'node:path';
import { bootstrap, type Interval } from '../../attribution/evaluate/bootstrap';
import {
  bestScores,
  type DatamodelingScore,
  type DatamodelingSummary,
  datamodelingScore,
  difference,
  type Outcomes,
  summarize,
} from '../../attribution/evaluate/datamodeling';
import { type OutcomeFolder, outcomesOf, readOutcomeFolder } from '../../engine/retraining/outcomeFolder';
import { WhenceError } from '../../protocol/errors';
import type { Measurement, MeasurementKind, MethodName, TrainingRun } from '../../protocol/model';
import { nodeFiles } from '../../worker/nodeFiles';
import { allScores } from '../allScores';
import { toJson } from '../json';
import { findRun } from '../runs';
import type { CommandSession } from '../session';
import { table } from '../table';
import { methodNames } from '../words';
import { mislabelCurve } from './mislabelCurve';
import { removalText } from './removalTable';

export interface EvaluateOptions {
  readonly run?: string;
  /** The folder of retraining outcomes. */
  readonly outcomes?: string;
  readonly methods: readonly MethodName[];
  /** How many segments SOURCE is to be evaluated with, one after the other; none: as the run says. */
  readonly segments: readonly number[];
  readonly measurement?: MeasurementKind;
  readonly curve?: 'removal' | 'mislabel';
  /** The file of examples whose label is known to be wrong. */
  readonly flipped?: string;
  readonly json?: boolean;
  readonly csv?: boolean;
}

/** A method as it was evaluated. */
interface Row {
  readonly method: MethodName;
  readonly segments?: number;
}

interface EvaluatedRow extends Row {
  readonly name: string;
  readonly score: DatamodelingScore;
}

/** Prints how well methods foretell what retraining did: linear datamodeling scores, or one of the two curves. */
export async function evaluate(session: CommandSession, folder: string, options: EvaluateOptions): Promise<void> {
  const run = await findRun(session, folder, options.run);
  if (options.curve === 'mislabel') return mislabelCurve(session, run, options);
  if (options.outcomes === undefined) {
    throw new WhenceError('bad-argument', 'There is nothing to compare with.', {
      mend: 'Name a folder of outcomes: --outcomes DIR. `whence retrain` makes one.',
    });
  }
  const outcomes = await readOutcomeFolder(resolve(options.outcomes), nodeFiles());
  if (options.curve === 'removal') return session.print(await removalText(session, run, outcomes, options));
  return scoreTable(session, run, outcomes, options);
}

async function scoreTable(
  session: CommandSession,
  run: TrainingRun,
  folder: OutcomeFolder,
  options: EvaluateOptions,
): Promise<void> {
  const { split, queries } = folder.description;
  const measurement = measurementOf(run, folder, options.measurement);
  const rows: EvaluatedRow[] = [];
  let outcomes: Outcomes | undefined;
  for (const row of rowsOf(options)) {
    const ids = queries.map((index) => ({ split, index }));
    const { examples, scores } = await allScores(session, { config: run.config, queries: ids, measurement, ...row });
    outcomes = outcomesOf(folder, examples);
    rows.push({ ...row, name: rowName(run, row), score: datamodelingScore(outcomes, scores) });
  }
  if (!outcomes) throw new WhenceError('bad-argument', 'No method is named.');
  const { subsets, repeats } = outcomes;
  const ceiling = bestScores(outcomes);
  const best = ceiling && bootstrap(ceiling);
  const summaries = rows.map((row) => ({ ...row, summary: summarize(row.score) }));
  const differences = rows.flatMap((a, at) =>
    rows
      .slice(at + 1)
      .map((b) => ({ name: `${a.name}, less ${b.name}`, summary: summarize(difference(a.score, b.score)) })),
  );
  if (options.json) {
    const methods = summaries.map(({ method, segments, name, summary, score }) => ({
      ...{ method, segments, name, ...summary },
      byQuery: [...score.byQuery],
    }));
    const compared = differences.map(({ name, summary }) => ({ name, ...summary }));
    const facts = { run: run.config, measurement, split, queries, subsets, repeats };
    return session.print(toJson({ ...facts, best, methods, differences: compared }));
  }
  if (options.csv) return session.print(csv([...summaries, ...differences]));
  const size = `${subsets} subsets, up to ${repeats} retrainings each; ${measurement.kind} of ${queries.length} examples of ${split}`;
  session.print(scoreText(size, best, summaries, differences));
}

function rowsOf({ methods, segments }: EvaluateOptions): readonly Row[] {
  return methods.flatMap((method): readonly Row[] =>
    isSource(method) && segments.length > 0 ? segments.map((count) => ({ method, segments: count })) : [{ method }],
  );
}

/** Values of the outcomes and of the scores must be of one measurement. */
function measurementOf(
  run: TrainingRun,
  { description }: OutcomeFolder,
  asked: MeasurementKind | undefined,
): Measurement {
  const { measurement, target } = description;
  if (asked !== undefined && measurement !== undefined && asked !== measurement) {
    throw new WhenceError('bad-argument', `The outcomes are of the measurement ${measurement}, not ${asked}.`);
  }
  const usual = run.loss === 'next-token' || run.loss === 'custom' ? 'loss' : 'margin';
  return { kind: measurement ?? asked ?? usual, ...(target === undefined ? {} : { target }) };
}

function rowName(run: TrainingRun, { method, segments }: Row): string {
  if (!isSource(method)) return methodNames[method];
  const count = segments ?? run.segments.length;
  return `${methodNames[method]}, ${count} segment${count === 1 ? '' : 's'}`;
}

/** Methods whose scores depend on how training is cut into segments. */
function isSource(method: MethodName): boolean {
  return method === 'source' || method === 'fast-source' || method === 'source-elementwise';
}

interface Named {
  readonly name: string;
  readonly summary: DatamodelingSummary;
}

const explanation = [
  'LDS: linear datamodeling score, the mean over queries of the rank correlation between what retraining on subsets gave and the',
  'sum of their scores. The first interval (95 %, bootstrap) is over queries, as papers print it; the second over queries and',
  'subsets at once: it also says how far other subsets might have said otherwise, and is the one to trust where they are few.',
].join('\n');

function scoreText(
  size: string,
  best: Interval | undefined,
  rows: readonly Named[],
  differences: readonly Named[],
): string {
  const columns = [
    { title: 'scores' },
    { title: 'LDS', align: 'right' },
    { title: 'over queries', align: 'right' },
    { title: 'and subsets', align: 'right' },
  ] as const;
  const cells = ({ name, summary: { overQueries, overBoth } }: Named) => [
    name,
    overQueries.mean.toFixed(3),
    bounds(overQueries),
    bounds(overBoth),
  ];
  const ceiling = best
    ? `the best to be had: ${best.mean.toFixed(3)} ${bounds(best)}, the root of the outcomes' reliability`
    : 'the best to be had is not known: every subset was trained once';
  const parts = [size, ceiling, '', table(columns, rows.map(cells))];
  if (differences.length > 0) parts.push('', table(columns, differences.map(cells)));
  return [...parts, '', explanation].join('\n');
}

function bounds({ low, high }: Interval): string {
  return `[${low.toFixed(3)}, ${high.toFixed(3)}]`;
}

function csv(rows: readonly Named[]): string {
  const lines = rows.map(({ name, summary: { overQueries: q, overBoth: b } }) =>
    [`"${name}"`, q.mean, q.low, q.high, b.low, b.high].join(),
  );
  return ['scores,lds,low over queries,high over queries,low over both,high over both', ...lines].join('\n');
}
