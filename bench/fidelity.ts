import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Outcomes } from '../src/attribution/evaluate/datamodeling';
import { range } from '../src/engine/network/examples';
import type { ComparedRow } from './fidelityAgreement';
import { printFidelity } from './fidelityTable';
import { layOutOracle, readArray } from './oracleRun';
import { fashionConfig } from './sampleRun';

/**
 * `npm run fidelity -- ORACLE FASHION_MNIST`: our scores on the oracle's checkpoints beside PyTorch's, query by query, and
 * both against the oracle's retrainings. ORACLE holds base/, scores/ and lds_truth/; FASHION_MNIST the full set's IDX files.
 */
const [oracle, fullSet] = process.argv.slice(2).map((path) => resolve(path));
if (!oracle || !fullSet) throw new Error('usage: npm run fidelity -- ORACLE FASHION_MNIST');
const queries = 100;

const files = {
  'SOURCE, 3 segments': 'source_L3_margin_exact',
  'SOURCE, 1 segment': 'source_L1_margin_exact',
  'influence functions': 'if_ekfac_margin_dampheuristic_exact',
  TracIn: 'tracin_margin',
  'gradient dot product': 'graddot_margin',
} as const;

const folder = await layOutOracle(oracle, fullSet);
try {
  const reference = ({ name }: ComparedRow) => join(oracle, 'scores', `${files[name]}.npy`);
  await printFidelity({ folder, config: fashionConfig, measurement: 'margin', reference }, await readOutcomes());
} finally {
  await rm(folder, { recursive: true, force: true });
}

async function readOutcomes(): Promise<Outcomes> {
  const truth = join(oracle!, 'lds_truth');
  const masks = await readArray(join(truth, 'subset_masks.npy'));
  const [subsets, examples] = masks.dims as [number, number];
  const parts = await Promise.all(['eval_margin', 'extra_margin'].map((name) => readArray(join(truth, `${name}.npy`))));
  const repeats = parts.reduce((sum, { dims }) => sum + dims[1]!, 0);
  const rows = range(0, subsets).flatMap((s) =>
    parts.flatMap(({ dims, values }) => {
      const [, each, evaluated] = dims as [number, number, number];
      return range(0, each)
        .map((r) => (s * each + r) * evaluated)
        .map((at) => values.subarray(at, at + queries));
    }),
  );
  const values = new Float64Array(rows.length * queries);
  rows.forEach((row, at) => {
    values.set(row, at * queries);
  });
  return { subsets, repeats, queries, examples, masks: masks.values, values };
}
