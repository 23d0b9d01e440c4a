import { WhenceError } from '../../protocol/errors';
import type { Row } from './exampleArrays';
import type { LabelEncoder } from './labels';
import { recordPreview } from './recordPreview';
import { addLabel, type Records } from './records';
import { plainValue } from './tableValues';

/** One file of a table by columns. */
export interface TableFile {
  readonly path: string;
  readonly length: number;
  /** Bytes that its values take unpacked, about. */
  readonly bytes: number;
  /** Rows `from` to `to - 1`, all columns or those of `keys`. Values are as the file's reader gives them. */
  rows(from: number, to: number, keys?: readonly string[]): Promise<readonly Row[]>;
  /** The row after `from` up to which rows make a read of handy size. */
  blockEnd(from: number): number;
  /** A column of scalars, block by block. */
  column(key: string): AsyncIterable<ArrayLike<unknown>>;
  readonly columns: readonly string[];
  classNames(key: string): readonly string[] | undefined;
}

/** Labels of this many examples take 1 GB. */
const mostRows = 2 ** 27;

/** The parts of a split, each a file of the same columns, as one list of records. */
export async function tableRecords(format: string, parts: readonly TableFile[]): Promise<Records> {
  const starts: number[] = [];
  let length = 0;
  for (const part of parts) {
    starts.push(length);
    length += part.length;
    checkColumns(part, parts[0]!);
    // What is said of the rows is believed once the last one could be read.
    if (part.length > 0) await part.rows(part.length - 1, part.length);
  }
  const [first] = parts as [TableFile];
  if (length === 0) {
    throw new WhenceError('empty-data', 'The file has no rows.', {
      file: first.path,
      mend: 'Write the table again, or name another file in whence.json.',
    });
  }
  if (length > mostRows) {
    throw new WhenceError('out-of-memory', `${length} examples are more than the ${mostRows} that are read.`, {
      file: first.path,
      mend: 'Name fewer of the files in whence.json.',
    });
  }
  const partOf = (index: number) => {
    let part = 0;
    while (part + 1 < parts.length && starts[part + 1]! <= index) part++;
    return { part: parts[part]!, start: starts[part]! };
  };
  const place = (index: number) => {
    const { part, start } = partOf(index);
    return { file: part.path, name: `Row ${index - start + 1}`, place: `row ${index - start + 1}` };
  };
  const rows = async (from: number, to: number, keys?: readonly string[]) => {
    const all: Row[] = [];
    for (let at = from; at < to; ) {
      const { part, start } = partOf(at);
      const end = Math.min(to, start + part.length);
      for (const row of await part.rows(at - start, end - start, keys)) all.push(plainRow(row, part.path));
      at = end;
    }
    return all;
  };
  return {
    format,
    files: parts.map(({ path }) => path),
    length,
    bytes: parts.reduce((sum, { bytes }) => sum + bytes, 0),
    rows,
    blockEnd(from) {
      const { part, start } = partOf(from);
      return start + part.blockEnd(from - start);
    },
    place,
    locate(index) {
      const { part, start } = partOf(index);
      return { file: part.path, index, row: index - start + 1 };
    },
    classNames: (key) => first.classNames(key),
    async encodeLabels(key, encoder) {
      for (const [number, part] of parts.entries()) await encodeColumn(part, starts[number]!, key, encoder, place);
    },
    preview: async (index, keys) => recordPreview((await rows(index, index + 1))[0]!, keys),
  };
}

async function encodeColumn(
  part: TableFile,
  start: number,
  key: string,
  encoder: LabelEncoder,
  place: Records['place'],
): Promise<void> {
  let index = start;
  for await (const values of part.column(key)) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i];
      if (typeof value === 'number') encoder.addNumber(value);
      else if (typeof value === 'bigint') encoder.addNumber(Number(value));
      else addLabel({ [key]: plainValue(value, part.path) }, key, encoder, place(index));
      index++;
    }
  }
  if (index - start === part.length) return;
  const message = `The column ${key} has ${index - start} values for ${part.length} rows.`;
  throw new WhenceError('malformed-file', message, { file: part.path, place: `column ${key}` });
}

function plainRow(row: Row, file: string): Row {
  return Object.fromEntries(Object.entries(row).map(([key, value]) => [key, plainValue(value, file)]));
}

function checkColumns(part: TableFile, first: TableFile): void {
  if (part.columns.join() === first.columns.join()) return;
  const message = `The file has the columns ${part.columns.join(', ')}, ${first.path} those of ${first.columns.join(', ')}.`;
  throw new WhenceError('malformed-file', message, {
    file: part.path,
    mend: 'Name files of one table as the parts of a split in whence.json.',
  });
}
