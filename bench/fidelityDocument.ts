import { readFile, writeFile } from 'node:fs/promises';
import type { Interval } from '../src/attribution/evaluate/bootstrap';
import { comparedRows } from './fidelityAgreement';
import type { FidelityResults, TaskResult } from './fidelityResults';
import { type FidelityTask, fidelityTasks } from './fidelityTasks';

const paths = ['docs/fidelity.md', 'README.md'];

/** Writes every table of the documents that stands between `<!-- table: NAME -->` and `<!-- end -->` from the results. */
export async function writeTables(results: FidelityResults): Promise<void> {
  const done = fidelityTasks.filter(({ name }) => results[name]);
  const of = (task: FidelityTask) => results[task.name]!;
  const tables: Readonly<Record<string, string>> = {
    retrainings: retrainings(done, of),
    agreement: agreement(done, of),
    scores: scores(done, of),
    differences: differences(done, of),
    segments: segments(done, of),
    head: head(done, of),
  };
  for (const path of paths) await writeInto(path, tables);
}

async function writeInto(path: string, tables: Readonly<Record<string, string>>): Promise<void> {
  const text = await readFile(path, 'utf8');
  const written = text.replace(
    /(<!-- table: (\w+) -->\n)[\s\S]*?(<!-- end -->)/g,
    (_, head: string, name: string, end: string) => {
      const table = tables[name];
      if (table === undefined) throw new Error(`${path} asks for a table ${name}; there are ${Object.keys(tables)}.`);
      return `${head}\n${table}\n\n${end}`;
    },
  );
  await writeFile(path, written);
}

type ResultOf = (task: FidelityTask) => TaskResult;

function retrainings(tasks: readonly FidelityTask[], of: ResultOf): string {
  const rows = tasks.map((task) => {
    const { subsets, repeats, queries, best, losses = {} } = of(task);
    const words = Object.entries(losses).map(([split, loss]) => `${split} ${loss.toPrecision(3)}`);
    const trained = `${subsets} halves, ${repeats} each`;
    return [task.title, words.join(', '), trained, `${queries.length}`, task.measurement, interval(best)];
  });
  return markdown(['run', 'loss', 'retrainings', 'queries', 'measured', 'best LDS to be had'], rows);
}

/** Least correlation of a query / largest error over the largest score, against PyTorch's loops in float64. */
function agreement(tasks: readonly FidelityTask[], of: ResultOf): string {
  const columns = tasks.flatMap((task) =>
    Object.entries(of(task).agreement ?? {}).map(([model, rows]) => ({ title: `${task.title}, ${model}`, rows })),
  );
  const rows = comparedRows.map(({ name }) => [
    name,
    ...columns.map(({ rows: own }) => {
      const found = own[name];
      return found ? `${found.leastCorrelation.toFixed(8)} / ${found.largestError.toExponential(1)}` : '';
    }),
  ]);
  return markdown(['', ...columns.map(({ title }) => title)], rows);
}

/** Methods that tables show, of all that were evaluated. */
const shownMethods = /^(SOURCE, [13] segments?|SOURCE, the paper's form for Adam, 1 segment|(?!SOURCE).*)$/;

function scores(tasks: readonly FidelityTask[], of: ResultOf): string {
  const names = namesOf(tasks, of).filter((name) => shownMethods.test(name));
  const rows = tasks.map((task) => [
    task.title,
    ...names.map((name) => interval(of(task).methods.find((row) => row.name === name)?.overQueries)),
    Object.entries(task.published ?? {})
      .map(([name, value]) => `${name} ${value}`)
      .join(', '),
  ]);
  return markdown(['LDS', ...names, 'in papers'], rows);
}

/** The README's: no intervals, but that of SOURCE's lead over influence functions. */
function head(tasks: readonly FidelityTask[], of: ResultOf): string {
  const names = namesOf(tasks, of).filter((name) => /^(SOURCE, 1 segment|(?!SOURCE).*)$/.test(name));
  const lead = 'SOURCE, 1 segment, less EK-FAC influence functions';
  const rows = tasks.map((task) => {
    const found = names.map((name) => of(task).methods.find((row) => row.name === name)?.overQueries.mean);
    const ahead = of(task).differences.find(({ name }) => name === lead)?.overQueries;
    return [task.title, ...found.map((mean) => (mean === undefined ? '' : number(mean))), interval(ahead, true)];
  });
  return markdown(['LDS', ...names, 'SOURCE less influence functions'], rows);
}

function namesOf(tasks: readonly FidelityTask[], of: ResultOf): readonly string[] {
  return [...new Set(tasks.flatMap((task) => of(task).methods.map(({ name }) => name)))];
}

/** By how much SOURCE is ahead; bold where the interval excludes 0. Over queries, and over queries and subsets. */
function differences(tasks: readonly FidelityTask[], of: ResultOf): string {
  const all = tasks.flatMap((task) => of(task).differences.map(({ name }) => name));
  const names = [...new Set(all)].filter((name) => /^SOURCE, [13] segments?, less (EK-FAC|TRAK|gradient)/.test(name));
  const cell = (task: FidelityTask, name: string) => {
    const found = of(task).differences.find((row) => row.name === name);
    return found ? `${interval(found.overQueries, true)} (${bounds(found.overBoth)})` : '';
  };
  const rows = tasks.map((task) => [task.title, ...names.map((name) => cell(task, name))]);
  return markdown(['LDS ahead', ...names], rows);
}

/** SOURCE by its number of segments: how far each is behind the best number of the same task, and the mean over tasks. */
function segments(tasks: readonly FidelityTask[], of: ResultOf): string {
  const names = [...new Set(tasks.flatMap((task) => sources(of(task)).map(({ name }) => name)))];
  const behind = (task: FidelityTask, name: string) => {
    const all = sources(of(task));
    const own = all.find((row) => row.name === name);
    return own && own.overQueries.mean - Math.max(...all.map(({ overQueries }) => overQueries.mean));
  };
  const shown = (value: number | undefined) => (value === undefined ? '' : number(value));
  const means = names.map((name) => {
    const known = tasks.map((task) => behind(task, name)).filter((value) => value !== undefined);
    return number(known.reduce((sum, value) => sum + value, 0) / known.length);
  });
  const rows = tasks.map((task) => [task.title, ...names.map((name) => shown(behind(task, name)))]);
  return markdown(['behind the best', ...names], [...rows, ['**mean**', ...means]]);
}

function sources({ methods }: TaskResult) {
  return methods.filter(({ method }) => method === 'source');
}

function markdown(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

function interval(value: Interval | undefined, emphasize = false): string {
  if (!value) return '';
  const mean = emphasize && value.low > 0 ? `**${number(value.mean)}**` : number(value.mean);
  return `${mean} [${bounds(value)}]`;
}

function bounds({ low, high }: Interval): string {
  return `${number(low)}, ${number(high)}`;
}

/** .344, as the document writes shares. */
function number(value: number): string {
  return value
    .toFixed(3)
    .replace(/^(-?)0\./, '$1.')
    .replace(/^-(\.000)$/, '$1');
}
