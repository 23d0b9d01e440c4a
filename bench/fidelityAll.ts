import { spawn } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { mean } from '../src/attribution/evaluate/bootstrap';
import { createEngine } from '../src/engine/engine';
import { range } from '../src/engine/network/examples';
import { readOutcomeFolder } from '../src/engine/retraining/outcomeFolder';
import { nodeHost } from '../src/worker/host';
import { nodeFiles } from '../src/worker/nodeFiles';
import { output } from './children';
import { type Agreement, type ComparedRow, compare, comparedRows, withCopy } from './fidelityAgreement';
import { writeTables } from './fidelityDocument';
import { keepResult, readResults, type TaskResult } from './fidelityResults';
import { everyMethod, type FidelityTask, fidelityTasks, segmentCounts } from './fidelityTasks';
import { findPython } from './python';

/**
 * `npm run fidelity:all -- [FOLDER] [--tasks cnn,gpt] [--fashion-mnist DIR] [--texts DIR] [--processes N] [--tables]`: makes
 * every figure of docs/fidelity.md. For every task of the table it trains the run in FOLDER/NAME, retrains it on random halves,
 * evaluates all methods with `whence evaluate` and keeps what that says; then it writes the document's tables. What is trained
 * is not trained again. `--tables` only writes the tables, of what was kept.
 */
const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    tasks: { type: 'string' },
    'fashion-mnist': { type: 'string', default: process.env.FASHION_MNIST ?? '' },
    texts: { type: 'string', default: '/usr/share/common-licenses' },
    processes: { type: 'string', default: '2' },
    tables: { type: 'boolean', default: false },
  },
});
const [root = 'fidelity-runs'] = positionals;
const python = findPython(['torch', 'numpy', 'safetensors']) ?? 'python3';

if (!options.tables) {
  const wanted = options.tasks?.split(',');
  const unknown = wanted?.filter((name) => !fidelityTasks.some((task) => task.name === name)) ?? [];
  if (unknown.length > 0) throw new Error(`There is no task ${unknown}: ${fidelityTasks.map(({ name }) => name)}.`);
  for (const task of fidelityTasks.filter(({ name }) => !wanted || wanted.includes(name))) {
    console.log(`\n${task.title}`);
    await train(task);
    const scored = await evaluate(task);
    const found = {
      ...scored,
      losses: await losses(task),
      ...(task.reference ? { agreement: await agreement(task) } : {}),
    };
    await keepResult(task.name, found);
    await writeTables(await readResults());
  }
} else {
  await writeTables(await readResults());
}

function folderOf({ name, shares }: FidelityTask): string {
  return join(root, shares ?? name);
}

async function train(task: FidelityTask): Promise<void> {
  const folder = folderOf(task);
  await mkdir(folder, { recursive: true });
  const source = task.source === 'none' ? folder : options[task.source];
  const isMade = await exists(join(folder, 'whence.json'));
  if (!isMade && source === '')
    throw new Error('Name the folder of the full FashionMNIST: --fashion-mnist DIR, or FASHION_MNIST.');
  const program = (action: string, ...more: readonly string[]) =>
    finished(python, ['bench/fidelity/run.py', action, task.task, folder, ...more]);
  if (!isMade) await program('make', '--source', source, ...(task.make ?? []));
  const size = ['--subsets', `${task.subsets}`, '--repeats', `${task.repeats}`];
  const processes = Number(options.processes);
  const part = (at: number) => ['--part', `${at}`, '--parts', `${processes}`];
  await Promise.all(Array.from({ length: processes }, (_, at) => program('retrain', ...size, ...part(at))));
  await program('collect', ...size);
}

/** By the command that users have; its own settings of `whence.json` stand there only as long as that runs. */
async function evaluate(task: FidelityTask): Promise<TaskResult> {
  const folder = folderOf(task);
  const config = join(folder, 'whence.json');
  const made = await readFile(config, 'utf8');
  await writeFile(config, JSON.stringify({ ...(JSON.parse(made) as object), ...task.config }, null, 2));
  try {
    const methods = [...everyMethod, ...(task.methods ?? [])].join();
    const asked = ['--methods', methods, '--segments', segmentCounts.join(), '--measurement', task.measurement];
    const command = ['dist/cli.mjs', 'evaluate', folder, '--outcomes', folder, ...asked, '--device', 'cpu'];
    const result = JSON.parse(await output(process.execPath, [...command, '--json'])) as TaskResult;
    for (const { name, overQueries } of result.methods) console.log(`  ${name}: LDS ${overQueries.mean.toFixed(3)}`);
    return kept(result);
  } finally {
    await writeFile(config, made);
  }
}

/** The last checkpoint's mean loss on every split of the run's own files. */
async function losses(task: FidelityTask): Promise<Readonly<Record<string, number>>> {
  const folder = resolve(folderOf(task));
  const engine = createEngine(nodeHost(pathToFileURL(resolve('dist/worker.mjs')), 'cpu'));
  const context = { signal: new AbortController().signal, progress: () => undefined };
  const { runs } = await engine.inspect({ folder }, context);
  const found: Record<string, number> = {};
  for (const { name, examples } of runs[0]?.splits ?? []) {
    const queries = range(0, examples).map((index) => ({ split: name, index }));
    const config = join(folder, 'whence.json');
    const { values } = await engine.measure({ config, queries, measurement: { kind: 'loss' } }, context);
    found[name] = mean(values);
  }
  return found;
}

/** Against PyTorch's loops over examples, for both exports of the model. */
async function agreement(task: FidelityTask): Promise<NonNullable<TaskResult['agreement']>> {
  const folder = folderOf(task);
  const reference = join(folder, 'reference');
  if (!(await exists(reference))) await finished(python, ['bench/fidelity/run.py', 'reference', task.task, folder]);
  const found: Record<string, Record<string, Agreement>> = {};
  for (const [name, model] of [
    ['as written', 'model.onnx'],
    ['optimised', 'model-optimized.onnx'],
  ] as const) {
    const own: Record<string, Agreement> = {};
    await withCopy(folder, model, async (copy, config) => {
      const queries = (await readOutcomeFolder(folder, nodeFiles())).description.queries.length;
      const paths = (row: ComparedRow) => join(reference, `${row.file}.npy`);
      const run = { folder: copy, config, measurement: task.measurement, queries, reference: paths };
      for (const row of comparedRows) {
        const { leastCorrelation, largestError } = await compare(run, row);
        own[row.name] = { leastCorrelation, largestError };
        console.log(`  ${model}, ${row.name}: ${leastCorrelation.toFixed(8)} / ${largestError.toExponential(1)}`);
      }
    });
    found[name] = own;
  }
  return found;
}

/** Without every query's own score. */
function kept({ subsets, repeats, queries, best, methods, differences }: TaskResult): TaskResult {
  const rows = methods.map(({ name, method, overQueries, overBoth }) => ({ name, method, overQueries, overBoth }));
  return { subsets, repeats, queries, ...(best ? { best } : {}), methods: rows, differences };
}

function finished(program: string, args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'inherit', 'inherit'] });
    child.on('error', reject);
    child.on('exit', (code) => (code === 0 ? resolve() : reject(new Error(`${program} ${args} ended with ${code}`))));
  });
}

function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
