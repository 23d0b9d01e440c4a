import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { range } from '../src/engine/examples';
import { LoadedRuns } from '../src/engine/loadedRun';
import { Task } from '../src/engine/task';
import type { MethodName } from '../src/protocol/model';
import { nodeHost } from '../src/worker/host';
import { pearson, relativeError } from '../test/support/statistics';
import { linearDatamodelingScore, type Outcomes } from './lds';
import { layOutOracle, readArray } from './oracleRun';

/**
 * `npm run fidelity -- ORACLE FASHION_MNIST`: our scores on the oracle's checkpoints beside PyTorch's, query by query, and
 * both against the oracle's retrainings. ORACLE holds base/, scores/ and lds_truth/; FASHION_MNIST the full set's IDX files.
 */
const [oracle, fullSet] = process.argv.slice(2).map((path) => resolve(path));
if (!oracle || !fullSet) throw new Error('usage: npm run fidelity -- ORACLE FASHION_MNIST');
const queries = 100;

const rows: readonly { method: MethodName; segments: number; name: string; file: string }[] = [
  { method: 'source', segments: 3, name: 'SOURCE, 3 segments', file: 'source_L3_margin_exact' },
  { method: 'source', segments: 1, name: 'SOURCE, 1 segment', file: 'source_L1_margin_exact' },
  {
    method: 'influence-functions',
    segments: 3,
    name: 'influence functions',
    file: 'if_ekfac_margin_dampheuristic_exact',
  },
  { method: 'tracin', segments: 3, name: 'TracIn', file: 'tracin_margin' },
];

const outcomes = await readOutcomes();
const host = nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu');
console.log(
  `${'scores, margin'.padEnd(24)}${'least r'.padStart(12)}${'largest error'.padStart(15)}${'LDS'.padStart(8)}${'PyTorch'.padStart(9)}`,
);
for (const { method, segments, name, file } of rows) {
  const folder = await layOutOracle(oracle, fullSet, segments);
  try {
    const loaded = await new LoadedRuns(host).get(join(folder, 'whence.json'));
    const test = loaded.examples('test');
    const labels = Array.from(test.dataset.labels.subarray(0, queries));
    const task = new Task({ signal: new AbortController().signal, progress: () => undefined });
    const { bySegment, examples } = await loaded.attribution.score(
      test,
      range(0, queries),
      labels,
      method,
      'margin',
      task,
    );
    const ours = new Float64Array(queries * examples);
    for (const part of bySegment) for (let i = 0; i < ours.length; i++) ours[i] = ours[i]! + part[i]!;
    const { values: theirs } = await readArray(join(oracle, 'scores', `${file}.npy`));
    const own = (all: Float64Array, q: number) => all.subarray(q * examples, (q + 1) * examples);
    const least = Math.min(...range(0, queries).map((q) => pearson(own(ours, q), own(theirs, q))));
    const cells = [
      least.toFixed(8).padStart(12),
      relativeError(ours, theirs).toExponential(1).padStart(15),
      linearDatamodelingScore(outcomes, ours).toFixed(4).padStart(8),
      linearDatamodelingScore(outcomes, theirs).toFixed(4).padStart(9),
    ];
    console.log(name.padEnd(24) + cells.join(''));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readOutcomes(): Promise<Outcomes> {
  const truth = join(oracle!, 'lds_truth');
  const masks = await readArray(join(truth, 'subset_masks.npy'));
  const [subsets, examples] = masks.dims as [number, number];
  const measured = new Float64Array(subsets * queries);
  let retrainings = 0;
  for (const name of ['eval_margin', 'extra_margin']) {
    const { dims, values } = await readArray(join(truth, `${name}.npy`));
    const [, each, evaluated] = dims as [number, number, number];
    retrainings += each;
    for (let s = 0; s < subsets; s++) {
      for (let r = 0; r < each; r++) {
        for (let q = 0; q < queries; q++) {
          const at = s * queries + q;
          measured[at] = measured[at]! + values[(s * each + r) * evaluated + q]!;
        }
      }
    }
  }
  return { subsets, examples, queries, masks: masks.values, measured: measured.map((sum) => sum / retrainings) };
}
