import { appendFile, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Outcome,
  type OutcomeDescription,
  outcomeFiles,
  readOutcomeFolder,
  type Subset,
  wholeLines,
} from '../../engine/retraining/outcomeFolder';
import { WhenceError } from '../../protocol/errors';
import { nodeFiles } from '../../worker/nodeFiles';

/** What makes outcomes comparable: a folder only takes those of one such plan. */
export type PlanFacts = Readonly<Record<string, unknown>>;

const planFile = 'plan.json';

/** A folder of outcomes that grows: what is in it is not made again. */
export interface OutcomeStore {
  readonly folder: string;
  /** Absolute path of the file that says what is measured. */
  readonly queries: string;
  has(subset: number, repeat: number): boolean;
  add(outcome: Outcome): Promise<void>;
}

/** Opens or makes a folder for a plan's outcomes; refuses one that holds another plan's. */
export async function openOutcomes(
  folder: string,
  facts: PlanFacts,
  description: OutcomeDescription,
  subsets: readonly Subset[],
): Promise<OutcomeStore> {
  const files = nodeFiles();
  const at = (name: keyof typeof outcomeFiles) => join(folder, outcomeFiles[name]);
  const write = (path: string, text: string) => files.write(path, [new TextEncoder().encode(text)]);
  await mkdir(folder, { recursive: true });
  const known = (await files.exists(at('subsets')))
    ? (await readFile(at('subsets'), 'utf8')).trimEnd().split('\n')
    : [];
  const lines = subsets.map((subset) => JSON.stringify(subset));
  await checkPlan(
    join(folder, planFile),
    facts,
    known.some((line, subset) => lines[subset] !== undefined && line !== lines[subset]),
  );
  await write(join(folder, planFile), `${JSON.stringify(facts, null, 2)}\n`);
  await write(at('description'), `${JSON.stringify(description)}\n`);
  // A smaller plan than before takes nothing away.
  await write(at('subsets'), `${[...lines, ...known.slice(lines.length)].join('\n')}\n`);
  const kept = (await files.exists(at('outcomes'))) ? wholeLines(await readFile(at('outcomes'), 'utf8')) : '';
  await write(at('outcomes'), kept);
  const done = kept === '' ? [] : (await readOutcomeFolder(folder, files)).outcomes;
  const names = new Set(done.map(({ subset, repeat }) => nameOf(subset, repeat)));
  return {
    folder,
    queries: at('description'),
    has: (subset, repeat) => names.has(nameOf(subset, repeat)),
    async add(outcome) {
      await appendFile(at('outcomes'), `${JSON.stringify(outcome)}\n`);
      names.add(nameOf(outcome.subset, outcome.repeat));
    },
  };
}

function nameOf(subset: number, repeat: number): string {
  return `${subset}-${repeat}`;
}

async function checkPlan(path: string, facts: PlanFacts, otherSubsets: boolean): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return;
  const known = JSON.parse(text) as PlanFacts;
  const differing = Object.keys(facts).filter((key) => JSON.stringify(facts[key]) !== JSON.stringify(known[key]));
  const other = otherSubsets ? [...differing, 'subsets'] : differing;
  if (other.length === 0) return;
  throw new WhenceError('bad-argument', `The folder holds outcomes of another plan: its ${other.join(', ')} differ.`, {
    file: path,
    mend: 'Name another folder with --out, or remove this one.',
  });
}
