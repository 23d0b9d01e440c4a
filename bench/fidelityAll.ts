import { spawn } from 'node:child_process';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { output } from './children';
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
    'fashion-mnist': { type: 'string', default: '/usr/share/datasets/fashion-mnist' },
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
    await keepResult(task.name, await evaluate(task));
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
  const program = (action: string, ...more: readonly string[]) =>
    finished(python, ['bench/fidelity/run.py', action, task.task, folder, ...more]);
  if (!(await exists(join(folder, 'whence.json')))) await program('make', '--source', source, ...(task.make ?? []));
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
