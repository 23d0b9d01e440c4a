import type { ByteSource } from '../../formats/bytes';
import { type CsvFile, openCsv } from '../../formats/csv';
import { WhenceError } from '../../protocol/errors';

/** What was logged at one step; what stands empty is absent. */
export interface LoggedStep {
  readonly step: number;
  readonly learningRate?: number;
  readonly loss?: number;
}

/** Ascending by step, each step once. */
export interface TrainingLog {
  readonly file: string;
  readonly steps: readonly LoggedStep[];
}

/** Names of columns, in lower case and without spaces, `_` and `-`, in order of preference. */
const columnNames = {
  step: ['step', 'steps', 'globalstep', 'iteration', 'iter'],
  // Lightning's monitor names the optimizer, and its first parameter group where there are several.
  learningRate: ['learningrate', 'lr', ...['lrsgd', 'lradam', 'lradamw'].flatMap((name) => [name, `${name}/pg1`])],
  loss: ['loss', 'trainloss', 'trainingloss', 'train/loss', 'trainlossstep'],
} as const;

export interface LogColumns {
  readonly step: number;
  readonly learningRate?: number;
  readonly loss?: number;
}

/** Where a log's columns stand; undefined where there is no column of steps, or nothing beside it. */
export function findLogColumns(columns: readonly string[]): LogColumns | undefined {
  const plain = columns.map((name) => name.toLowerCase().replace(/[\s_-]/g, ''));
  const find = (names: readonly string[]) => names.map((name) => plain.indexOf(name)).find((index) => index >= 0);
  const step = find(columnNames.step);
  const learningRate = find(columnNames.learningRate);
  const loss = find(columnNames.loss);
  if (step === undefined || (learningRate === undefined && loss === undefined)) return undefined;
  return { step, ...(learningRate === undefined ? {} : { learningRate }), ...(loss === undefined ? {} : { loss }) };
}

/**
 * Reads a CSV log with the columns step, learning_rate (or lr) and loss, in any order, rows in any order. Several rows of
 * one step are taken together. Fails with `malformed-file`, line and column.
 */
export async function readTrainingLog(source: ByteSource): Promise<TrainingLog> {
  const csv = await openCsv(source);
  const columns = findLogColumns(csv.columns);
  if (!columns) {
    throw new WhenceError(
      'malformed-file',
      `A training log has the columns step, learning_rate and loss; this has ${csv.columns.join(', ')}.`,
      {
        file: source.path,
        place: 'line 1',
        mend: 'Log these columns, or remove `log` from whence.json and give `optimizer.learningRate`.',
      },
    );
  }
  const steps = new Map<number, LoggedStep>();
  for (let from = 0; from < csv.length; ) {
    const to = csv.blockEnd(from);
    (await csv.rows(from, to)).forEach((cells, index) => {
      const row = readRow(csv, from + index, cells, columns);
      steps.set(row.step, { ...steps.get(row.step), ...row });
    });
    from = to;
  }
  return { file: source.path, steps: [...steps.values()].sort((a, b) => a.step - b.step) };
}

function readRow(csv: CsvFile, row: number, cells: readonly string[], columns: LogColumns): LoggedStep {
  const step = readCell(csv, row, cells, columns.step);
  const learningRate = columns.learningRate === undefined ? undefined : readCell(csv, row, cells, columns.learningRate);
  const loss = columns.loss === undefined ? undefined : readCell(csv, row, cells, columns.loss);
  if (step === undefined || !Number.isSafeInteger(step) || step < 0) {
    throw wrongCell(csv, row, cells, columns.step, 'a whole number');
  }
  if (learningRate !== undefined && !(learningRate >= 0 && Number.isFinite(learningRate))) {
    throw wrongCell(csv, row, cells, columns.learningRate!, 'a number from 0');
  }
  return {
    step,
    ...(learningRate === undefined ? {} : { learningRate }),
    // A run that diverged logs nan; it says nothing of the other steps.
    ...(loss === undefined || !Number.isFinite(loss) ? {} : { loss }),
  };
}

/** A cell as a number, undefined where it is empty. */
function readCell(csv: CsvFile, row: number, cells: readonly string[], column: number): number | undefined {
  const text = cells[column]!.trim();
  if (text === '') return undefined;
  if (/^[-+]?(nan|inf|infinity)$/i.test(text)) return Number.NaN;
  const value = Number(text);
  if (Number.isNaN(value)) throw wrongCell(csv, row, cells, column, 'a number');
  return value;
}

function wrongCell(csv: CsvFile, row: number, cells: readonly string[], column: number, wanted: string): WhenceError {
  const name = csv.columns[column]!;
  const line = csv.firstLine(row);
  return new WhenceError(
    'malformed-file',
    `Line ${line} has "${cells[column]}" as ${name}, where ${wanted} is needed.`,
    {
      file: csv.path,
      place: `line ${line}, column ${name}`,
    },
  );
}

/**
 * `Σ η_k` over the updates `from <= k < to`, counted from 0. `rates` is a log or a constant rate.
 *
 * A log whose steps begin at 0 numbers updates as they begin: its row s speaks of update s. Any other log numbers them as
 * they are finished: its row s speaks of update s - 1, the one that made step s. A row's rate holds until the next row;
 * before the first row holds the first one's. So a row for every update is summed exactly, and one for every 50th as a
 * staircase.
 */
export function totalLearningRate(rates: TrainingLog | number, from: number, to: number): number {
  if (typeof rates === 'number') return rates * Math.max(0, to - from);
  const rows = rates.steps.flatMap(({ step, learningRate }) =>
    learningRate === undefined ? [] : [{ step, learningRate }],
  );
  if (rows.length === 0) {
    throw new WhenceError('config-invalid', 'The training log has no learning rates.', {
      file: rates.file,
      mend: 'Log a column learning_rate, or give `optimizer.learningRate` in whence.json.',
    });
  }
  const shift = rates.steps[0]!.step === 0 ? 0 : 1;
  let total = 0;
  rows.forEach(({ step, learningRate }, index) => {
    const next = rows[index + 1];
    const begin = Math.max(from, index === 0 ? from : step - shift);
    const end = Math.min(to, next ? next.step - shift : to);
    if (end > begin) total += learningRate * (end - begin);
  });
  return total;
}
