import { type OutcomeDescription, readOutcomeFolder } from '../../engine/retraining/outcomeFolder';
import { removals } from '../../engine/retraining/plans';
import { WhenceError } from '../../protocol/errors';
import type { MethodName, TrainingRun } from '../../protocol/model';
import { nodeFiles } from '../../worker/nodeFiles';
import { allScores } from '../allScores';
import { removalText } from '../commands/removalTable';
import type { CommandSession } from '../session';
import type { RetrainingPlan } from './retrainingPlan';

const defaultRepeats = 3;

/** Without ever more of each query's strongest proponents, by each method's own ranking. */
export async function removalPlan(
  session: CommandSession,
  run: TrainingRun,
  description: OutcomeDescription,
  examples: number,
  options: {
    readonly methods: readonly MethodName[];
    readonly counts: readonly number[];
    readonly repeats?: number;
    readonly json?: boolean;
  },
): Promise<RetrainingPlan> {
  const { split, queries } = description;
  const { methods, counts } = options;
  const tooMany = counts.find((count) => count >= examples);
  if (tooMany !== undefined) {
    throw new WhenceError('bad-argument', `${tooMany} of ${examples} training examples cannot be left out.`);
  }
  const proponents = await proponentsOf(session, run, description, methods);
  const repeats = options.repeats ?? defaultRepeats;
  return {
    name: `removal-${split}-${queries.slice(0, 3).join('-')}${queries.length > 3 ? `-and-${queries.length - 3}` : ''}`,
    sentence: `Without ${counts.join(', ')} of the strongest proponents of ${queries.length} predictions`,
    subsets: removals(proponents, counts),
    repeats,
    paired: true,
    facts: { kind: 'removal', methods, counts },
    report: async (out) => removalText(session, run, await readOutcomeFolder(out, nodeFiles()), options),
  };
}

/** Each query's training examples, those first that pushed the prediction most towards the class that it fell on. */
async function proponentsOf(
  session: CommandSession,
  run: TrainingRun,
  { split, queries, measurement = 'margin' }: OutcomeDescription,
  methods: readonly MethodName[],
) {
  const ids = queries.map((index) => ({ split, index }));
  const asked = { config: run.config, queries: ids, measurement: { kind: measurement } };
  const { predicted } = await session.engine.measure(asked, session.call);
  const found: { query: number; method: string; order: readonly number[] }[] = [];
  for (const method of methods) {
    for (const [at, query] of queries.entries()) {
      const target = measurement === 'loss' ? undefined : predicted?.[at];
      const { examples, scores } = await allScores(session, {
        config: run.config,
        queries: [{ split, index: query }],
        method,
        measurement: { kind: measurement, ...(target === undefined ? {} : { target }) },
      });
      const order = Array.from({ length: examples }, (_, i) => i).sort((a, b) => scores[b]! - scores[a]! || a - b);
      found.push({ query, method, order });
    }
  }
  return found;
}
