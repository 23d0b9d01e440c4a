import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Interval } from '../src/attribution/evaluate/bootstrap';
import {
  type DatamodelingScore,
  datamodelingScore,
  difference,
  type Outcomes,
  summarize,
} from '../src/attribution/evaluate/datamodeling';
import { createEngine } from '../src/engine/engine';
import { range } from '../src/engine/network/examples';
import type { Measurement, MethodName } from '../src/protocol/model';
import { nodeHost } from '../src/worker/host';
import { pearson, relativeError } from '../test/support/statistics';
import { readArray } from './oracleRun';

/** A run to be scored, and what its scores are compared with. */
export interface FidelityRun {
  readonly folder: string;
  /** Its `whence.json`, without the number of segments. */
  readonly config: object;
  readonly measurement: Measurement['kind'];
  readonly outcomes: Outcomes;
  /** The `.npy` with another implementation's scores. */
  readonly reference: (row: FidelityRow['name']) => string;
}

const rows = [
  { name: 'SOURCE, 3 segments', method: 'source', segments: 3 },
  { name: 'SOURCE, 1 segment', method: 'source', segments: 1 },
  { name: 'influence functions', method: 'influence-functions', segments: 3 },
  { name: 'TracIn', method: 'tracin', segments: 3 },
  { name: 'gradient dot product', method: 'gradient-dot', segments: 3 },
] as const satisfies readonly { name: string; method: MethodName; segments: number }[];

type FidelityRow = (typeof rows)[number];

/**
 * Prints, for every method: how our scores agree with the reference's (least correlation over queries; largest difference
 * over the largest score), the linear datamodeling score of both, and by how much each SOURCE is above the others.
 */
export async function printFidelity(run: FidelityRun): Promise<void> {
  const columns = [
    'scores'.padEnd(24),
    'least r'.padStart(12),
    'largest error'.padStart(15),
    'LDS'.padStart(25),
    'PyTorch'.padStart(9),
  ];
  console.log(columns.join(''));
  const byRow = new Map<string, DatamodelingScore>();
  for (const row of rows) {
    const ours = await scoresOf(run, row);
    const { dims, values: theirs } = await readArray(run.reference(row.name));
    const [queries, examples] = dims as [number, number];
    const own = (all: Float64Array, q: number) => all.subarray(q * examples, (q + 1) * examples);
    const least = Math.min(...range(0, queries).map((q) => pearson(own(ours, q), own(theirs, q))));
    const score = datamodelingScore(run.outcomes, ours);
    byRow.set(row.name, score);
    const cells = [
      row.name.padEnd(24),
      least.toFixed(8).padStart(12),
      relativeError(ours, theirs).toExponential(1).padStart(15),
      intervalText(summarize(score).overQueries).padStart(25),
      summarize(datamodelingScore(run.outcomes, theirs, 1))
        .overQueries.mean.toFixed(4)
        .padStart(9),
    ];
    console.log(cells.join(''));
  }
  for (const { name } of rows.filter(({ method }) => method === 'source')) {
    for (const other of rows.filter(({ method }) => method !== 'source')) {
      const ahead = summarize(difference(byRow.get(name)!, byRow.get(other.name)!)).overQueries;
      console.log(`${name} less ${other.name}: ${intervalText(ahead)}`);
    }
  }
}

/** Of the first test examples, as many as the outcomes have queries, by an engine of its own. */
async function scoresOf(run: FidelityRun, { method, segments }: FidelityRow): Promise<Float64Array> {
  const engine = createEngine(nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu'));
  const config = join(run.folder, 'whence.json');
  await writeFile(config, JSON.stringify({ ...run.config, segments }));
  const scratch = await mkdtemp(join(tmpdir(), 'whence-scores-'));
  try {
    const out = join(scratch, 'scores.npy');
    const queries = range(0, run.outcomes.queries).map((index) => ({ split: 'test', index }));
    const context = { signal: new AbortController().signal, progress: () => undefined };
    await engine.scores({ config, queries, method, measurement: { kind: run.measurement }, out }, context);
    return (await readArray(out)).values;
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

function intervalText({ mean, low, high }: Interval): string {
  return `${mean.toFixed(4)} [${low.toFixed(3)}, ${high.toFixed(3)}]`;
}
