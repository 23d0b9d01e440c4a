import { countToFlip, type Removal, removalCurve } from '../../attribution/evaluate/curves';
import type { OutcomeFolder } from '../../engine/retraining/outcomeFolder';
import { WhenceError } from '../../protocol/errors';
import type { TrainingRun } from '../../protocol/model';
import { toJson } from '../json';
import type { CommandSession } from '../session';
import { table } from '../table';
import { percent, signed } from '../words';

/** What leaving out ever more of a query's strongest proponents did, method by method. */
export async function removalText(
  session: CommandSession,
  run: TrainingRun,
  folder: OutcomeFolder,
  { json, csv }: { readonly json?: boolean; readonly csv?: boolean },
): Promise<string> {
  const { queries, split } = folder.description;
  const ids = queries.map((index) => ({ split, index }));
  const request = { config: run.config, queries: ids, measurement: { kind: 'loss' } } as const;
  const { predicted } = await session.engine.measure(request, session.call);
  const byMethod = removalsOf(folder, predicted);
  if (byMethod.size === 0) {
    throw new WhenceError('not-found', 'These outcomes are of no removal curve.', {
      mend: 'Make them with `whence retrain --removal test:17`.',
    });
  }
  const curves = [...byMethod].map(([method, removals]) => ({
    method,
    curve: removalCurve(removals),
    toFlip: [...new Set(removals.map(({ query }) => query))].map((query) => {
      const count = countToFlip(removals, query);
      return { query, ...(count === undefined ? {} : { count }) };
    }),
  }));
  if (json) return toJson({ run: run.config, split, curves });
  if (csv) {
    const lines = curves.flatMap(({ method, curve }) =>
      curve.map(({ count, flipped: f, change: c }) =>
        [method, count, f.mean, f.low, f.high, c?.mean, c?.low, c?.high].join(),
      ),
    );
    return ['method,removed,flipped,low,high,change,low,high', ...lines].join('\n');
  }
  const rows = curves.flatMap(({ method, curve }) =>
    curve.map(({ count, flipped, change }) => [
      method,
      `${count}`,
      percent(flipped.mean),
      `[${percent(flipped.low)}, ${percent(flipped.high)}]`,
      ...(change ? [signed(change.mean), `[${signed(change.low)}, ${signed(change.high)}]`] : []),
    ]),
  );
  const right = (title: string) => ({ title, align: 'right' }) as const;
  const columns = [{ title: 'method' }, ...['removed', 'flipped', '95 %', 'change', '95 %'].map(right)];
  const flips = curves.map(({ method, toFlip }) => {
    const words = toFlip.map(
      ({ query, count }) => `${split}:${query} ${count === undefined ? 'never' : `at ${count}`}`,
    );
    return `${method}: flips ${words.join(', ')}`;
  });
  return [table(columns, rows), '', ...flips].join('\n');
}

/** By method: each query's retrainings without so many of its proponents. `own`: what the run itself predicts. */
function removalsOf(
  { description, subsets, outcomes }: OutcomeFolder,
  own: readonly number[] | undefined,
): ReadonlyMap<string, readonly Removal[]> {
  const { queries, larger } = description;
  const sign = larger === 'better' ? 1 : -1;
  const byMethod = new Map<string, Removal[]>();
  const cuts = subsets.flatMap(({ removal }) => removal ?? []);
  const methods = [...new Set(cuts.flatMap(({ method }) => method ?? []))];
  const asked = [...new Set(cuts.flatMap(({ query }) => query ?? []))];
  subsets.forEach(({ removal }, subset) => {
    const trained = outcomes.filter((outcome) => outcome.subset === subset);
    if (!removal || trained.length === 0) return;
    const { count } = removal;
    // Leaving nothing out is the start of every query's curve, whatever the method.
    for (const query of removal.query === undefined ? asked : [removal.query]) {
      const place = queries.indexOf(query);
      if (place < 0) continue;
      const values = trained.map((outcome) => sign * outcome.values[place]!);
      // Where a script said no prediction, a margin below 0 stands for another class.
      const flipped = trained.map(({ predicted }, at) =>
        predicted && own ? predicted[place] !== own[place] : values[at]! < 0,
      );
      for (const method of removal.method === undefined ? methods : [removal.method]) {
        byMethod.set(method, [...(byMethod.get(method) ?? []), { query, count, values, flipped }]);
      }
    }
  });
  return byMethod;
}
