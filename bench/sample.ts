import { rm } from 'node:fs/promises';
import { output } from './children';
import { findPython } from './python';
import { copySample } from './sampleRun';

const queries = 100;

interface Times {
  readonly wall_s: number;
  readonly cpu_s: number;
  readonly gflop?: number;
}
interface EngineTimes {
  readonly stages: Readonly<Record<string, Times>>;
  readonly peak_gflops: number;
  readonly peak_rss_mb: number;
}
type ReferenceTimes = Readonly<Record<string, Times>> & { readonly peak_rss_mb: number };

/**
 * The whole pipeline on the FashionMNIST sample (6 checkpoints, 3 segments, 5,000 examples, 234,752 weights) against the
 * same computation in PyTorch, one after the other.
 */
export async function benchSample(threads: number): Promise<void> {
  const folder = await copySample();
  try {
    const ours = JSON.parse(
      await output(process.execPath, ['tools/run.mjs', 'bench/engineRun.ts', folder, `${queries}`]),
    ) as EngineTimes;
    printOurs(ours);
    const python = findPython(['torch', 'numpy', 'safetensors']);
    if (python) {
      const script = 'bench/reference/source_reference.py';
      const theirs = JSON.parse(
        await output(python, [script, folder, '--threads', `${threads}`, '--queries', `${queries}`]),
      ) as ReferenceTimes;
      printComparison(ours, theirs);
    } else {
      console.log('\nNo Python with torch, numpy and safetensors was found (set PYTHON), so nothing is compared.');
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function printOurs({ stages, peak_gflops, peak_rss_mb }: EngineTimes): void {
  console.log(`Whence, ${queries} queries x 5,000 examples; one large product: ${peak_gflops.toFixed(0)} GFLOP/s\n`);
  console.log(
    `${'stage'.padEnd(34)}${'wall s'.padStart(8)}${'CPU s'.padStart(8)}${'GFLOP/s'.padStart(9)}${'of peak'.padStart(9)}`,
  );
  for (const [name, { wall_s, cpu_s, gflop = 0 }] of Object.entries(stages)) {
    const speed = gflop / wall_s;
    const rate =
      gflop > 0 ? `${speed.toFixed(0).padStart(9)}${`${((100 * speed) / peak_gflops).toFixed(0)} %`.padStart(9)}` : '';
    console.log(`${name.padEnd(34)}${wall_s.toFixed(3).padStart(8)}${cpu_s.toFixed(2).padStart(8)}${rate}`);
  }
  console.log(`${'total'.padEnd(34)}${total(stages).toFixed(3).padStart(8)}`);
  console.log(`peak memory ${peak_rss_mb.toFixed(0)} MB`);
}

function printComparison({ stages, peak_rss_mb }: EngineTimes, reference: ReferenceTimes): void {
  const theirs = (...names: string[]) => names.reduce((sum, name) => sum + (reference[name]?.wall_s ?? 0), 0);
  const ours = (...names: string[]) => names.reduce((sum, name) => sum + (stages[name]?.wall_s ?? 0), 0);
  const rows: [string, number, number][] = [
    ['reading', ours('reading'), theirs('reading')],
    ['covariances, Fisher', ours('curvature'), theirs('fisher_backward', 'covariance')],
    ['eigenvectors', ours('eigenvectors'), theirs('eigenvectors')],
    ['eigenvalues', ours('eigenvalues'), theirs('eigenvalues')],
    [
      'gradients, first query',
      ours('first query, training gradients'),
      theirs('training_gradients', 'query_gradients'),
    ],
    [`scores, ${queries} queries`, ours(`scores, ${queries} queries`), theirs('scores')],
    ['total', total(stages), theirs('total')],
    ['one more query', ours('one query'), theirs('one_query')],
  ];
  console.log(`\n${'stage'.padEnd(34)}${'Whence s'.padStart(10)}${'PyTorch s'.padStart(11)}${'ratio'.padStart(8)}`);
  for (const [name, mine, other] of rows) {
    const ratio = other > 0 ? (mine / other).toFixed(2) : '-';
    console.log(
      `${name.padEnd(34)}${mine.toFixed(3).padStart(10)}${other.toFixed(3).padStart(11)}${ratio.padStart(8)}`,
    );
  }
  console.log(
    `${'peak memory, MB'.padEnd(34)}${peak_rss_mb.toFixed(0).padStart(10)}${reference.peak_rss_mb.toFixed(0).padStart(11)}`,
  );
}

/** One more query is what comes after; it is not part of the pipeline. */
function total(stages: EngineTimes['stages']): number {
  return Object.entries(stages).reduce((sum, [name, { wall_s }]) => (name === 'one query' ? sum : sum + wall_s), 0);
}
