import type { FileMetaData } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { largestUnpacked } from './codecs';
import { type ColumnCoding, checkRuns } from './parquetRuns';

/** What the footer says of a column's part in a row group: its bytes, and how many values its pages may hold. */
export interface PageLimits {
  readonly from: number;
  readonly to: number;
  readonly values: number;
  readonly coding: ColumnCoding;
}

export interface RowGroupPlace {
  readonly start: number;
  readonly rows: number;
  readonly chunks: readonly PageLimits[];
}

export interface CheckedMetadata {
  readonly columns: readonly string[];
  readonly groups: readonly RowGroupPlace[];
  readonly length: number;
  /** Unpacked. */
  readonly bytes: number;
}

/** Values of one column in one row group: beyond, the group would not fit in memory. */
const mostValues = 2 ** 27;

/** Compares what the footer says with itself and with the file's size. */
export function checkMetadata(metadata: FileMetaData, source: ByteSource): CheckedMetadata {
  const groups: RowGroupPlace[] = [];
  let start = 0;
  let bytes = 0;
  const places = schemaLeaves(metadata, source);
  const leaves = places.map(({ path }) => path);
  const columns = [...new Set(leaves.map((path) => path.split('\n')[0]!))];
  // The reader finds columns by name, and leaves alone what it does not find so, its failures too.
  if (new Set(leaves).size < leaves.length) throw damaged(source, 'footer', new Error('two columns have one name'));
  for (const [number, group] of metadata.row_groups.entries()) {
    const rows = Number(group.num_rows);
    const paths = group.columns.map(({ meta_data: chunk }) => chunk?.path_in_schema?.join('\n'));
    if (paths.join('\n\n') !== leaves.join('\n\n'))
      throw contradiction(source, number, 'has other columns than the schema');
    const chunks = group.columns.map(({ meta_data: chunk, file_path: other }, column) => {
      if (!chunk || other) throw contradiction(source, number, 'has a column in another file');
      const from = Number(chunk.dictionary_page_offset || chunk.data_page_offset);
      const to = from + Number(chunk.total_compressed_size);
      const values = Number(chunk.num_values);
      if (!(from >= 4 && to >= from && to <= source.size)) throw contradiction(source, number, 'lies outside the file');
      if (!(values >= 0 && values <= mostValues && rows <= mostValues)) {
        throw contradiction(source, number, `claims ${values} values in a column`);
      }
      // Values that a dictionary or runs stand for take more once they are decoded.
      bytes += Math.max(8 * values, Number(chunk.total_uncompressed_size));
      const { definition, repetition } = places[column]!;
      return { from, to, values, coding: { codec: chunk.codec, definition, repetition } };
    });
    if (!Number.isSafeInteger(rows) || rows < 0) throw contradiction(source, number, `claims ${rows} rows`);
    groups.push({ start, rows, chunks });
    start += rows;
  }
  if (start !== Number(metadata.num_rows)) {
    throw damaged(source, 'footer', new Error(`its groups have ${start} rows, the whole ${metadata.num_rows}`));
  }
  return { columns, groups, length: start, bytes };
}

/** A leaf of the schema, a column of every row group: its names joined by line breaks, and its highest levels. */
interface Leaf {
  readonly path: string;
  readonly definition: number;
  readonly repetition: number;
}

/** The fields stand depth first. */
function schemaLeaves({ schema }: FileMetaData, source: ByteSource): Leaf[] {
  const leaves: Leaf[] = [];
  let at = 1;
  const visit = (parents: readonly string[], definition: number, repetition: number): void => {
    const element = schema[at++];
    if (!element) throw damaged(source, 'footer', new Error('the schema ends before its last column'));
    const path = [...parents, element.name];
    const children = element.num_children ?? 0;
    const type = element.repetition_type;
    const own = [definition + (type === 'REQUIRED' ? 0 : 1), repetition + (type === 'REPEATED' ? 1 : 0)] as const;
    if (children === 0) leaves.push({ path: path.join('\n'), definition: own[0], repetition: own[1] });
    for (let child = 0; child < children; child++) visit(path, ...own);
  };
  for (let column = 0; column < (schema[0]?.num_children ?? 0); column++) visit([], 0, 0);
  return leaves;
}

/**
 * Walks the headers of the pages in `bytes` before any is decoded: a page of a few bytes can claim values that would fill the
 * memory.
 */
export function checkPages(bytes: Uint8Array, limits: PageLimits, source: ByteSource): void {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  while (reader.offset < bytes.length - 1) {
    const place = `byte ${limits.from + reader.offset}`;
    const header = parquetHeader(reader);
    const { compressed_page_size: packed, uncompressed_page_size: unpacked } = header;
    const { data_page_header: first, data_page_header_v2: second, dictionary_page_header: dictionary } = header;
    const own = first ?? second ?? dictionary;
    const values = own?.num_values ?? 0;
    const levels = second ? second.definition_levels_byte_length + second.repetition_levels_byte_length : 0;
    // A number that is missing would have the reader go round in circles.
    const counts = [packed, unpacked, values, levels, ...(second ? [second.num_nulls, second.num_rows] : [])];
    const isSound =
      counts.every((count) => Number.isInteger(count) && count >= 0) &&
      unpacked <= largestUnpacked &&
      values <= limits.values &&
      (second?.num_nulls ?? 0) <= values &&
      (own === undefined || own.encoding !== undefined) &&
      levels <= packed &&
      levels <= unpacked;
    if (!isSound) throw damaged(source, place, new Error(`a page claims ${values} values in ${unpacked} bytes`));
    const page = bytes.subarray(reader.offset, reader.offset + packed);
    // Of a page that is read in part only the whole is decoded; what is cut off is said there.
    if (page.length === packed) checkRuns(page, header, limits.coding);
    reader.offset += packed;
  }
}

function contradiction(source: ByteSource, group: number, what: string): WhenceError {
  return damaged(source, 'footer', new Error(`row group ${group + 1} ${what}`));
}

/** `error` as one of ours; ours stay as they are. */
export function damaged(source: ByteSource, place: string, error: unknown): WhenceError {
  if (error instanceof WhenceError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const isUnknown = /unsupported|not supported/i.test(reason);
  return new WhenceError(
    isUnknown ? 'unsupported-format' : 'malformed-file',
    `The table cannot be read: ${reason}.`,
    { file: source.path, place, mend: 'Write or copy the file again: it is not as its format wants it.' },
    { cause: error },
  );
}
