import { initParser } from 'udsv';
import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';
import { type CsvRows, scanRows } from './csvRows';

/** A CSV file whose rows are known by place; cells are read when asked for. */
export interface CsvFile {
  readonly path: string;
  /** From the header; `column 1`, `column 2`, ... where there is none. */
  readonly columns: readonly string[];
  /** Rows without the header. */
  readonly length: number;
  /** Lines, counted from 1, on which a row begins and ends. */
  firstLine(row: number): number;
  lastLine(row: number): number;
  /** Cells of rows `from` to `to - 1`, as they are written, quotes taken off. */
  rows(from: number, to: number): Promise<string[][]>;
  /** How many rows from `from` on make a read of handy size. */
  blockEnd(from: number): number;
}

const blockBytes = 4 * 2 ** 20;

/** Opens a CSV file (comma, semicolon, tab or bar; RFC 4180 quotes). Fails with `malformed-file` or `empty-data`, with line. */
export async function openCsv(source: ByteSource): Promise<CsvFile> {
  const mend = 'Write the table again, or name another file in whence.json.';
  const scan = await scanRows(source);
  if (scan.length === 0) throw new WhenceError('empty-data', 'The file has no rows.', { file: source.path, mend });
  const first = (await parseRows(source, scan, 0, 1))[0]!;
  const skip = isHeader(first) ? 1 : 0;
  if (scan.length === skip) {
    throw new WhenceError('empty-data', 'The file has a header and no rows.', {
      file: source.path,
      place: 'line 2',
      mend,
    });
  }
  return {
    path: source.path,
    columns: skip ? first.map((name) => name.trim()) : first.map((_, index) => `column ${index + 1}`),
    length: scan.length - skip,
    firstLine: (row) => scan.firstLine[row + skip]!,
    lastLine: (row) => scan.lastLine[row + skip]!,
    rows: (from, to) => parseRows(source, scan, from + skip, to + skip),
    blockEnd(from) {
      let to = from + 1;
      const limit = scan.start[from + skip]! + blockBytes;
      while (to < scan.length - skip && scan.end[to + skip]! <= limit) to++;
      return to;
    },
  };
}

/** A header has no number in it, except that pandas numbers unnamed columns beside a named label. */
function isHeader(cells: readonly string[]): boolean {
  const isNumber = (cell: string) => cell.trim() !== '' && Number.isFinite(Number(cell));
  return !cells.some(isNumber) || cells.some((cell) => /^(label|target|class|y)$/i.test(cell.trim()));
}

async function parseRows(source: ByteSource, scan: CsvRows, from: number, to: number): Promise<string[][]> {
  if (from >= to) return [];
  const start = scan.start[from]!;
  const bytes = await source.read(start, scan.end[to - 1]! - start);
  const decoder = new TextDecoder('utf-8');
  let text: string;
  if (isDense(scan, from, to)) text = decoder.decode(bytes);
  else {
    const lines: string[] = [];
    for (let row = from; row < to; row++) {
      lines.push(decoder.decode(bytes.subarray(scan.start[row]! - start, scan.end[row]! - start)));
    }
    text = lines.join('\n');
  }
  const cols = Array.from({ length: scan.columns }, (_, index) => ({
    name: `${index}`,
    type: 's' as const,
    repl: noRepl,
  }));
  // `skip` is missing in the package's types; without it, it takes the first row for a header.
  const schema = {
    skip: 0,
    col: scan.delimiter,
    row: '\n',
    encl: text.includes('"') ? '"' : '',
    esc: '"',
    trim: false,
    cols,
  };
  const rows = initParser(schema).stringArrs<string[]>(text);
  if (rows.length !== to - from) {
    throw new WhenceError('malformed-file', 'The quotes in these rows do not match.', {
      file: source.path,
      place: `lines ${scan.firstLine[from]} to ${scan.lastLine[to - 1]}`,
    });
  }
  return rows;
}

const noRepl = { empty: undefined, null: undefined, NaN: undefined };

/** True where rows follow each other with one newline between and nothing else. */
function isDense(scan: CsvRows, from: number, to: number): boolean {
  for (let row = from + 1; row < to; row++) if (scan.start[row] !== scan.end[row - 1]! + 1) return false;
  return true;
}
