import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LineProcess, lineProcess, output } from './children';
import type { Stage } from './networkGraphs';
import type { Speed } from './peak';
import { findPython } from './python';

/** Networks of bench/reference/networks.py, and how many of each one's examples make a batch. */
export const networks = {
  cnn: { title: 'CNN with BatchNorm, 3 x 32 x 32', batch: 64 },
  vit: { title: 'ViT, 17 patches of width 64', batch: 64 },
  gpt2: { title: 'GPT-2, 64 words of width 128', batch: 32 },
} as const;

export type NetworkName = keyof typeof networks;

const queries = 32;
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
  readonly cpu_s: number;
  readonly peak_rss_mb: number;
}
/** At best: seconds, Whence's processor seconds as a share of PyTorch's (what else the machine does matters less), GFLOP/s. */
interface Result {
  readonly name: string;
  readonly stage: Stage;
  readonly ours: number;
  readonly theirs: number;
  readonly cpuRatio: number;
  readonly speed: number;
  readonly ofPeak: number;
  /** The same by processor seconds. */
  readonly busyOfPeak: number;
}

interface Best {
  wall: number;
  cpu: number;
}
const unmeasured = Number.POSITIVE_INFINITY;

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
    console.log(
      `\n${title}: batches of ${batch}, ${threads} threads; one large product: ${peak.gflops.toFixed(0)} GFLOP/s\n`,
    );
    print(results);
    console.log(`${'peak memory, MB'.padEnd(34)}${memory.map((size) => size.toFixed(0).padStart(12)).join('')}`);
    return results.flatMap(judged);
  } finally {
    ours.end();
    theirs.end();
  }
}

async function race(name: string, flops: Ready['flops'], ours: LineProcess, theirs: LineProcess) {
  const memory = [0, 0];
  const sides = [ours, theirs] as const;
  const best = new Map(
    stages.map(([stage]) => [stage, sides.map((): Best => ({ wall: unmeasured, cpu: unmeasured }))]),
  );
  let peak: Speed = { gflops: 0, busy: 0 };
  // The first round warms up: sessions are opened, allocators grow.
  for (let round = 0; round <= rounds; round++) {
    const { gflops, busy } = JSON.parse(await ours.ask('peak')) as Speed;
    peak = { gflops: Math.max(peak.gflops, gflops), busy: Math.max(peak.busy, busy) };
    for (const [stage] of stages) {
      for (const [index, side] of sides.entries()) {
        const { wall_s, cpu_s, peak_rss_mb } = JSON.parse(await side.ask(stage)) as Timed;
        memory[index] = peak_rss_mb;
        const own = best.get(stage)![index]!;
        if (round === 0) continue;
        own.wall = Math.min(own.wall, wall_s);
        own.cpu = Math.min(own.cpu, cpu_s);
      }
    }
  }
  const results = stages.map(([stage]): Result => {
    const [mine, other] = best.get(stage)! as [Best, Best];
    const speed = flops[stage] / mine.wall / 1e9;
    const cpuRatio = mine.cpu / other.cpu;
    const busyOfPeak = flops[stage] / mine.cpu / 1e9 / peak.busy;
    const ofPeak = speed / peak.gflops;
    return { name, stage, ours: mine.wall, theirs: other.wall, cpuRatio, speed, ofPeak, busyOfPeak };
  });
  return { results, memory, peak };
}

function print(results: readonly Result[]): void {
  const head = ['Whence ms', 'PyTorch ms', 'ratio', 'CPU ratio', 'GFLOP/s', 'of peak', 'CPU of peak'];
  console.log(`${'stage'.padEnd(34)}${head.map((text) => text.padStart(12)).join('')}`);
  for (const { stage, ours, theirs, cpuRatio, speed, ofPeak, busyOfPeak } of results) {
    const title = stages.find(([known]) => known === stage)![1];
    const cells = [1000 * ours, 1000 * theirs].map((ms) => ms.toFixed(1));
    const more = [
      (ours / theirs).toFixed(2),
      cpuRatio.toFixed(2),
      speed.toFixed(0),
      ...[ofPeak, busyOfPeak].map(percent),
    ];
    console.log(`${title.padEnd(34)}${[...cells, ...more].map((text) => text.padStart(12)).join('')}`);
  }
}

/** What is slower than PyTorch, and scoring that leaves more than a fifth of the processor's speed unused. */
function judged({ name, stage, ours, theirs, cpuRatio, ofPeak, busyOfPeak }: Result): string[] {
  const title = `${name}, ${stages.find(([known]) => known === stage)![1]}`;
  const lines: string[] = [];
  if (ours > theirs)
    lines.push(`${title}: ${(ours / theirs).toFixed(2)} x PyTorch's time (processor time: ${cpuRatio.toFixed(2)} x)`);
  if (stage === 'products' && ofPeak < 0.8) {
    lines.push(`${title}: ${percent(ofPeak)} of a product's speed (by processor time: ${percent(busyOfPeak)})`);
  }
  return lines;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
