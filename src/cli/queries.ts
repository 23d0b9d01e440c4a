import { InvalidArgumentError } from 'commander';
import { WhenceError } from '../protocol/errors';
import type { ExampleId, TrainingRun } from '../protocol/model';
import type { CommandSession } from './session';

/** Examples `from..to` of a split, both ends included; in the order `wrong`, they count from 1 by falling confidence. */
export interface QueryRange {
  readonly split: string;
  readonly from: number;
  readonly to: number;
}

/** `test:17`, `test:0-99`, `wrong:1`, and lists of them with commas. */
export function parseQueries(text: string): readonly QueryRange[] {
  return text.split(',').map((part) => {
    const match = /^([^:,]+):(\d+)(?:-(\d+))?$/.exec(part.trim());
    const [, split, from, to = from] = match ?? [];
    if (!split || from === undefined) {
      throw new InvalidArgumentError(`"${part}" is not like test:17, test:0-99 or wrong:1.`);
    }
    const range = { split, from: Number(from), to: Number(to) };
    if (range.to < range.from) throw new InvalidArgumentError(`"${part}" ends before it begins.`);
    if (split === wrong && range.from === 0) throw new InvalidArgumentError('Wrong predictions count from 1.');
    return range;
  });
}

export function parseQuery(text: string): QueryRange {
  const [range, ...more] = parseQueries(text);
  if (range && more.length === 0 && range.from === range.to) return range;
  throw new InvalidArgumentError(`"${text}" is not one example, like test:17 or wrong:1.`);
}

/** Training examples that are looked at together: by name, or all of some classes. */
export type GroupSelection =
  | { readonly kind: 'examples'; readonly ranges: readonly QueryRange[] }
  | { readonly kind: 'classes'; readonly names: readonly string[] };

/** `train:1,5,9-20` (a number without a split is of the one before), or `class:Coat,Bag`. */
export function parseGroup(text: string): GroupSelection {
  const classes = /^class:(.+)$/.exec(text.trim())?.[1];
  if (classes !== undefined) return { kind: 'classes', names: classes.split(',').map((name) => name.trim()) };
  let split = '';
  const parts = text.split(',').map((part) => {
    const own = part.trim();
    if (own.includes(':')) split = own.slice(0, own.indexOf(':') + 1);
    return own.includes(':') ? own : split + own;
  });
  return { kind: 'examples', ranges: parseQueries(parts.join()) };
}

const wrong = 'wrong';

/** Which examples the ranges mean; `wrong` asks the engine for the final checkpoint's predictions. */
export async function resolveQueries(
  session: CommandSession,
  run: TrainingRun,
  ranges: readonly QueryRange[],
): Promise<readonly ExampleId[]> {
  const ids: ExampleId[] = [];
  for (const { split, from, to } of ranges) {
    if (split === wrong && !run.splits.some(({ name }) => name === wrong)) {
      ids.push(...(await wrongPredictions(session, run, from, to)));
    } else {
      for (let index = from; index <= to; index++) ids.push({ split, index });
    }
  }
  return ids;
}

async function wrongPredictions(
  session: CommandSession,
  run: TrainingRun,
  from: number,
  to: number,
): Promise<readonly ExampleId[]> {
  const names = run.splits.map(({ name }) => name);
  const split = names.includes('test') ? 'test' : names.find((name) => name !== 'train');
  if (!split) {
    const mend = 'Add test data to "data" in whence.json.';
    throw new WhenceError('not-set-up', 'The run has no data besides training data.', { file: run.config, mend });
  }
  const request = { config: run.config, split, from: from - 1, count: to - from + 1, order: 'wrong-first' as const };
  const page = await session.engine.examples(request, session.call);
  if (page.examples.length < to - from + 1) {
    const message = `wrong:${to} was asked for, but ${page.total} predictions of ${split} are wrong.`;
    throw new WhenceError('bad-argument', message, { file: run.config });
  }
  return page.examples.map(({ id }) => id);
}
