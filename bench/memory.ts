import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { range } from '../src/engine/network/examples';
import { LoadedRuns } from '../src/engine/run/loadedRun';
import { Task } from '../src/engine/task';
import { nodeHost } from '../src/worker/host';
import { node, type TinyModel } from '../test/support/tinyModel';
import { makeTinyRun, tinyQueries } from '../test/support/tinyRun';
import { output } from './children';

/**
 * Fits SOURCE and scores queries on two transformer-sized feed-forward blocks at several memory budgets, and prints the peak
 * memory of each engine's process (resident, with the threads of its eigensolver) beside what it was allowed; build first.
 * `node tools/run.mjs bench/memory.ts [--width 768] [MEGABYTES ...]`.
 */
const given = process.argv.slice(2);
const argumentOf = (name: string) => given[given.indexOf(name) + 1 || given.length];

if (given[0] === '--child') await measure(given[1]!, Number(given[2]));
else await compare();

async function compare(): Promise<void> {
  const width = Number(argumentOf('--width') ?? 768);
  const budgets = given.filter((_, i) => !given[i]!.startsWith('--') && given[i - 1] !== '--width').map(Number);
  console.log(`feed-forward blocks ${width} to ${4 * width} to ${width}, twice, 12 positions an example`);
  console.log(`${['allowed MB', 'peak MB', 'of it', 'parts', 'batch', 's'].map((name) => name.padStart(11)).join('')}`);
  for (const megabytes of budgets.length > 0 ? budgets : [1024, 2048]) {
    const { folder } = await makeTinyRun(feedForward(width), { segments: 1, fisher: 'sampled' });
    try {
      const text = await output(process.execPath, [
        'tools/run.mjs',
        'bench/memory.ts',
        '--child',
        folder,
        `${megabytes}`,
      ]);
      for (const [stage, { peak, parts, batch, seconds }] of Object.entries(JSON.parse(text) as Stages)) {
        const row = [
          `${megabytes}`,
          peak.toFixed(0),
          `${((100 * peak) / megabytes).toFixed(0)} %`,
          `${parts}`,
          `${batch}`,
        ];
        console.log(`${[...row, seconds.toFixed(1)].map((value) => value.padStart(11)).join('')}  ${stage}`);
      }
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

type Stages = Readonly<Record<string, { peak: number; parts: number; batch: number; seconds: number }>>;

async function measure(folder: string, megabytes: number): Promise<void> {
  const host = nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu', megabytes);
  const stages: Record<string, Stages[string]> = {};
  let phase = 'reading';
  const names = new Set<string>();
  let began = performance.now();
  // Of every phase the highest peak until it ended: later ones never show less.
  const close = (batch: number) => {
    const seconds = (performance.now() - began) / 1000 + (stages[phase]?.seconds ?? 0);
    stages[phase] = { peak: process.resourceUsage().maxRSS / 1024, parts: names.size, batch, seconds };
    began = performance.now();
  };
  const { network, attribution, examples } = await new LoadedRuns(host).get(`${folder}/whence.json`);
  const { batch } = network.training;
  const task = new Task({
    signal: new AbortController().signal,
    progress(progress) {
      if (progress.phase === phase) return;
      close(batch);
      phase = progress.phase;
    },
  });
  const open = network.session.bind(network);
  network.session = (...session) => {
    names.add(session[0]);
    return open(...session);
  };
  const test = examples('test');
  await attribution.score(test, range(0, tinyQueries), Array.from(test.dataset.labels), 'source', 'margin', task);
  close(batch);
  console.log(JSON.stringify(stages));
}

function feedForward(width: number): TinyModel {
  const wide = 4 * width;
  const weights: Record<string, readonly number[]> = { 'embed.weight': [32, width], 'embed.bias': [width] };
  const nodes = [node('MatMul', ['x', 'embed.weight'], 'embedded'), node('Add', ['embedded', 'embed.bias'], 'h0')];
  for (const block of [0, 1]) {
    weights[`${block}.up`] = [width, wide];
    weights[`${block}.down`] = [wide, width];
    nodes.push(
      node('MatMul', [`h${block}`, `${block}.up`], `up${block}`),
      node('Tanh', [`up${block}`], `active${block}`),
      node('MatMul', [`active${block}`, `${block}.down`], `down${block}`),
      node('Tanh', [`down${block}`], `h${block + 1}`),
    );
  }
  nodes.push(node('ReduceMean', ['h2'], 'pooled', { axes: [1], keepdims: 0 }));
  nodes.push(node('Gemm', ['pooled', 'fc.weight', 'fc.bias'], 'logits', { transB: 1 }));
  return {
    example: [12, 32],
    classes: 3,
    weights: { ...weights, 'fc.weight': [3, width], 'fc.bias': [3] },
    nodes,
  };
}
