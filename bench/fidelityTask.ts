import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { outcomesOf, readOutcomeFolder } from '../src/engine/retraining/outcomeFolder';
import { nodeFiles } from '../src/worker/nodeFiles';
import { printFidelity } from './fidelityTable';
import { readArray } from './oracleRun';

/**
 * `npm run fidelity:task -- FOLDER [MODEL...]`: the same for a folder that bench/fidelity/run.py made, a CNN or a GPT: our
 * scores beside those of its loops over examples, and both against retrainings on random halves. Once for every export of
 * the model: unless named, as it is written and optimised.
 */
const [folder, ...named] = process.argv.slice(2);
if (!folder) throw new Error('usage: npm run fidelity:task -- FOLDER [MODEL...]');
const models = named.length > 0 ? named : ['model.onnx', 'model-optimized.onnx'];

const files = {
  'SOURCE, 3 segments': 'source_L3',
  'SOURCE, 1 segment': 'source_L1',
  'influence functions': 'influence',
  TracIn: 'tracin',
  'gradient dot product': 'gradient_dot',
} as const;

/** What training leaves; the references, the retrainings and the stages of an earlier run stay where they are. */
const partsOfRun = /^(checkpoints|model.*\.onnx|training-log\.csv|(train|test)[-.].*)$/;

const { dims } = await readArray(join(folder, 'masks.npy'));
const outcomes = outcomesOf(await readOutcomeFolder(folder, nodeFiles()), dims[1]!);
for (const model of models) {
  const copy = await mkdtemp(join(tmpdir(), 'whence-fidelity-'));
  try {
    for (const part of (await readdir(folder)).filter((name) => partsOfRun.test(name))) {
      await cp(join(folder, part), join(copy, part), { recursive: true });
    }
    const config = JSON.parse(await readFile(join(folder, 'whence.json'), 'utf8')) as { loss?: string };
    console.log(`\n${model}`);
    await printFidelity({
      folder: copy,
      config: { ...config, model },
      measurement: config.loss === 'next-token' ? 'loss' : 'margin',
      outcomes,
      reference: (name) => join(folder, 'reference', `${files[name]}.npy`),
    });
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}
