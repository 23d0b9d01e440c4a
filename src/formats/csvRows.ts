import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';
import { RowIndex } from './datasets/rowIndex';

/** How a CSV file is written, and where its rows lie, the header among them, blank lines left out. */
export interface CsvRows {
  readonly delimiter: string;
  readonly columns: number;
  readonly index: RowIndex;
}

/** A row of bytes `start` to `end` (before its line's end), on lines `firstLine` to `lastLine`. */
export type SeeRow = (start: number, end: number, firstLine: number, lastLine: number, cells: number) => void;

const quote = 0x22;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const chunkBytes = 2 ** 22;

/**
 * One pass over the bytes, quotes obeyed. Every row must have as many cells as the first: `malformed-file` with the line
 * otherwise, and for a quote that never closes.
 */
export async function scanRows(source: ByteSource): Promise<CsvRows> {
  const head = await source.read(0, Math.min(source.size, 2 ** 16));
  const bom = byteOrderMark(head, source);
  const delimiter = inferDelimiter(head.subarray(bom));
  const index = new RowIndex(source.path);
  let columns = 0;
  const scanner = new RowScanner(delimiter, bom, (start, end, firstLine, lastLine, cells) => {
    columns ||= cells;
    if (cells !== columns) {
      const message = `Line ${firstLine} has ${cells} cells, the first row ${columns}.`;
      throw new WhenceError('malformed-file', message, {
        file: source.path,
        place: `line ${firstLine}`,
        mend: 'Give every row the same number of cells; put quotes around cells that hold the delimiter.',
      });
    }
    index.add(start, end, firstLine, lastLine);
  });
  for (let offset = bom; offset < source.size; offset += chunkBytes) {
    scanner.push(await source.read(offset, Math.min(chunkBytes, source.size - offset)));
  }
  if (!scanner.finish()) {
    throw new WhenceError('malformed-file', `A quote that opens in the row of line ${scanner.rowLine} never closes.`, {
      file: source.path,
      place: `line ${scanner.rowLine}`,
    });
  }
  return { delimiter: String.fromCharCode(delimiter), columns, index };
}

/** Tells rows apart in bytes that come in chunks; quotes are obeyed across them. */
export class RowScanner {
  /** The line on which the row at hand began. */
  rowLine = 1;
  /** Where the watched cell of the row at hand begins and ends. */
  cellStart = 0;
  cellEnd = 0;
  private line = 1;
  private offset: number;
  private rowStart: number;
  private cells = 1;
  private inQuotes = false;
  private atCellStart = true;
  private justClosed = false;
  private previous = 0;

  constructor(
    private readonly delimiter: number,
    offset: number,
    private readonly see: SeeRow,
    /** The column whose cells are watched. */
    private readonly watched = -1,
  ) {
    this.offset = offset;
    this.rowStart = offset;
    this.cellStart = offset;
  }

  push(chunk: Uint8Array): void {
    const { delimiter, offset } = this;
    let { inQuotes, atCellStart, justClosed, previous } = this;
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!;
      if (inQuotes) {
        if (byte === lineFeed) this.line++;
        inQuotes = byte !== quote;
        justClosed = !inQuotes;
        previous = byte;
        continue;
      }
      if (byte === lineFeed) {
        this.endRow(offset + index, previous);
        this.line++;
        this.rowLine = this.line;
        atCellStart = true;
      } else if (byte === delimiter) {
        if (this.cells === this.watched) this.cellStart = offset + index + 1;
        else if (this.cells === this.watched + 1) this.cellEnd = offset + index;
        this.cells++;
        atCellStart = true;
      } else if (byte === quote && (atCellStart || justClosed)) {
        // A doubled quote closes and opens again.
        inQuotes = true;
        atCellStart = false;
      } else atCellStart = false;
      justClosed = false;
      previous = byte;
    }
    Object.assign(this, { inQuotes, atCellStart, justClosed, previous });
    this.offset += chunk.length;
  }

  /** @returns false where a quote is still open */
  finish(): boolean {
    if (this.inQuotes) return false;
    if (this.rowStart < this.offset) this.endRow(this.offset, this.previous);
    return true;
  }

  private endRow(position: number, previous: number): void {
    const end = previous === carriageReturn && position > this.rowStart ? position - 1 : position;
    if (this.cells === this.watched + 1) this.cellEnd = end;
    if (end > this.rowStart) this.see(this.rowStart, end, this.rowLine, this.line, this.cells);
    this.rowStart = position + 1;
    if (this.watched === 0) this.cellStart = this.rowStart;
    this.cells = 1;
  }
}

function byteOrderMark(head: Uint8Array, source: ByteSource): number {
  const [first, second, third] = head;
  if (first === 0xef && second === 0xbb && third === 0xbf) return 3;
  if ((first === 0xff && second === 0xfe) || (first === 0xfe && second === 0xff)) {
    throw new WhenceError('unsupported-format', 'The file is UTF-16 text; UTF-8 is read.', {
      file: source.path,
      place: 'byte 0',
      mend: 'Save it as UTF-8.',
    });
  }
  return 0;
}

/** The most frequent of tab, semicolon, comma and bar in the first row, outside quotes; comma where there is none. */
function inferDelimiter(head: Uint8Array): number {
  const counts = new Map([',', '\t', ';', '|'].map((character) => [character.charCodeAt(0), 0]));
  let inQuotes = false;
  for (const byte of head) {
    if (byte === quote) inQuotes = !inQuotes;
    else if (byte === lineFeed && !inQuotes) break;
    else if (!inQuotes && counts.has(byte)) counts.set(byte, counts.get(byte)! + 1);
  }
  return [...counts].reduce((best, one) => (one[1] > best[1] ? one : best))[0];
}
