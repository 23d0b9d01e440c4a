import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { type CsvFile, openCsv } from '../csv';
import type { Dataset } from '../dataset';
import { csvTexts, findTextColumn } from './csvTexts';
import { checkIndices, neighbours } from './indices';
import { findLabelName, LabelEncoder } from './labels';

/** Features of a file up to this size are read and checked when it is opened; those of a larger one when they are asked for. */
const heldBytes = 2 ** 26;

export interface CsvColumns {
  /** Default: a column called label, target, class or y, else the last. */
  readonly label?: string;
  /** Default: every other column. */
  readonly features?: readonly string[];
}

/**
 * A table with one example a row; of a large file, the features are read by ranges. `classes` are the names that label cells are looked up in; by default the file's own
 * names, sorted. Fails with line and column where a feature is no number, `config-invalid` where a column is missing.
 */
export async function openCsvDataset(
  source: ByteSource,
  columns: CsvColumns = {},
  classes?: readonly string[],
): Promise<Dataset> {
  const csv = await openCsv(source);
  const text = await findTextColumn(csv, columns);
  if (text !== undefined) return csvTexts(csv, text, columns.label, classes);
  const label = labelColumn(csv, columns.label);
  const featureColumns = columns.features
    ? columns.features.map((name) => columnNamed(csv, name))
    : csv.columns.flatMap((_, index) => (index === label ? [] : [index]));
  if (featureColumns.length === 0) {
    throw new WhenceError('empty-data', 'The file has no column of features.', {
      file: source.path,
      place: 'line 1',
      mend: 'Write one column for each feature beside that of the label.',
    });
  }
  const where = (row: number) => ({
    file: source.path,
    place: `line ${csv.firstLine(row)}, column ${csv.columns[label]}`,
  });
  const encoder = new LabelEncoder(classes, where);
  const isHeld = source.size <= heldBytes;
  const held = isHeld ? new Float32Array(csv.length * featureColumns.length) : undefined;
  for (let from = 0; from < csv.length; ) {
    const to = csv.blockEnd(from);
    if (held) {
      const rows = await csv.rows(from, to);
      held.set(readFeatures(csv, rows, from, featureColumns), from * featureColumns.length);
      for (const row of rows) encoder.add(row[label]!);
    } else for (const cell of await csv.column(label, from, to)) encoder.add(cell);
    from = to;
  }
  const { labels, classes: names } = encoder.finish();
  const width = featureColumns.length;
  return {
    format: 'csv',
    files: [source.path],
    length: csv.length,
    featureDims: [width],
    labels,
    ...(names ? { classes: names } : {}),
    async batch(indices) {
      checkIndices(indices, csv.length, source.path);
      const inputs = new Float32Array(indices.length * width);
      for (const [at, from, to] of neighbours(indices)) {
        const values =
          held?.subarray(from * width, to * width) ?? readFeatures(csv, await csv.rows(from, to), from, featureColumns);
        inputs.set(values, at * width);
      }
      return { inputs, labels: Float64Array.from(indices, (index) => labels[index]!) };
    },
    async preview(index) {
      checkIndices([index], csv.length, source.path);
      return { kind: 'row', columns: csv.columns, values: (await csv.rows(index, index + 1))[0] ?? [] };
    },
    locate: (index) => ({ file: source.path, index, line: csv.firstLine(index) }),
    indexAtLine: csv.rowAt,
  };
}

/** Features of `rows`, the first of which is number `first`: row-major [rows, columns]. */
function readFeatures(
  csv: CsvFile,
  rows: readonly string[][],
  first: number,
  columns: readonly number[],
): Float32Array {
  const features = new Float32Array(rows.length * columns.length);
  let position = 0;
  for (let row = 0; row < rows.length; row++) {
    const values = rows[row]!;
    for (const column of columns) {
      const cell = values[column]!;
      const value = Number(cell);
      if (!Number.isFinite(value) || cell.trim() === '') throw notANumber(csv, first + row, column, cell);
      features[position++] = value;
    }
  }
  return features;
}

function labelColumn(csv: CsvFile, wanted: string | undefined): number {
  if (wanted !== undefined) return columnNamed(csv, wanted);
  const name = findLabelName(csv.columns);
  return name === undefined ? csv.columns.length - 1 : csv.columns.indexOf(name);
}

export function columnNamed(csv: CsvFile, name: string): number {
  const index = csv.columns.indexOf(name);
  if (index >= 0) return index;
  const shown = csv.columns.slice(0, 20).join(', ');
  throw new WhenceError('config-invalid', `There is no column "${name}". The file has: ${shown}.`, {
    file: csv.path,
    place: 'line 1',
    mend: 'Name one of these columns in whence.json.',
  });
}

function notANumber(csv: CsvFile, row: number, column: number, cell: string): WhenceError {
  const line = csv.firstLine(row);
  const name = csv.columns[column];
  const shown = cell.length > 40 ? `${cell.slice(0, 40)}…` : cell;
  const notFinite = /^\s*[-+]?(nan|inf|infinity)\s*$/i.test(cell);
  return new WhenceError(
    notFinite ? 'not-finite' : 'malformed-file',
    cell.trim() === ''
      ? `Line ${line} has no value in column "${name}".`
      : `Line ${line} has "${shown}" in column "${name}", where a finite number is needed.`,
    {
      file: csv.path,
      place: `line ${line}, column ${name}`,
      mend: 'Correct the cell, or list the columns that the model takes in `features` of whence.json.',
    },
  );
}
