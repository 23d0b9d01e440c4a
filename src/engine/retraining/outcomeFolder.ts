import * as z from 'zod/mini';
import type { Outcomes } from '../../attribution/evaluate/datamodeling';
import type { Files } from '../../formats/bytes';
import { readNpy } from '../../formats/npy';
import { WhenceError } from '../../protocol/errors';
import type { MeasurementKind } from '../../protocol/model';
import { range } from '../network/examples';

const index = () => z.int().check(z.gte(0));

const descriptionSchema = z.object({
  split: z._default(z.string(), 'test'),
  queries: z.array(index()).check(z.minLength(1)),
  measurement: z.exactOptional(z.enum(['margin', 'loss', 'logit'])),
  target: z.exactOptional(z.number()),
  larger: z._default(z.enum(['better', 'worse']), 'better'),
});

const removalSchema = z.object({
  query: z.exactOptional(index()),
  count: index(),
  method: z.exactOptional(z.string()),
});

const subsetSchema = z.union([
  z.object({ train: z.array(index()), removal: z.exactOptional(removalSchema) }),
  z.object({ without: z.array(index()), removal: z.exactOptional(removalSchema) }),
]);

const outcomeSchema = z.object({
  subset: index(),
  repeat: z._default(index(), 0),
  values: z.array(z.number()),
  predicted: z.exactOptional(z.array(z.number())),
});

/** What was measured: `queries.json`. */
export type OutcomeDescription = z.infer<typeof descriptionSchema> & { readonly measurement?: MeasurementKind };

/** A line of `subsets.jsonl`: the training examples that a retraining saw, or those that it did not see. */
export type Subset = z.infer<typeof subsetSchema>;

/** A line of `outcomes.jsonl`: what one retraining came to, query by query. */
export type Outcome = z.infer<typeof outcomeSchema>;

/** A folder of retraining outcomes, as docs/evaluate.md describes it. */
export interface OutcomeFolder {
  readonly description: OutcomeDescription;
  readonly subsets: readonly Subset[];
  readonly outcomes: readonly Outcome[];
}

export const outcomeFiles = {
  description: 'queries.json',
  subsets: 'subsets.jsonl',
  outcomes: 'outcomes.jsonl',
  masks: 'masks.npy',
  values: 'outcomes.npy',
} as const;

/** Reads a folder of outcomes, from JSON lines or from NumPy's arrays. */
export async function readOutcomeFolder(folder: string, files: Files): Promise<OutcomeFolder> {
  const at = (name: keyof typeof outcomeFiles) => files.join(folder, outcomeFiles[name]);
  const there = (name: keyof typeof outcomeFiles) => files.exists(at(name));
  const subsets = (await there('subsets'))
    ? await readLines(at('subsets'), subsetSchema, files)
    : await readMasks(at('masks'), files);
  const outcomes = (await there('outcomes'))
    ? await readOutcomes(at('outcomes'), files)
    : await readValues(at('values'), files);
  const [first] = outcomes;
  if (!first) {
    throw new WhenceError('empty-data', 'The folder has no outcomes yet.', {
      file: folder,
      mend: 'Make them with `whence retrain`.',
    });
  }
  const description = (await there('description'))
    ? parsed(await textOf(at('description'), files), descriptionSchema, at('description'))
    : { split: 'test', queries: range(0, first.values.length), larger: 'better' as const };
  for (const { subset, repeat, values } of outcomes) {
    const message =
      subset >= subsets.length
        ? `An outcome is of subset ${subset}, but there are ${subsets.length}, from 0.`
        : `Subset ${subset}, repeat ${repeat}, has ${values.length} values for ${description.queries.length} queries.`;
    if (subset >= subsets.length || values.length !== description.queries.length) {
      throw new WhenceError('shape-mismatch', message, { file: folder, mend: 'See docs/evaluate.md for the format.' });
    }
  }
  return { description, subsets, outcomes };
}

/**
 * The outcomes as numbers, larger where a query does better; subsets without any are left out.
 * @param examples of the training data
 */
