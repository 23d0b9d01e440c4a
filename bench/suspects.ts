import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { rankSuspects, type SuspectSignals } from '../src/engine/review/suspects';
import { LoadedRuns } from '../src/engine/run/loadedRun';
import { Task } from '../src/engine/task';
import { nodeHost } from '../src/worker/host';
import { copySample } from './sampleRun';

/**
 * `npm run suspects`: how many of the sample's flipped labels the suspect list finds at a budget equal to their number,
 * beside each of its two signals alone. Only this program reads which labels were flipped.
 */
const folder = await copySample();
try {
  const host = nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu');
  const loaded = await new LoadedRuns(host).get(join(folder, 'whence.json'));
  const { run, network, store, attribution } = loaded;
  const task = new Task({ signal: new AbortController().signal, progress: () => undefined });
  const ranked = await rankSuspects(run, network, loaded.examples('train'), attribution, store, task);
  const lines = (await readFile('sample/fashion-mnist/flipped-labels.csv', 'utf8')).trim().split('\n').slice(1);
  const flipped = new Set(lines.map((line) => Number(line.split(',')[0])));
  const found = (by: (signals: SuspectSignals) => number) =>
    [...ranked]
      .sort((a, b) => by(b) - by(a))
      .slice(0, flipped.size)
      .filter(({ index }) => flipped.has(index)).length;
  console.log(`flipped labels among the first ${flipped.size} of ${ranked.length}:`);
  console.log(`  mean loss over the checkpoints ${found(({ meanLoss }) => meanLoss)}`);
  console.log(`  SOURCE self-influence          ${found(({ selfInfluence }) => selfInfluence)}`);
  console.log(`  both, as in the suspect list   ${found(({ suspicion }) => suspicion)}`);
} finally {
  await rm(folder, { recursive: true, force: true });
}
