import { availableParallelism } from 'node:os';
import { basename, join, resolve } from 'node:path';
import type { OutcomeDescription } from '../../engine/retraining/outcomeFolder';
import { halves, trainings } from '../../engine/retraining/plans';
import { readConfig } from '../../engine/run/openRun';
import { WhenceError } from '../../protocol/errors';
import type { MeasurementKind, MethodName, TrainingRun } from '../../protocol/model';
import { nodeFiles } from '../../worker/nodeFiles';
import { agreed } from '../agreed';
import { type QueryRange, resolveQueries } from '../queries';
import { openOutcomes } from '../retrain/outcomeStore';
import { removalPlan } from '../retrain/removal';
import type { RetrainingPlan } from '../retrain/retrainingPlan';
import { type TrainingFailure, trainAll } from '../retrain/trainAll';
import { commandText } from '../retrain/trainingCommand';
import { type TrainingSplit, trainedExamples, trainingSplits } from '../retrain/trainingSplits';
import { withoutPlan } from '../retrain/without';
import { findRun } from '../runs';
import type { CommandSession } from '../session';
import { pathName } from '../words';

export interface RetrainOptions {
  readonly run?: string;
  /** How many random halves to train on. */
  readonly halves?: number;
  /** Training examples that one claim says matter. */
  readonly without?: readonly QueryRange[];
  /** Queries whose strongest proponents are to be left out, ever more of them. */
  readonly removal?: readonly QueryRange[];
  readonly query?: readonly QueryRange[];
  readonly methods: readonly MethodName[];
  readonly counts: readonly number[];
  readonly repeats?: number;
  readonly measurement?: MeasurementKind;
  readonly out?: string;
  readonly parallel?: number;
  readonly yes?: boolean;
  readonly json?: boolean;
}

const mostQueries = 100;

/** Trains the run anew on parts of its data by the user's own command, and says what that showed. */
export async function retrain(session: CommandSession, folder: string, options: RetrainOptions): Promise<boolean> {
  const run = await findRun(session, folder, options.run);
  const { retrain: config, checkpoints, ...whole } = await readConfig(run.config, nodeFiles());
  if (!config) {
    throw new WhenceError('not-set-up', 'Nothing says how this run is trained.', {
      file: run.config,
      mend: 'Add "retrain": { "command": [...] }; docs/evaluate.md shows how.',
    });
  }
  const description = await describe(session, run, options);
  const splits = trainingSplits(run, whole);
  const examples = trainedExamples(splits);
  const plan = await planOf(session, run, description, splits, config.seed ?? 1, options);
  const parallel = options.parallel ?? config.parallel ?? Math.max(1, Math.floor(availableParallelism() / 2));
  const out = resolve(options.out ?? join(run.folder, 'outcomes', plan.name));
  session.say(
    `${plan.sentence}: ${plan.subsets.length * plan.repeats} trainings, ${parallel} at a time, into ${pathName(out)}.`,
  );
  session.say(`In ${run.folder} this runs, once for each:\n  ${commandText(config)}`);
  if (!options.yes && !(await agreed('Run it?', 'run it'))) {
    session.say('Nothing was run.');
    return false;
  }
  const seed = config.seed ?? 1;
  const facts = {
    ...plan.facts,
    ...{ command: config.command, seed, examples, ...description },
    data: await hashOfData(run, [description.split, ...splits.map((own) => own.split)]),
  };
  const store = await openOutcomes(out, facts, description, plan.subsets);
  const kept = join(run.folder, '.whence');
  await hide(kept);
  const scratch = join(kept, 'retrain', basename(out));
  const failures = await trainAll(session, {
    ...{ run, config, checkpoints, description, examples, store, scratch, parallel },
    subsets: plan.subsets,
    trainings: trainings(plan.subsets.length, plan.repeats, seed, plan.paired),
  });
  if (session.call.signal?.aborted) throw new WhenceError('cancelled', 'Cancelled; finished trainings are kept.');
  for (const line of failureLines(failures)) session.say(line);
  if (failures.length > 0) return false;
  session.print(await plan.report(out));
  return true;
}

/** What the data of some splits hold: outcomes of other data are others. */
async function hashOfData(run: TrainingRun, names: readonly string[]): Promise<string> {
  const files = nodeFiles();
  const paths = run.splits.flatMap((split) => (names.includes(split.name) ? split.files : []));
  const hashes = await Promise.all(paths.map((path) => files.hashFile(path)));
  return files.hashBytes([new TextEncoder().encode(hashes.join())]);
}

/** Keeps version control from seeing what trainings leave. */
async function hide(folder: string): Promise<void> {
  const files = nodeFiles();
  const ignore = join(folder, '.gitignore');
  if (!(await files.exists(ignore))) await files.write(ignore, [new TextEncoder().encode('*\n')]);
}

/** What every training is to be measured by. */
async function describe(
  session: CommandSession,
  run: TrainingRun,
  { query, removal, measurement }: RetrainOptions,
): Promise<OutcomeDescription> {
  const kind = measurement ?? (run.loss === 'next-token' || run.loss === 'custom' ? 'loss' : 'margin');
  const other = run.splits.find(({ name }) => name === 'test') ?? run.splits.find(({ name }) => name !== 'train');
  const asked =
    removal ?? query ?? (other && [{ split: other.name, from: 0, to: Math.min(mostQueries, other.examples) - 1 }]);
  if (!asked) {
    throw new WhenceError('not-set-up', 'The run has no data besides training data: there is nothing to ask about.', {
      file: run.config,
    });
  }
  const ids = await resolveQueries(session, run, asked);
  const [first] = ids;
  if (!first || ids.some(({ split }) => split !== first.split)) {
    throw new WhenceError('bad-argument', 'Queries must be of one split.');
  }
  return { split: first.split, queries: ids.map(({ index }) => index), measurement: kind, larger: 'better' };
}

async function planOf(
  session: CommandSession,
  run: TrainingRun,
  description: OutcomeDescription,
  splits: readonly TrainingSplit[],
  seed: number,
  options: RetrainOptions,
): Promise<RetrainingPlan> {
  const ways = [options.halves, options.without, options.removal].filter((way) => way !== undefined);
  if (ways.length !== 1) {
    throw new WhenceError('bad-argument', 'Say what to train: one of --halves, --without and --removal.');
  }
  if (options.without) return withoutPlan(session, run, description, splits, options.without, options);
  const examples = trainedExamples(splits);
  if (options.removal) return removalPlan(session, run, description, examples, options);
  const count = options.halves ?? 0;
  return {
    name: 'halves',
    sentence: `${count} random halves of ${examples} examples`,
    subsets: halves(count, examples, seed),
    repeats: options.repeats ?? 1,
    paired: false,
    facts: { kind: 'halves' },
    report: async (out) =>
      `The outcomes are in ${out}\nwhence evaluate ${pathName(run.folder)} --outcomes ${pathName(out)}`,
  };
}

function failureLines(failures: readonly TrainingFailure[]): readonly string[] {
  if (failures.length === 0) return [];
  const shown = failures
    .slice(0, 3)
    .flatMap(({ training, reason, lastLines, log }) => [
      `Subset ${training.subset}, repeat ${training.repeat} (seed ${training.seed}) failed: ${reason}`,
      ...lastLines.map((line) => `  | ${line}`),
      `  ${log}`,
    ]);
  const more = failures.length > 3 ? [`and ${failures.length - 3} more`] : [];
  return [...shown, ...more, 'What is done is kept. The same command again goes on with the rest.'];
}
