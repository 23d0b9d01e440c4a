import { WhenceError } from '../../protocol/errors';
import { GrowingArray } from './growingArray';

/** A new block begins after so many rows or bytes: one row is found by reading one block. */
const rowsPerBlock = 64;
const bytesPerBlock = 2 ** 16;
/** A row is decoded as one string, which cannot be much longer. */
const longestRow = 2 ** 28;

/** Bytes `start` to `end` of a file, which hold the rows from `row` on. */
export interface RowBlock {
  readonly row: number;
  readonly start: number;
  readonly end: number;
}

/**
 * Where the rows of a text file lie, without a place for each: only every block's first one is kept, and line numbers only
 * where they do not just count on. Ten million lines take 2.5 MB.
 */
export class RowIndex {
  private readonly blockRows = new GrowingArray();
  private readonly blockStarts = new GrowingArray();
  /** Rows whose line is not the one after their predecessor's, and that line. */
  private readonly jumpRows = new GrowingArray();
  private readonly jumpLines = new GrowingArray();
  private readonly tallRows = new GrowingArray();
  private readonly tallLastLines = new GrowingArray();
  private expectedLine = 0;
  private end = 0;
  private count = 0;

  constructor(private readonly path: string) {}

  get length(): number {
    return this.count;
  }

  /** The next row: bytes `start` to `end`, on lines `line` to `lastLine`. */
  add(start: number, end: number, line: number, lastLine = line): void {
    this.checkLength(end - start, line);
    const last = this.blockRows.length - 1;
    const isFull =
      last < 0 ||
      this.count - this.blockRows.at(last) >= rowsPerBlock ||
      end - this.blockStarts.at(last) > bytesPerBlock;
    if (isFull) {
      this.blockRows.push(this.count);
      this.blockStarts.push(start);
    }
    if (line !== this.expectedLine) {
      this.jumpRows.push(this.count);
      this.jumpLines.push(line);
    }
    if (lastLine > line) {
      this.tallRows.push(this.count);
      this.tallLastLines.push(lastLine);
    }
    this.expectedLine = line + 1;
    this.end = end;
    this.count++;
  }

  /** Refuses a row of `bytes` where no text could hold it. */
  checkLength(bytes: number, line: number): void {
    if (bytes <= longestRow) return;
    throw new WhenceError(
      'malformed-file',
      `Line ${line} has more than ${longestRow} bytes: this is no text of rows.`,
      {
        file: this.path,
        place: `line ${line}`,
        mend: 'Write one example a line.',
      },
    );
  }

  /** The line, counted from 1, on which a row begins. */
  firstLine(row: number): number {
    const jump = this.jumpRows.countUpTo(row) - 1;
    return this.jumpLines.at(jump) + row - this.jumpRows.at(jump);
  }

  lastLine(row: number): number {
    const tall = this.tallRows.countUpTo(row) - 1;
    return tall >= 0 && this.tallRows.at(tall) === row ? this.tallLastLines.at(tall) : this.firstLine(row);
  }

  /** The row that a line belongs to; undefined for blank ones and those beyond. */
  rowAt(line: number): number | undefined {
    let low = 0;
    let high = this.count - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.firstLine(middle) <= line) low = middle;
      else high = middle - 1;
    }
    return this.firstLine(low) <= line && line <= this.lastLine(low) ? low : undefined;
  }

  /** Whole blocks with rows `from` to `to - 1` in them. */
  block(from: number, to: number): RowBlock {
    const first = this.blockRows.countUpTo(from) - 1;
    const after = this.blockRows.countUpTo(to - 1);
    return { row: this.blockRows.at(first), start: this.blockStarts.at(first), end: this.startOf(after) };
  }

  /** The row after `from` up to which rows make a read of about `bytes`, at a block's border. */
  readEnd(from: number, bytes: number): number {
    const start = this.blockStarts.at(this.blockRows.countUpTo(from) - 1);
    const block = Math.max(this.blockRows.countUpTo(from), this.blockStarts.countUpTo(start + bytes) - 1);
    return block < this.blockRows.length ? this.blockRows.at(block) : this.count;
  }

  private startOf(block: number): number {
    return block < this.blockStarts.length ? this.blockStarts.at(block) : this.end;
  }
}
