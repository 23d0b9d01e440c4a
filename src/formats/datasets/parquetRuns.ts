import type { PageHeader } from 'hyparquet';
import { pageCompressors } from './codecs';

/** What the footer says of a column that the runs in its pages depend on. */
export interface ColumnCoding {
  readonly codec: string;
  /** Highest levels: how many of the column's parents may be missing, and how many repeat. */
  readonly definition: number;
  readonly repetition: number;
}

/**
 * Goes through the runs of a page (https://parquet.apache.org/docs/file-format/data-pages/encodings, run length encoding)
 * before it is decoded: a run of a few bytes can stand for two thousand million values, and the reader writes what a run says.
 * Throws where the runs of levels or of a dictionary's indices come to more than the page's values.
 */
export function checkRuns(page: Uint8Array, header: PageHeader, { codec, definition, repetition }: ColumnCoding): void {
  const { data_page_header: first, data_page_header_v2: second } = header;
  const unpack = (bytes: Uint8Array, length: number) => {
    const unpacker = codec === 'UNCOMPRESSED' ? undefined : pageCompressors[codec as keyof typeof pageCompressors];
    return unpacker ? unpacker(bytes, length) : bytes;
  };
  if (first) {
    const bytes = unpack(page, header.uncompressed_page_size);
    let at = 0;
    for (const highest of [repetition, definition]) {
      if (highest > 0) at = checkSized(bytes, at, highest, first.num_values);
    }
    if (isDictionary(first.encoding)) checkIndices(bytes.subarray(at), first.num_values);
    else if (first.encoding === 'RLE') checkSized(bytes, at, 1, first.num_values);
  } else if (second) {
    const { repetition_levels_byte_length: repeated, definition_levels_byte_length: defined } = second;
    if (repetition > 0) walk(page.subarray(0, repeated), widthOf(repetition), second.num_values);
    if (definition > 0) walk(page.subarray(repeated, repeated + defined), widthOf(definition), second.num_values);
    if (!isDictionary(second.encoding) && second.encoding !== 'RLE') return;
    const packed = page.subarray(repeated + defined);
    const length = header.uncompressed_page_size - repeated - defined;
    const bytes = second.is_compressed === false ? packed : unpack(packed, length);
    if (isDictionary(second.encoding)) checkIndices(bytes, second.num_values);
    else checkSized(bytes, 0, 1, second.num_values);
  }
}

function isDictionary(encoding: string): boolean {
  return encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY';
}

/** Indices stand after a byte with their width. */
function checkIndices(bytes: Uint8Array, values: number): void {
  const width = bytes[0] ?? 0;
  if (width > 32) throw new Error(`a page has indices of ${width} bits`);
  if (width > 0) walk(bytes.subarray(1), width, values);
}

/** Runs after four bytes with their length; gives the byte behind them. */
function checkSized(bytes: Uint8Array, at: number, highest: number, values: number): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at, true);
  const end = at + 4 + length;
  if (end > bytes.length) throw new Error('levels reach beyond their page');
  walk(bytes.subarray(at + 4, end), widthOf(highest), values);
  return end;
}

function walk(bytes: Uint8Array, width: number, values: number): void {
  let at = 0;
  for (let seen = 0; seen < values; ) {
    let header = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 28) throw new Error('runs end before their values');
      header += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) break;
    }
    const count = Math.floor(header / 2);
    if (header % 2 === 1) {
      // Groups of eight, of which the last may be longer than what is left.
      at += count * width;
      seen += 8 * count;
    } else {
      if (count > values - seen) throw new Error(`a run stands for ${count} values where ${values - seen} are left`);
      at += (width + 7) >> 3;
      seen += count;
    }
    if (at > bytes.length && seen < values) throw new Error('runs end before their values');
  }
}

function widthOf(highest: number): number {
  return 32 - Math.clz32(highest);
}
