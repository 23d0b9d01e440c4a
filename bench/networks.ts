import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LineProcess, lineProcess, output } from './children';
import type { Stage } from './networkGraphs';
import { findPython } from './python';

/** Networks of bench/reference/networks.py, and how many of each one's examples make a batch. */
export const networks = {
  cnn: { title: 'CNN with BatchNorm, 3 x 32 x 32', batch: 64 },
  vit: { title: 'ViT, 17 patches of width 64', batch: 64 },
  gpt2: { title: 'GPT-2, 64 words of width 128', batch: 16 },
} as const;

export type NetworkName = keyof typeof networks;

const queries = 100;
const rounds = 5;

const stages: readonly (readonly [Stage, string])[] = [
  ['taps', 'forward and backward with taps'],
  ['covariances', 'covariances'],
  ['eigenvalues', 'eigenvalues'],
  ['scores', `scores, ${queries} queries`],
  ['products', 'scores from the taps on'],
];

interface Ready {
  readonly sites: readonly string[];
  readonly flops: Readonly<Record<Stage, number>>;
}
interface Timed {
  readonly wall_s: number;
  readonly peak_rss_mb: number;
}
/** Seconds at best, and GFLOP/s at best. */
interface Result {
  readonly name: string;
  readonly stage: Stage;
  readonly ours: number;
  readonly theirs: number;
  readonly speed: number;
  readonly ofPeak: number;
}

/** EK-FAC's passes over one batch of each network: ours and PyTorch's by turns, so that both meet the same machine. */
export async function benchNetworks(names: readonly NetworkName[], threads: number): Promise<void> {
  if (names.length === 0) return;
  const python = findPython(['torch', 'transformers', 'onnxscript', 'safetensors']);
  if (!python) {
    console.log(
      '\nNo Python with torch, transformers, onnxscript and safetensors was found (set PYTHON): no networks.',
    );
    return;
  }
  const folder = await mkdtemp(join(tmpdir(), 'whence-bench-'));
  const slow: string[] = [];
  try {
    for (const name of names) slow.push(...(await benchNetwork(name, folder, python, threads)));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  console.log(
    slow.length === 0 ? '\nNo slow stages.' : `\nSlow stages:\n${slow.map((line) => `  ${line}\n`).join('')}`,
  );
}

async function benchNetwork(
  name: NetworkName,
  folder: string,
  python: string,
  threads: number,
): Promise<readonly string[]> {
  const { title, batch } = networks[name];
  await output(python, ['bench/reference/networks.py', folder, name, '--batch', `${batch}`]);
  const program = ['tools/run.mjs', 'bench/networkRun.ts', folder, name, `${threads}`, `${queries}`];
  const ours = lineProcess(process.execPath, program);
  const { sites, flops } = JSON.parse(await ours.next()) as Ready;
  const options = { sites: sites.join(), batch, threads, queries };
  const theirs = lineProcess(python, [
    'bench/reference/network_reference.py',
    name,
    ...Object.entries(options).flatMap(([key, value]) => [`--${key}`, `${value}`]),
  ]);
  try {
    const { results, memory, peak } = await race(name, flops, ours, theirs);
    console.log(`\n${title}: batches of ${batch}, ${threads} threads; one large product: ${peak.toFixed(0)} GFLOP/s\n`);
    print(results);
    console.log(`${'peak memory, MB'.padEnd(34)}${memory.map((size) => size.toFixed(0).padStart(10)).join('')}`);
    return results.flatMap(judged);
  } finally {
    ours.end();
    theirs.end();
  }
}

async function race(name: string, flops: Ready['flops'], ours: LineProcess, theirs: LineProcess) {
  const memory = [0, 0];
  const ask = async (index: 0 | 1, stage: Stage) => {
    const { wall_s, peak_rss_mb } = JSON.parse(await [ours, theirs][index]!.ask(stage)) as Timed;
    memory[index] = peak_rss_mb;
    return wall_s;
  };
  let peak = 0;
  const times = new Map(stages.map(([stage]) => [stage, [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY]]));
  // The first round warms up: sessions are opened, allocators grow.
  for (let round = 0; round <= rounds; round++) {
    const { gflops } = JSON.parse(await ours.ask('peak')) as { readonly gflops: number };
    peak = Math.max(peak, gflops);
    for (const [stage] of stages) {
      const pair = [await ask(0, stage), await ask(1, stage)];
      const best = times.get(stage)!;
      if (round > 0) times.set(stage, [Math.min(best[0]!, pair[0]!), Math.min(best[1]!, pair[1]!)]);
    }
  }
  const results = stages.map(([stage]): Result => {
    const [mine, other] = times.get(stage) as [number, number];
    const speed = flops[stage] / mine / 1e9;
    return { name, stage, ours: mine, theirs: other, speed, ofPeak: speed / peak };
  });
  return { results, memory, peak };
}

function print(results: readonly Result[]): void {
  const head = ['Whence ms', 'PyTorch ms', 'ratio', 'GFLOP/s', 'of peak'];
  console.log(`${'stage'.padEnd(34)}${head.map((text) => text.padStart(11)).join('')}`);
  for (const { stage, ours, theirs, speed, ofPeak } of results) {
    const title = stages.find(([known]) => known === stage)![1];
    const cells = [1000 * ours, 1000 * theirs].map((ms) => ms.toFixed(1));
    const more = [(ours / theirs).toFixed(2), speed.toFixed(0), `${(100 * ofPeak).toFixed(0)} %`];
    console.log(`${title.padEnd(34)}${[...cells, ...more].map((text) => text.padStart(11)).join('')}`);
  }
}

/** What is slower than PyTorch, and scoring that leaves more than a fifth of the processor's speed unused. */
function judged({ name, stage, ours, theirs, ofPeak }: Result): string[] {
  const title = `${name}, ${stages.find(([known]) => known === stage)![1]}`;
  const lines: string[] = [];
  if (ours > theirs) lines.push(`${title}: ${(ours / theirs).toFixed(2)} x PyTorch's time`);
  if (stage === 'products' && ofPeak < 0.8) lines.push(`${title}: ${(100 * ofPeak).toFixed(0)} % of a product's speed`);
  return lines;
}
