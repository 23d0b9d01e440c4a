import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { type ArrowMessage, messageTypes, readArrowMetadata } from './arrowMetadata';
import { GrowingArray } from './growingArray';

/** Where the messages of an Arrow file or stream lie. */
export interface ArrowMessages {
  readonly schema: ByteRange;
  /** Of every dictionary batch, and how many record batches come before it. */
  readonly dictionaries: readonly (ByteRange & { readonly batchesBefore: number })[];
  readonly batches: number;
  readonly rows: number;
  /** Index of the first row of a batch. */
  firstRow(batch: number): number;
  batchOf(row: number): number;
  batch(index: number): ByteRange;
}

export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

const fileMagic = [0x41, 0x52, 0x52, 0x4f, 0x57, 0x31];
const continuation = 0xffffffff;
const largestMetadata = 2 ** 26;
/** Rows of a batch whose buffers are compressed; of others, a row takes a bit at least. */
const mostPackedRows = 2 ** 24;

export function isArrow(head: Uint8Array): boolean {
  if (isArrowFile(head)) return true;
  // A stream begins with a message whose metadata is a small flatbuffer.
  return head.length >= 8 && [0, 1, 2, 3].every((at) => head[at] === 0xff) && head[7] === 0 && head[6]! < 4;
}

function isArrowFile(head: Uint8Array): boolean {
  return fileMagic.every((byte, at) => head[at] === byte);
}

/**
 * Walks the messages of an Arrow IPC stream, or of the stream that an Arrow file wraps, from head to head; bodies are left
 * alone: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc. A stream may
 * end without its end mark, as one that is still being written does, but not inside a message.
 */
export async function walkArrow(source: ByteSource): Promise<ArrowMessages> {
  const head = await source.read(0, Math.min(8, source.size));
  let at = isArrowFile(head) ? 8 : 0;
  let schema: ByteRange | undefined;
  const dictionaries: (ByteRange & { batchesBefore: number })[] = [];
  const firstRows = new GrowingArray();
  const offsets = new GrowingArray();
  const lengths = new GrowingArray();
  let rows = 0;
  while (at + 4 <= source.size) {
    const message = await readMessage(source, at);
    if (!message) break;
    const { type, length, count } = message;
    const range = { offset: at, length };
    if (type === messageTypes.schema) schema ??= range;
    else if (type === messageTypes.dictionary) dictionaries.push({ ...range, batchesBefore: offsets.length });
    else if (type === messageTypes.batch && count > 0) {
      firstRows.push(rows);
      offsets.push(at);
      lengths.push(length);
      rows += count;
    }
    at += length;
  }
  if (!schema) throw damagedArrow(source, 0, 'no schema stands at its beginning');
  return {
    schema,
    dictionaries,
    batches: offsets.length,
    rows,
    firstRow: (batch) => (batch < firstRows.length ? firstRows.at(batch) : rows),
    batchOf: (row) => firstRows.countUpTo(row) - 1,
    batch: (index) => ({ offset: offsets.at(index), length: lengths.at(index) }),
  };
}

/** The message at a byte; undefined for the mark that ends a stream. `count` are the rows of a record batch. */
async function readMessage(source: ByteSource, at: number) {
  const start = view(await source.read(at, Math.min(8, source.size - at)));
  // Before version 0.15 no mark stood before the length.
  const isMarked = start.getUint32(0, true) === continuation;
  if (isMarked && start.byteLength < 8) throw truncated(source, at + 8);
  const metadataLength = start.getUint32(isMarked ? 4 : 0, true);
  if (metadataLength === 0) return undefined;
  const prefix = isMarked ? 8 : 4;
  if (metadataLength > largestMetadata)
    throw damagedArrow(source, at, `a message claims ${metadataLength} bytes of head`);
  const end = at + prefix + metadataLength;
  if (end > source.size) throw truncated(source, end);
  const head = await source.read(at + prefix, metadataLength);
  const { type, bodyLength, rows, isPacked } = headOf(head, source, at);
  const mostRows = isPacked ? mostPackedRows : 8 * bodyLength;
  if (!(bodyLength >= 0 && bodyLength <= source.size && rows >= 0 && rows <= mostRows)) {
    throw damagedArrow(source, at, `a message claims ${bodyLength} bytes and ${rows} rows`);
  }
  if (end + bodyLength > source.size) throw truncated(source, end + bodyLength);
  return { type, length: prefix + metadataLength + bodyLength, count: rows };
}

function headOf(bytes: Uint8Array, source: ByteSource, at: number): ArrowMessage {
  try {
    return readArrowMetadata(bytes);
  } catch (error) {
    throw damagedArrow(source, at, error instanceof Error ? error.message : String(error));
  }
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function truncated(source: ByteSource, wanted: number): WhenceError {
  return new WhenceError('truncated-file', `The file ends at byte ${source.size}, a message in it at ${wanted}.`, {
    file: source.path,
    place: `byte ${source.size}`,
    mend: 'Copy or save the file again: it is not complete.',
  });
}

export function damagedArrow(source: ByteSource, at: number, reason: string): WhenceError {
  return new WhenceError('malformed-file', `The Arrow table cannot be read: ${reason}.`, {
    file: source.path,
    place: `byte ${at}`,
    mend: 'Write or copy the file again.',
  });
}
