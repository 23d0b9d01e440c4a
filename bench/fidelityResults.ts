import { readFile, writeFile } from 'node:fs/promises';
import type { Interval } from '../src/attribution/evaluate/bootstrap';
import type { DatamodelingSummary } from '../src/attribution/evaluate/datamodeling';
import type { Agreement } from './fidelityAgreement';

/** What `whence evaluate --json` says of a task, as far as the tables show it. */
export interface TaskResult {
  readonly subsets: number;
  readonly repeats: number;
  readonly queries: readonly number[];
  readonly best?: Interval;
  readonly methods: readonly (DatamodelingSummary & { readonly name: string; readonly method: string })[];
  readonly differences: readonly (DatamodelingSummary & { readonly name: string })[];
  /** The last checkpoint's mean loss by split. */
  readonly losses?: Readonly<Record<string, number>>;
  /** By the model's export and the method. */
  readonly agreement?: Readonly<Record<string, Readonly<Record<string, Agreement>>>>;
}

/** By the task's name. */
export type FidelityResults = Readonly<Record<string, TaskResult>>;

/** Kept in the repository, so that the tables can be written without training anything again. */
const path = 'bench/fidelity/results.json';

export async function readResults(): Promise<FidelityResults> {
  const text = await readFile(path, 'utf8').catch(() => '{}');
  return JSON.parse(text) as FidelityResults;
}

export async function keepResult(name: string, result: TaskResult): Promise<void> {
  const all = { ...(await readResults()), [name]: result };
  const rounded = (_: string, value: unknown) => (typeof value === 'number' ? Number(value.toPrecision(9)) : value);
  await writeFile(path, `${JSON.stringify(all, rounded, 1)}\n`);
}
