import { countToFlip, type Removal, removalCurve } from '../../attribution/evaluate/curves';
import type { OutcomeFolder } from '../../engine/retraining/outcomeFolder';
import { WhenceError } from '../../protocol/errors';
import type { TrainingRun } from '../../protocol/model';
import { toJson } from '../json';
import type { CommandSession } from '../session';
import { table } from '../table';
import { percent, signed } from '../words';

/** Prints what leaving out ever more of a query's strongest proponents did, method by method. */
export async function removalTable(
  session: CommandSession,
  run: TrainingRun,
  folder: OutcomeFolder,
  { json, csv }: { readonly json?: boolean; readonly csv?: boolean },
): Promise<void> {
  const { queries, split } = folder.description;
  const ids = queries.map((index) => ({ split, index }));
  const own = await session.engine.measure(
    { config: run.config, queries: ids, measurement: { kind: 'loss' } },
    session.call,
  );
  const byMethod = removalsOf(folder, own.predicted);
  if (byMethod.size === 0) {
    throw new WhenceError('not-found', 'These outcomes are of no removal curve.', {
      mend: 'Make them with `whence retrain --removal test:17`.',
    });
  }
  const curves = [...byMethod].map(([method, removals]) => ({
    method,
    curve: removalCurve(removals),
    toFlip: [...new Set(removals.map(({ query }) => query))].map((query) => ({
      query,
      count: countToFlip(removals, query),
    })),
  }));
  if (json) return session.print(toJson({ run: run.config, split, curves }));
  const rows = curves.flatMap(({ method, curve }) =>
    curve.map(({ count, flipped, change }) => [
      method,
      `${count}`,
      percent(flipped.mean),
      `[${percent(flipped.low)}, ${percent(flipped.high)}]`,
      change ? signed(change.mean) : '',
      change ? `[${signed(change.low)}, ${signed(change.high)}]` : '',
    ]),
  );
  if (csv)
    return session.print(
      ['method,removed,flipped,interval,change,interval', ...rows.map((row) => row.join(';'))].join('\n'),
    );
  const right = (title: string) => ({ title, align: 'right' }) as const;
  const columns = [{ title: 'method' }, ...['removed', 'flipped', '95 %', 'change', '95 %'].map(right)];
  const flips = curves.map(({ method, toFlip }) => {
    const counts = toFlip.map(
      ({ query, count }) => `${split}:${query} ${count === undefined ? 'never' : `at ${count}`}`,
    );
    return `${method}: flips ${counts.join(', ')}`;
  });
  session.print([table(columns, rows), '', ...flips].join('\n'));
}

/** By method: each query's retrainings without so many of its proponents. `own`: what the run itself predicts. */
function removalsOf(
  { description, subsets, outcomes }: OutcomeFolder,
  own: readonly number[] | undefined,
): ReadonlyMap<string, readonly Removal[]> {
  const { queries, larger } = description;
  const sign = larger === 'better' ? 1 : -1;
  const byMethod = new Map<string, Removal[]>();
  const methods = new Set(subsets.flatMap(({ removal }) => removal?.method ?? []));
  subsets.forEach(({ removal }, subset) => {
    if (!removal) return;
    const place = queries.indexOf(removal.query);
    const trained = outcomes.filter((outcome) => outcome.subset === subset);
    if (place < 0 || trained.length === 0) return;
    const values = trained.map((outcome) => sign * outcome.values[place]!);
    // Where a script said no prediction, a margin below 0 stands for another class.
    const flipped = trained.map(({ predicted }, at) =>
      predicted && own ? predicted[place] !== own[place] : values[at]! < 0,
    );
    // Leaving nothing out is every method's start.
    for (const method of removal.method === undefined ? methods : [removal.method]) {
      const known = byMethod.get(method) ?? [];
      byMethod.set(method, [...known, { query: removal.query, count: removal.count, values, flipped }]);
    }
  });
  return byMethod;
}
