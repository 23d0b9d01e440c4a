import * as z from 'zod/mini';
import type { Files } from '../../formats/bytes';
import type { Review } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import type { ExampleId, Label, Location, ReviewDecision } from '../../protocol/model';

/** Name of the review file, which lies beside `whence.json`. */
const reviewName = 'whence.review.json';

const decisionSchema = z.looseObject({
  example: z.looseObject({ split: z.string(), index: z.int().check(z.gte(0)) }),
  action: z.enum(['relabel', 'exclude', 'keep']),
  givenLabel: z.number(),
  newLabel: z.exactOptional(z.number()),
  at: z.string(),
});

/** Loose: what a later version or another tool adds is carried along. */
const reviewSchema = z.looseObject({ version: z.literal(1), decisions: z.array(decisionSchema) });

interface ReviewContent {
  readonly version: 1;
  readonly decisions: readonly ReviewDecision[];
}

/** The decisions of a run, oldest first; none where there is no review file. `malformed-file` where it is damaged. */
export async function readReview(config: string, files: Files): Promise<Review> {
  const file = reviewFile(config, files);
  return toReview(file, await readContent(file, files));
}

/** Appends a decision to what the file holds by now. A damaged file stays as it is and is the error. */
export function addDecision(config: string, decision: ReviewDecision, files: Files): Promise<Review> {
  return change(config, files, (decisions) => [...decisions, decision]);
}

/** Takes the last decision back; without one nothing changes. */
export function undoDecision(config: string, files: Files): Promise<Review> {
  return change(config, files, (decisions) => decisions.slice(0, -1));
}

/** The decision that stands for each example: its last one. Keys are those of `exampleKey`. */
export function currentDecisions(decisions: readonly ReviewDecision[]): ReadonlyMap<string, ReviewDecision> {
  const current = new Map<string, ReviewDecision>();
  for (const decision of decisions) {
    const key = exampleKey(decision.example);
    // Deleted first, so that the order is that of the decisions that stand.
    current.delete(key);
    current.set(key, decision);
  }
  return current;
}

export function exampleKey({ split, index }: ExampleId): string {
  return `${split}:${index}`;
}

/**
 * Writes the decisions that stand as a CSV file with the columns split, index, file, line, action, given_label, new_label,
 * at. Files are relative to the run's folder; `labelName` is the class's name, or the number as text.
 */
export async function exportReview(
  config: string,
  out: string,
  locate: (example: ExampleId) => Location,
  labelName: (label: Label) => string,
  files: Files,
): Promise<{ readonly rows: number }> {
  const { decisions } = await readReview(config, files);
  const folder = files.dirname(config);
  const rows = [...currentDecisions(decisions).values()].map(({ example, action, givenLabel, newLabel, at }) => {
    const { file, line } = locate(example);
    const name = files.relative(folder, file);
    const labels = [labelName(givenLabel), newLabel === undefined ? '' : labelName(newLabel)];
    return [example.split, example.index, name, line ?? '', action, ...labels, at];
  });
  const header = ['split', 'index', 'file', 'line', 'action', 'given_label', 'new_label', 'at'];
  const text = [header, ...rows].map((row) => `${row.map(csvCell).join(',')}\n`).join('');
  await files.write(out, [new TextEncoder().encode(text)]);
  return { rows: rows.length };
}

function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Changes of one file wait for each other: two decisions at once must not both build on the same old content. */
const lastChange = new Map<string, Promise<unknown>>();

function change(
  config: string,
  files: Files,
  edit: (decisions: readonly ReviewDecision[]) => readonly ReviewDecision[],
): Promise<Review> {
  const file = reviewFile(config, files);
  const previous = lastChange.get(file) ?? Promise.resolve();
  const next = previous
    .catch(() => undefined)
    .then(async () => {
      // Read anew each time: another window, another person or a merge may have changed it.
      const content = await readContent(file, files);
      const decisions = edit(content.decisions);
      if (decisions.length === content.decisions.length) return toReview(file, content);
      const changed = { ...content, decisions };
      await files.write(file, [new TextEncoder().encode(`${JSON.stringify(changed, undefined, 2)}\n`)]);
      return toReview(file, changed);
    });
  lastChange.set(file, next);
  return next;
}

async function readContent(file: string, files: Files): Promise<ReviewContent> {
  if (!(await files.exists(file))) return { version: 1, decisions: [] };
  const source = await files.open(file);
  const text = new TextDecoder().decode(await source.read(0, source.size));
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw damaged(file, `It is not valid JSON (${(cause as Error).message}).`);
  }
  const result = reviewSchema.safeParse(parsed);
  if (result.success) return result.data;
  const issue = result.error.issues[0]!;
  throw damaged(
    file,
    'It does not hold decisions as Whence writes them.',
    issue.path.map(String).join('.') || undefined,
  );
}

function damaged(file: string, reason: string, place?: string): WhenceError {
  return new WhenceError('malformed-file', `The review file cannot be read, and is left as it is. ${reason}`, {
    file,
    ...(place === undefined ? {} : { place }),
    mend: 'Correct the file, restore it from version control, or move it away to begin anew.',
  });
}

function toReview(file: string, { decisions }: ReviewContent): Review {
  return { file, decisions, canUndo: decisions.length > 0 };
}

function reviewFile(config: string, files: Files): string {
  return files.join(files.dirname(config), reviewName);
}
