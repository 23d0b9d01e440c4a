import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { openCsv } from '../csv';
import type { ImageFile } from './imageFiles';
import { findLabelName } from './labels';
import { scanLines } from './lines';

/** A row of a table of pictures' labels. */
export interface LabelledName {
  readonly name: string;
  readonly label: string;
  readonly line: number;
}

/** Names of the column of file names, in order of preference; Hugging Face's is the first. */
const fileColumns = ['file_name', 'filename', 'file', 'path', 'filepath', 'image', 'image_path', 'img', 'name', 'id'];

/** Tables of Hugging Face's imagefolder, which lie beside the pictures. */
export const metadataNames = /^metadata\.(csv|jsonl)$/i;

/** Reads file names and labels, from CSV or JSON Lines. `label` is the column of labels where it is told. */
export async function readImageLabels(source: ByteSource, label: string | undefined): Promise<readonly LabelledName[]> {
  return /\.(jsonl|ndjson)(\.gz)?$/i.test(source.path) ? fromLines(source, label) : fromCsv(source, label);
}

async function fromCsv(source: ByteSource, label: string | undefined): Promise<LabelledName[]> {
  const csv = await openCsv(source);
  const columns = columnsOf(csv.columns, label, source.path);
  const name = csv.columns.indexOf(columns.name);
  const own = columns.label === undefined ? -1 : csv.columns.indexOf(columns.label);
  const rows: LabelledName[] = [];
  for (let from = 0; from < csv.length; ) {
    const to = csv.blockEnd(from);
    (await csv.rows(from, to)).forEach((cells, index) => {
      rows.push({ name: cells[name]!.trim(), label: cells[own] ?? '', line: csv.firstLine(from + index) });
    });
    from = to;
  }
  return rows;
}

async function fromLines(source: ByteSource, label: string | undefined): Promise<LabelledName[]> {
  const lines = await scanLines(source);
  const rows: LabelledName[] = [];
  let columns: ReturnType<typeof columnsOf> | undefined;
  for (let from = 0; from < lines.length; ) {
    const to = lines.blockEnd(from);
    (await lines.text(from, to)).forEach((text, index) => {
      const line = lines.number(from + index);
      const row = parseRow(text, source.path, line);
      columns ??= columnsOf(Object.keys(row), label, source.path);
      const cell = columns.label === undefined ? '' : row[columns.label];
      rows.push({ name: String(row[columns.name] ?? '').trim(), label: cell === null ? '' : String(cell ?? ''), line });
    });
    from = to;
  }
  return rows;
}

function parseRow(text: string, file: string, line: number): Readonly<Record<string, unknown>> {
  try {
    const row: unknown = JSON.parse(text);
    if (typeof row === 'object' && row !== null) return row as Readonly<Record<string, unknown>>;
  } catch {
    // Said below.
  }
  throw new WhenceError('malformed-file', `Line ${line} is no JSON object.`, { file, place: `line ${line}` });
}

function columnsOf(columns: readonly string[], label: string | undefined, file: string) {
  const plain = columns.map((name) => name.trim().toLowerCase());
  const found = fileColumns.map((name) => plain.indexOf(name)).find((index) => index >= 0);
  const name = columns[found ?? 0]!;
  if (label !== undefined && !columns.includes(label)) {
    throw new WhenceError('config-invalid', `There is no column "${label}". The file has: ${columns.join(', ')}.`, {
      file,
      place: 'line 1',
      mend: 'Name one of these columns as `label` in whence.json.',
    });
  }
  const others = columns.filter((one) => one !== name);
  const guessed = findLabelName(columns) ?? (others.length === 1 ? others[0] : undefined);
  return { name, label: label ?? guessed };
}

/** The pictures that a table names, in its order: by their paths, or by names without their ending. */
export function namedImages(
  rows: readonly LabelledName[],
  images: readonly ImageFile[],
  table: string,
): readonly ImageFile[] {
  const byName = new Map(images.map((image) => [image.name, image]));
  const byStem = new Map(images.map((image) => [image.name.replace(/\.\w+$/, ''), image]));
  return rows.map(({ name, line }) => {
    const plain = name.replaceAll('\\', '/').replace(/^\.\//, '');
    const image = byName.get(plain) ?? byStem.get(plain);
    if (image) return image;
    throw new WhenceError('not-found', `Line ${line} names the picture "${name}", which is not in the folder.`, {
      file: table,
      place: `line ${line}`,
      mend: "Correct the name, or set `folder` to where the table's paths begin.",
    });
  });
}
