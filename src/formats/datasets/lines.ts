import type { ByteSource } from '../bytes';

/** A text file's lines by place; blank ones are left out, but counted. */
export interface Lines {
  readonly length: number;
  /** Number in the file, from 1, of the line at an index. */
  number(index: number): number;
  text(from: number, to: number): Promise<string[]>;
  /** How many lines from `from` on make a read of handy size. */
  blockEnd(from: number): number;
}

const chunkBytes = 2 ** 22;

export async function scanLines(source: ByteSource): Promise<Lines> {
  const start: number[] = [];
  const end: number[] = [];
  const numbers: number[] = [];
  let line = 1;
  let from = 0;
  let blank = true;
  const endLine = (position: number) => {
    if (!blank) {
      start.push(from);
      end.push(position);
      numbers.push(line);
    }
    from = position + 1;
    blank = true;
    line++;
  };
  for (let offset = 0; offset < source.size; offset += chunkBytes) {
    const chunk = await source.read(offset, Math.min(chunkBytes, source.size - offset));
    for (let index = 0; index < chunk.length; index++) {
      const byte = chunk[index]!;
      if (byte === 0x0a) endLine(offset + index);
      // Spaces, carriage returns and a byte order mark's three bytes make no line.
      else if (byte > 0x20 && !(offset + index < 3 && byte >= 0xbb)) blank = false;
    }
  }
  if (from < source.size) endLine(source.size);
  return {
    length: start.length,
    number: (index) => numbers[index]!,
    async text(first, last) {
      if (first >= last) return [];
      const base = start[first]!;
      const bytes = await source.read(base, end[last - 1]! - base);
      // The decoder drops a byte order mark.
      const decoder = new TextDecoder('utf-8');
      return Array.from({ length: last - first }, (_, index) =>
        decoder.decode(bytes.subarray(start[first + index]! - base, end[first + index]! - base)),
      );
    },
    blockEnd(first) {
      let last = first + 1;
      while (last < start.length && end[last]! - start[first]! <= chunkBytes) last++;
      return last;
    },
  };
}