export function outcomesOf({ description, subsets, outcomes }: OutcomeFolder, examples: number): Outcomes {
  const trained = [...new Set(outcomes.map(({ subset }) => subset))].sort((a, b) => a - b);
  const places = new Map(trained.map((subset, place) => [subset, place]));
  const repeats = outcomes.reduce((most, { repeat }) => Math.max(most, repeat + 1), 0);
  const queries = description.queries.length;
  const masks = new Uint8Array(trained.length * examples);
  trained.forEach((subset, place) => {
    masks.set(maskOf(subsets[subset]!, examples), place * examples);
  });
  const values = new Float64Array(trained.length * repeats * queries).fill(Number.NaN);
  const sign = description.larger === 'better' ? 1 : -1;
  for (const { subset, repeat, values: own } of outcomes) {
    own.forEach((value, q) => {
      values[(places.get(subset)! * repeats + repeat) * queries + q] = sign * value;
    });
  }
  return { subsets: trained.length, repeats, queries, examples, masks, values };
}

/** [examples]: 1 where the retraining saw the example. */
export function maskOf(subset: Subset, examples: number): Uint8Array {
  const [listed, value] = 'train' in subset ? [subset.train, 1] : [subset.without, 0];
  const outside = listed.find((one) => one >= examples);
  if (outside !== undefined) {
    throw new WhenceError('bad-argument', `A subset names example ${outside}; the run has ${examples}, from 0.`, {
      mend: "Use the outcomes of this run's own training data.",
    });
  }
  const mask = new Uint8Array(examples).fill(1 - value);
  for (const one of listed) mask[one] = value;
  return mask;
}

async function readLines<T>(path: string, schema: z.ZodMiniType<T>, files: Files): Promise<readonly T[]> {
  const lines = (await textOf(path, files)).split('\n');
  return lines.flatMap((line, at) => (line.trim() === '' ? [] : [parsed(line, schema, path, `line ${at + 1}`)]));
}

/** Without a last line that was never finished, because the program that appended it was ended. */
export function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

async function readOutcomes(path: string, files: Files): Promise<readonly Outcome[]> {
  const lines = wholeLines(await textOf(path, files)).split('\n');
  return lines.flatMap((line, at) => (line === '' ? [] : [parsed(line, outcomeSchema, path, `line ${at + 1}`)]));
}

async function readMasks(path: string, files: Files): Promise<readonly Subset[]> {
  const { dims, data } = await readNpy(await files.open(path));
  const [subsets, examples] = dims;
  if (subsets === undefined || examples === undefined || dims.length !== 2)
    throw misshapen(path, dims, '[subsets, examples]');
  return range(0, subsets).map((s) => ({
    train: range(0, examples).filter((i) => Number(data[s * examples + i]) !== 0),
  }));
}

async function readValues(path: string, files: Files): Promise<readonly Outcome[]> {
  const { dims, data } = await readNpy(await files.open(path));
  const [subsets, repeats, queries] = dims.length === 2 ? [dims[0], 1, dims[1]] : dims;
  if (subsets === undefined || repeats === undefined || queries === undefined || dims.length > 3) {
    throw misshapen(path, dims, '[subsets, repeats, queries]');
  }
  return range(0, subsets * repeats).map((at) => ({
    subset: Math.floor(at / repeats),
    repeat: at % repeats,
    values: Array.from(data.subarray(at * queries, (at + 1) * queries), Number),
  }));
}

function misshapen(file: string, dims: readonly number[], wanted: string): WhenceError {
  return new WhenceError('shape-mismatch', `The array has the shape [${dims.join(', ')}]; ${wanted} is wanted.`, {
    file,
  });
}

async function textOf(path: string, files: Files): Promise<string> {
  const source = await files.open(path);
  return new TextDecoder().decode(await source.read(0, source.size));
}

function parsed<T>(text: string, schema: z.ZodMiniType<T>, file: string, place?: string): T {
  const details = { file, ...(place ? { place } : {}), mend: 'See docs/evaluate.md for the format.' };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new WhenceError('malformed-file', 'This is not valid JSON.', details, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  const where = issue?.path.join('.');
  throw new WhenceError('malformed-file', `${where ? `"${where}"` : 'This'} is not as it should be.`, details, {
    cause: result.error,
  });
}
