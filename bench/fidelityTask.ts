import { join } from 'node:path';
import { outcomesOf, readOutcomeFolder } from '../src/engine/retraining/outcomeFolder';
import { nodeFiles } from '../src/worker/nodeFiles';
import { withCopy } from './fidelityAgreement';
import { printFidelity } from './fidelityTable';
import { readArray } from './oracleRun';

/**
 * `npm run fidelity:task -- FOLDER [MODEL...]`: the same for a folder that bench/fidelity/run.py made: our scores beside those
 * of its loops over examples, and both against retrainings on random halves. Once for every export of the model: unless named,
 * as it is written and optimised.
 */
const [folder, ...named] = process.argv.slice(2);
if (!folder) throw new Error('usage: npm run fidelity:task -- FOLDER [MODEL...]');
const models = named.length > 0 ? named : ['model.onnx', 'model-optimized.onnx'];

const { dims } = await readArray(join(folder, 'masks.npy'));
const outcomes = outcomesOf(await readOutcomeFolder(folder, nodeFiles()), dims[1]!);
for (const model of models) {
  console.log(`\n${model}`);
  await withCopy(folder, model, (copy, config) =>
    printFidelity(
      {
        folder: copy,
        config,
        measurement: config.loss === 'next-token' || config.loss === 'squared-error' ? 'loss' : 'margin',
        reference: ({ file }) => join(folder, 'reference', `${file}.npy`),
      },
      outcomes,
    ),
  );
}
