import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { range } from '../src/engine/network/examples';
import { type LoadedRun, LoadedRuns } from '../src/engine/run/loadedRun';
import { Task } from '../src/engine/task';
import { nodeHost } from '../src/worker/host';
import { matmulPeak } from './peak';

/**
 * Times this engine on a run, stage by stage, and prints one JSON object: `node tools/run.mjs bench/engineRun.ts FOLDER
 * QUERIES`. A process of its own, so that its peak memory is the engine's alone.
 */
const [folder, queryCount] = [process.argv[2]!, Number(process.argv[3])];
const stages: Record<string, { wall_s: number; cpu_s: number; gflop: number }> = {};

async function stage<R>(name: string, work: () => Promise<R>, gflop: (result: R) => number = () => 0): Promise<R> {
  const [wall, cpu] = [performance.now(), process.cpuUsage()];
  const result = await work();
  const used = process.cpuUsage(cpu);
  stages[name] = {
    wall_s: (performance.now() - wall) / 1000,
    cpu_s: (used.user + used.system) / 1e6,
    gflop: gflop(result) / 1e9,
  };
  return result;
}

/** Times the phases of one call apart, by when each is first reported. */
function phased(): { task: Task; end: (flops: Readonly<Record<string, number>>) => void } {
  let current: { phase: string; wall: number; cpu: NodeJS.CpuUsage } | undefined;
  const close = (flops: Readonly<Record<string, number>>) => {
    if (!current) return;
    const used = process.cpuUsage(current.cpu);
    const before = stages[current.phase] ?? { wall_s: 0, cpu_s: 0, gflop: 0 };
    stages[current.phase] = {
      wall_s: before.wall_s + (performance.now() - current.wall) / 1000,
      cpu_s: before.cpu_s + (used.user + used.system) / 1e6,
      gflop: (flops[current.phase] ?? 0) / 1e9,
    };
  };
  let flopsByPhase: Readonly<Record<string, number>> = {};
  const task = new Task({
    signal: new AbortController().signal,
    progress({ phase }) {
      if (phase === current?.phase) return;
      close(flopsByPhase);
      current = { phase, wall: performance.now(), cpu: process.cpuUsage() };
    },
  });
  return {
    task,
    end(flops) {
      flopsByPhase = flops;
      close(flops);
      for (const [phase, value] of Object.entries(flops)) if (stages[phase]) stages[phase].gflop = value / 1e9;
    },
  };
}

const host = nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu');
const measurePeak = await matmulPeak(host.cpu);
let peak = 0;
for (let i = 0; i < 4; i++) peak = Math.max(peak, (await measurePeak()).gflops);
const loaded = await stage('reading', () => new LoadedRuns(host).get(join(folder, 'whence.json')));
const flops = countFlops(loaded, queryCount);

const fit = phased();
await loaded.attribution.segments('source', fit.task);
fit.end({ curvature: flops.covariances, eigenvectors: flops.eigenvectors, eigenvalues: flops.eigenvalues });

const test = loaded.examples('test');
const score = (indices: readonly number[], task: Task) =>
  loaded.attribution.score(
    test,
    indices,
    indices.map((i) => test.dataset.labels[i]!),
    'source',
    'margin',
    task,
  );
const quiet = () => new Task({ signal: new AbortController().signal, progress: () => undefined });
await stage(
  'first query, training gradients',
  () => score([0], quiet()),
  () => flops.gradients + flops.scores / queryCount,
);
await stage(
  `scores, ${queryCount} queries`,
  () => score(range(0, queryCount), quiet()),
  () => flops.scores,
);
await stage(
  'one query',
  () => score([1], quiet()),
  () => flops.scores / queryCount,
);

console.log(JSON.stringify({ stages, peak_gflops: peak, peak_rss_mb: process.resourceUsage().maxRSS / 1024 }));

/** Multiply-adds that the stages need, twice: products only, as they are really run. */
function countFlops({ network, run, examples }: LoadedRun, queries: number) {
  const { sites } = network;
  const visits = examples('train').length * run.checkpoints.length;
  const classes = run.classes.length || 10;
  const sum = (of: (site: (typeof sites)[number], index: number) => number) =>
    sites.reduce((total, site, index) => total + of(site, index), 0);
  const forward = sum(({ inputs, outputs }) => 2 * inputs * outputs);
  const backward = sum(({ inputs, outputs }, index) => (index === 0 ? 0 : 2 * inputs * outputs));
  const draws = forward + classes * backward;
  const first = sites[0]!;
  const perSegment = examples('train').length * run.segments.length;
  return {
    covariances: visits * (draws + sum(({ inputs, outputs }) => 2 * inputs ** 2 + 2 * classes * outputs ** 2)),
    eigenvectors: sum(({ inputs, outputs }) => 9 * (inputs ** 3 + outputs ** 3)) * run.segments.length,
    eigenvalues:
      visits *
      (draws + sum(({ inputs, outputs }) => 2 * inputs ** 2 + 2 * classes * outputs ** 2 + 2 * inputs * outputs)),
    gradients: visits * (forward + backward + sum(({ inputs, outputs }) => 2 * inputs ** 2 + 2 * outputs ** 2)),
    // The first layer's inputs are the same at every checkpoint, so that its gradients are averaged before the product.
    scores:
      queries * (perSegment * 2 * first.inputs * first.outputs + visits * (forward - 2 * first.inputs * first.outputs)),
  };
}
