import type { ByteSource } from '../bytes';
import { RowIndex } from './rowIndex';

/** A text file's lines by place; blank ones are left out, but counted. */
export interface Lines {
  readonly length: number;
  /** Number in the file, from 1, of the line at an index. */
  number(index: number): number;
  /** The index of the line of that number; undefined for blank ones. */
  at(line: number): number | undefined;
  text(from: number, to: number): Promise<string[]>;
  /** How many lines from `from` on make a read of handy size. */
  blockEnd(from: number): number;
}

const chunkBytes = 2 ** 22;
const lineFeed = 0x0a;

/** Bytes `from` to `to` of `bytes` are the line of that number. */
export type SeeLine = (bytes: Uint8Array, from: number, to: number, line: number) => void;

/** Finds all lines in one pass; `see` is shown each one that is not blank. */
export async function scanLines(source: ByteSource, see?: SeeLine): Promise<Lines> {
  const index = new RowIndex(source.path);
  let line = 1;
  /** What of the last chunk no line's end followed. */
  let rest: readonly Uint8Array[] = [];
  let restBytes = 0;
  for (let offset = 0; offset < source.size; offset += chunkBytes) {
    const chunk = await source.read(offset, Math.min(chunkBytes, source.size - offset));
    const isLast = offset + chunkBytes >= source.size;
    // A line longer than many chunks is put together once, at its end.
    if (!isLast && !chunk.includes(lineFeed)) {
      rest = [...rest, chunk];
      restBytes += chunk.length;
      index.checkLength(restBytes, line);
      continue;
    }
    const bytes = restBytes === 0 ? chunk : joined([...rest, chunk]);
    const start = offset - restBytes;
    let from = 0;
    for (let end = bytes.indexOf(lineFeed); ; end = bytes.indexOf(lineFeed, from)) {
      if (end < 0 && !isLast) break;
      const to = end < 0 ? bytes.length : end;
      if (!isBlank(bytes, from, to, start + from)) {
        index.add(start + from, start + to, line);
        see?.(bytes, from, to, line);
      }
      from = to + 1;
      line++;
      if (end < 0) break;
    }
    rest = from < bytes.length ? [bytes.subarray(from)] : [];
    restBytes = Math.max(0, bytes.length - from);
  }
  return {
    length: index.length,
    number: (row) => index.firstLine(row),
    at: (number) => index.rowAt(number),
    async text(first, last) {
      if (first >= last) return [];
      const { row, start, end } = index.block(first, last);
      const bytes = await source.read(start, end - start);
      const texts: string[] = [];
      // The decoder drops a byte order mark.
      const decoder = new TextDecoder('utf-8');
      for (let from = 0, at = row; at < last; ) {
        const found = bytes.indexOf(lineFeed, from);
        const to = found < 0 ? bytes.length : found;
        if (!isBlank(bytes, from, to, start + from)) {
          if (at >= first) texts.push(decoder.decode(bytes.subarray(from, to)));
          at++;
        }
        from = to + 1;
      }
      return texts;
    },
    blockEnd: (first) => index.readEnd(first, chunkBytes),
  };
}

/** Spaces, carriage returns and a byte order mark's three bytes make no line. */
function isBlank(bytes: Uint8Array, from: number, to: number, offset: number): boolean {
  for (let index = from; index < to; index++) {
    const byte = bytes[index]!;
    if (byte > 0x20 && !(offset + index - from < 3 && byte >= 0xbb)) return false;
  }
  return true;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
