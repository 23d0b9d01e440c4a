import { initParser } from 'udsv';
import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';
import { type CsvRows, RowScanner, scanRows } from './csvRows';

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
  /** The row on a line; undefined for the header and for blank lines. */
  rowAt(line: number): number | undefined;
  /** Cells of rows `from` to `to - 1`, as they are written, quotes taken off. */
  rows(from: number, to: number): Promise<string[][]>;
  /** The cells of one column alone, many times faster. */
  column(index: number, from: number, to: number): Promise<string[]>;
  /** How many rows from `from` on make a read of handy size. */
  blockEnd(from: number): number;
}

const blockBytes = 4 * 2 ** 20;

/** Opens a CSV file (comma, semicolon, tab or bar; RFC 4180 quotes). Fails with `malformed-file` or `empty-data`, with line. */
export async function openCsv(source: ByteSource): Promise<CsvFile> {
  const mend = 'Write the table again, or name another file in whence.json.';
  const scan = await scanRows(source);
  const { index } = scan;
  if (index.length === 0) throw new WhenceError('empty-data', 'The file has no rows.', { file: source.path, mend });
  const first = (await parseRows(source, scan, 0, 1))[0]!;
  const skip = isHeader(first) ? 1 : 0;
  if (index.length === skip) {
    throw new WhenceError('empty-data', 'The file has a header and no rows.', {
      file: source.path,
      place: 'line 2',
      mend,
    });
  }
  return {
    path: source.path,
    columns: skip ? first.map((name) => name.trim()) : first.map((_, index) => `column ${index + 1}`),
    length: index.length - skip,
    firstLine: (row) => index.firstLine(row + skip),
    lastLine: (row) => index.lastLine(row + skip),
    rowAt(line) {
      const row = index.rowAt(line);
      return row === undefined || row < skip ? undefined : row - skip;
    },
    rows: (from, to) => parseRows(source, scan, from + skip, to + skip),
    column: (column, from, to) => readColumn(source, scan, column, from + skip, to + skip),
    blockEnd: (from) => index.readEnd(from + skip, blockBytes) - skip,
  };
}

/** A header has no number in it, except that pandas numbers unnamed columns beside a named label. */
function isHeader(cells: readonly string[]): boolean {
  const isNumber = (cell: string) => cell.trim() !== '' && Number.isFinite(Number(cell));
  return !cells.some(isNumber) || cells.some((cell) => /^(label|target|class|y)$/i.test(cell.trim()));
}

async function parseRows(source: ByteSource, scan: CsvRows, from: number, to: number): Promise<string[][]> {
  if (from >= to) return [];
  const block = scan.index.block(from, to);
  const bytes = await source.read(block.start, block.end - block.start);
  const text = rowsText(bytes, scan.delimiter, from - block.row, to - block.row);
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
      place: `lines ${scan.index.firstLine(from)} to ${scan.index.lastLine(to - 1)}`,
    });
  }
  return rows;
}

async function readColumn(source: ByteSource, scan: CsvRows, column: number, from: number, to: number) {
  const block = scan.index.block(from, to);
  const bytes = await source.read(block.start, block.end - block.start);
  const decoder = new TextDecoder('utf-8');
  const cells: string[] = [];
  let row = block.row;
  const see = () => {
    if (row >= from && row < to) cells.push(cellText(bytes.subarray(scanner.cellStart, scanner.cellEnd), decoder));
    row++;
  };
  const scanner: RowScanner = new RowScanner(scan.delimiter.charCodeAt(0), 0, see, column);
  scanner.push(bytes);
  scanner.finish();
  return cells;
}

const quote = 0x22;

function cellText(bytes: Uint8Array, decoder: TextDecoder): string {
  // Most labels are one digit.
  if (bytes.length === 1 && bytes[0]! < 0x80) return String.fromCharCode(bytes[0]!);
  const isQuoted = bytes[0] === quote && bytes.at(-1) === quote && bytes.length > 1;
  return isQuoted ? decoder.decode(bytes.subarray(1, -1)).replaceAll('""', '"') : decoder.decode(bytes);
}

/** Rows `from` to `to - 1` of a block, with one newline between each two and no blank lines. */
function rowsText(bytes: Uint8Array, delimiter: string, from: number, to: number): string {
  const decoder = new TextDecoder('utf-8');
  const starts: number[] = [];
  const ends: number[] = [];
  let row = 0;
  let isDense = true;
  const scanner = new RowScanner(delimiter.charCodeAt(0), 0, (start, end) => {
    if (row >= from && row < to) {
      isDense &&= starts.length === 0 || start === ends.at(-1)! + 1;
      starts.push(start);
      ends.push(end);
    }
    row++;
  });
  scanner.push(bytes);
  scanner.finish();
  if (isDense) return decoder.decode(bytes.subarray(starts[0], ends.at(-1)));
  return starts.map((start, index) => decoder.decode(bytes.subarray(start, ends[index]!))).join('\n');
}

const noRepl = { empty: undefined, null: undefined, NaN: undefined };
