import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';

/** Where each row of a CSV file lies, the header among them, blank lines left out. `end` is before the line's end. */
export interface CsvRows {
  readonly delimiter: string;
  readonly columns: number;
  readonly length: number;
  readonly start: readonly number[];
  readonly end: readonly number[];
  readonly firstLine: readonly number[];
  readonly lastLine: readonly number[];
}

const quote = 0x22;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;
const chunkBytes = 2 ** 22;

/**
 * One pass over the bytes, quotes obeyed. Every row must have as many cells as the first: `malformed-file` with the line
 * otherwise, and for a quote that never closes.
 */
export async function scanRows(source: ByteSource): Promise<CsvRows> {
  const start: number[] = [];
  const end: number[] = [];
  const firstLine: number[] = [];
  const lastLine: number[] = [];
  const head = await source.read(0, Math.min(source.size, 2 ** 16));
  const bom = byteOrderMark(head, source);
  const delimiter = inferDelimiter(head.subarray(bom));
  let columns = 0;
  let line = 1;
  let rowLine = 1;
  let rowStart = bom;
  let cells = 1;
  let inQuotes = false;
  let atCellStart = true;
  let justClosed = false;
  let previous = 0;

  const endRow = (position: number) => {
    const rowEnd = previous === carriageReturn && position > rowStart ? position - 1 : position;
    if (rowEnd > rowStart) {
      columns ||= cells;
      if (cells !== columns) {
        const message = `Line ${rowLine} has ${cells} cells, the first row ${columns}.`;
        throw new WhenceError('malformed-file', message, {
          file: source.path,
          place: `line ${rowLine}`,
          mend: 'Give every row the same number of cells; put quotes around cells that hold the delimiter.',
        });
      }
      start.push(rowStart);
      end.push(rowEnd);
      firstLine.push(rowLine);
      lastLine.push(line);
    }
    rowStart = position + 1;
    rowLine = line + 1;
    cells = 1;
  };

  for (let offset = bom; offset < source.size; offset += chunkBytes) {
    const chunk = await source.read(offset, Math.min(chunkBytes, source.size - offset));
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!;
      if (inQuotes) {
        if (byte === lineFeed) line++;
        inQuotes = byte !== quote;
        justClosed = !inQuotes;
        previous = byte;
        continue;
      }
      if (byte === lineFeed) {
        endRow(offset + index);
        line++;
        atCellStart = true;
      } else if (byte === delimiter) {
        cells++;
        atCellStart = true;
      } else if (byte === quote && (atCellStart || justClosed)) {
        // A doubled quote closes and opens again.
        inQuotes = true;
        atCellStart = false;
      } else atCellStart = false;
      justClosed = false;
      previous = byte;
    }
  }
  if (inQuotes) {
    throw new WhenceError('malformed-file', `A quote that opens in the row of line ${rowLine} never closes.`, {
      file: source.path,
      place: `line ${rowLine}`,
    });
  }
  if (rowStart < source.size) endRow(source.size);
  return { delimiter: String.fromCharCode(delimiter), columns, length: start.length, start, end, firstLine, lastLine };
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
