import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { createEngine } from '../src/engine/engine';
import { range } from '../src/engine/network/examples';
import type { Measurement, MethodName } from '../src/protocol/model';
import { nodeHost } from '../src/worker/host';
import { pearson, relativeError } from '../test/support/statistics';
import { readArray } from './oracleRun';

/** Methods that another implementation has scored too, and the file of what it says. */
export const comparedRows = [
  { name: 'SOURCE, 3 segments', method: 'source', segments: 3, file: 'source_L3' },
  { name: 'SOURCE, 1 segment', method: 'source', segments: 1, file: 'source_L1' },
  { name: 'influence functions', method: 'influence-functions', segments: 3, file: 'influence' },
  { name: 'TracIn', method: 'tracin', segments: 3, file: 'tracin' },
  { name: 'gradient dot product', method: 'gradient-dot', segments: 3, file: 'gradient_dot' },
] as const satisfies readonly { name: string; method: MethodName; segments: number; file: string }[];

export type ComparedRow = (typeof comparedRows)[number];

/** A run to be scored, and what its scores are compared with. */
export interface ComparedRun {
  readonly folder: string;
  /** Its `whence.json`, without the number of segments. */
  readonly config: object;
  readonly measurement: Measurement['kind'];
  readonly queries: number;
  /** The `.npy` with another implementation's scores. */
  readonly reference: (row: ComparedRow) => string;
}

/** How our scores agree with another implementation's. */
export interface Agreement {
  /** Of any query. */
  readonly leastCorrelation: number;
  /** The largest difference over the largest score. */
  readonly largestError: number;
}

export async function compare(
  run: ComparedRun,
  row: ComparedRow,
): Promise<Agreement & { readonly ours: Float64Array; readonly theirs: Float64Array }> {
  const ours = await scoresOf(run, row);
  const { dims, values: theirs } = await readArray(run.reference(row));
  const [queries, examples] = dims as [number, number];
  const own = (all: Float64Array, q: number) => all.subarray(q * examples, (q + 1) * examples);
  const correlations = range(0, queries).map((q) => pearson(own(ours, q), own(theirs, q)));
  return { ours, theirs, leastCorrelation: Math.min(...correlations), largestError: relativeError(ours, theirs) };
}

/** Of the first test examples, by an engine of its own. */
async function scoresOf(run: ComparedRun, { method, segments }: ComparedRow): Promise<Float64Array> {
  const engine = createEngine(nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu'));
  const config = join(run.folder, 'whence.json');
  await writeFile(config, JSON.stringify({ ...run.config, segments }));
  const scratch = await mkdtemp(join(tmpdir(), 'whence-scores-'));
  try {
    const out = join(scratch, 'scores.npy');
    const queries = range(0, run.queries).map((index) => ({ split: 'test', index }));
    const context = { signal: new AbortController().signal, progress: () => undefined };
    await engine.scores({ config, queries, method, measurement: { kind: run.measurement }, out }, context);
    return (await readArray(out)).values;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What training leaves; the references, the retrainings and the stages of an earlier run stay where they are. */
const partsOfRun = /^(checkpoints|states|model.*\.onnx|training-log\.csv|(train|test|upright|lying)[-.].*)$/;

/** Works on a copy, for one of its models, of a run that bench/fidelity/run.py made. */
export async function withCopy<R>(
  folder: string,
  model: string,
  work: (copy: string, config: { readonly loss?: string }) => Promise<R>,
): Promise<R> {
  const copy = await mkdtemp(join(tmpdir(), 'whence-fidelity-'));
  try {
    for (const part of (await readdir(folder)).filter((name) => partsOfRun.test(name))) {
      await cp(join(folder, part), join(copy, part), { recursive: true });
    }
    const config = JSON.parse(await readFile(join(folder, 'whence.json'), 'utf8')) as { loss?: string };
    return await work(copy, { ...config, ...{ model } });
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
