import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { factorGraph } from '../src/curvature/instrument';
import { range } from '../src/engine/network/examples';
import { runWith } from '../src/engine/network/feeds';
import { predict } from '../src/engine/network/predictions';
import { LoadedRuns } from '../src/engine/run/loadedRun';
import { Task } from '../src/engine/task';
import { encodeModel } from '../src/onnx/encode';
import { nodeHost } from '../src/worker/host';

/**
 * Opens a run and runs its model, and prints times and the memory that each stage reached as one JSON object: `node
 * tools/run.mjs bench/bigModelRun.ts FOLDER`. A process of its own, so that its peak memory is the engine's alone.
 */
const folder = process.argv[2]!;
const stages: { readonly name: string; readonly seconds: number; readonly cpu: number; readonly peakMb: number }[] = [];

async function stage<R>(name: string, work: () => Promise<R>): Promise<R> {
  const started = performance.now();
  const cpu = process.cpuUsage();
  const result = await work();
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  stages.push({ name, seconds, cpu: (user + system) / 1e6, peakMb: process.resourceUsage().maxRSS / 1024 });
  return result;
}

const host = nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu');
const runs = new LoadedRuns(host);
const config = join(folder, 'whence.json');
const { run, network, examples } = await stage('open, bind, confirm', () => runs.get(config));
await stage('open again', () => runs.get(config));
const train = examples('train');
const task = new Task({ signal: new AbortController().signal, progress: () => undefined });
for (const [checkpoint, { step }] of run.checkpoints.entries()) {
  await stage(`predict ${train.length} examples at step ${step}`, () =>
    predict(network, train, range(0, train.length), checkpoint, task),
  );
}
const subject = network.training;
const sites = new Set(subject.sites.keys());
await stage(`gradients of ${sites.size} layers, ${subject.batch} examples`, async () => {
  const session = await network.session('factors', subject, (own) => factorGraph(own, sites, false));
  const batch = await train.batch(range(0, Math.min(subject.batch, train.length)), subject.batch);
  await runWith(session, { ...(await network.weights(0)), ...network.batchFeeds(subject, batch) });
});
await network.release();
// Weights are fed, so that no graph holds them.
const graphBytes = encodeModel(factorGraph(subject, sites, false)).length;
console.log(JSON.stringify({ stages, graphBytes }));
