import type { CsvFile } from '../csv';
import type { Dataset } from '../dataset';
import { type CsvColumns, columnNamed } from './csv';
import { checkIndices } from './indices';
import { findLabelName, LabelEncoder } from './labels';
import { noNumbers, textNames, textPreview } from './textColumn';

/** The column whose cells are the texts of the examples; undefined where features are numbers. */
export async function findTextColumn(csv: CsvFile, { features, label }: CsvColumns): Promise<number | undefined> {
  if (features !== undefined && features.length !== 1) return undefined;
  const own = label ?? findLabelName(csv.columns);
  const rest = csv.columns.filter((name) => name !== own);
  const name = features?.[0] ?? textNames.find((one) => rest.includes(one));
  if (name === undefined) return undefined;
  const column = columnNamed(csv, name);
  const cell = (await csv.rows(0, 1))[0]![column]!;
  return cell.trim() !== '' && !Number.isFinite(Number(cell)) ? column : undefined;
}

/** A table with one text a row. Without a column that is called like a label there are none. */
export async function csvTexts(
  csv: CsvFile,
  column: number,
  wanted: string | undefined,
  classes: readonly string[] | undefined,
): Promise<Dataset> {
  const name = wanted ?? findLabelName(csv.columns.filter((_, index) => index !== column));
  const label = name === undefined ? undefined : columnNamed(csv, name);
  const encoder = new LabelEncoder(classes, (row) => ({
    file: csv.path,
    place: `line ${csv.firstLine(row)}, column ${name}`,
  }));
  for (let from = 0; from < csv.length; ) {
    const to = csv.blockEnd(from);
    for (const row of await csv.rows(from, to)) {
      if (label === undefined) encoder.addNumber(Number.NaN);
      else encoder.add(row[label]!);
    }
    from = to;
  }
  const { labels, classes: names } = encoder.finish();
  const read = async (from: number, to: number) => (await csv.rows(from, to)).map((row) => row[column]!);
  return {
    format: 'csv',
    files: [csv.path],
    length: csv.length,
    featureDims: [],
    labels,
    texts: { read, blockEnd: csv.blockEnd },
    ...(names ? { classes: names } : {}),
    batch: () => noNumbers(csv.path),
    async preview(index) {
      checkIndices([index], csv.length, csv.path);
      return textPreview((await read(index, index + 1))[0]!);
    },
    locate: (index) => ({ file: csv.path, index, line: csv.firstLine(index) }),
    indexAtLine: csv.rowAt,
  };
}
