import { resolve } from 'node:path';
import { detectionCurve } from '../../attribution/evaluate/curves';
import { WhenceError } from '../../protocol/errors';
import type { Suspect, TrainingRun } from '../../protocol/model';
import { readIndices } from '../indexFile';
import { toJson } from '../json';
import type { CommandSession } from '../session';
import { table } from '../table';
import { percent } from '../words';

const inspectedShares = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5];

const orders: readonly { readonly name: string; by(suspect: Suspect): number }[] = [
  { name: 'suspicion (both)', by: ({ suspicion }) => suspicion },
  { name: 'mean loss', by: ({ meanLoss }) => meanLoss },
  { name: 'SOURCE self-influence', by: ({ selfInfluence }) => selfInfluence },
];

/** Prints how many of the labels that are known to be wrong are found among the most suspect ones. */
export async function mislabelCurve(
  session: CommandSession,
  run: TrainingRun,
  { flipped, json, csv }: { readonly flipped?: string; readonly json?: boolean; readonly csv?: boolean },
): Promise<void> {
  if (flipped === undefined) {
    throw new WhenceError('bad-argument', 'Which labels are wrong is not said.', {
      mend: 'Name a file of their indices: --flipped FILE.',
    });
  }
  const file = resolve(flipped);
  const wrong = new Set(await readIndices(file));
  const all = Number.MAX_SAFE_INTEGER;
  const { suspects, examples } = await session.engine.suspects({ config: run.config, top: all }, session.call);
  const outside = [...wrong].find((one) => one >= examples);
  if (wrong.size === 0 || outside !== undefined) {
    const message = outside === undefined ? 'The file names no example.' : `The run has no example train:${outside}.`;
    throw new WhenceError('bad-argument', message, { file });
  }
  const curves = orders.map(({ name, by }) => {
    const order = [...suspects].sort((a, b) => by(b) - by(a)).map(({ example }) => example.id.index);
    return { name, ...detectionCurve(order, wrong) };
  });
  if (json) {
    const plain = curves.map(({ name, area, found }) => ({ name, area, found: [...found] }));
    return session.print(toJson({ run: run.config, examples, wrong: wrong.size, curves: plain }));
  }
  if (csv) {
    const lines = Array.from({ length: examples + 1 }, (_, k) => [k, ...curves.map(({ found }) => found[k])].join());
    return session.print([`inspected,${curves.map(({ name }) => name).join()}`, ...lines].join('\n'));
  }
  const right = (title: string) => ({ title, align: 'right' }) as const;
  const columns = [{ title: 'order' }, ...inspectedShares.map((share) => right(percent(share))), right('area')];
  const rows = curves.map(({ name, found, area }) => [
    name,
    ...inspectedShares.map((share) => percent(found[Math.round(share * examples)] ?? 0)),
    area.toFixed(3),
  ]);
  const best = (1 - wrong.size / (2 * examples)).toFixed(3);
  session.print(
    [
      `share of the ${wrong.size} wrong labels found among the most suspect of ${examples} examples`,
      '',
      table(columns, rows),
      '',
      `area under the curve: .5 by chance, ${best} at best`,
    ].join('\n'),
  );
}
