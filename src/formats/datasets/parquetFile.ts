import { type AsyncBuffer, type FileMetaData, parquetMetadataAsync, parquetReadObjects } from 'hyparquet';
import { parquetReadColumn } from 'hyparquet/src/read.js';
import type { ByteSource } from '../bytes';
import { pageCompressors } from './codecs';
import type { Row } from './exampleArrays';
import { huggingFaceClasses } from './huggingFaceFeatures';
import { checkMetadata, checkPages, damaged, type PageLimits } from './parquetChecks';
import type { TableFile } from './tableRecords';

/** Rows that are decoded together and kept until others are asked for: what makes reading one by one cheap. */
const mostRowsPerBlock = 4096;
const bytesPerBlock = 2 ** 23;

export function isParquet(head: Uint8Array): boolean {
  return head[0] === 0x50 && head[1] === 0x41 && head[2] === 0x52 && head[3] === 0x31;
}

/**
 * A Parquet file, read by row groups and within them by pages: https://parquet.apache.org/docs/file-format. Whatever its
 * bytes say is checked before memory is taken for it. Fails with `malformed-file`, `truncated-file`, `unsupported-format`.
 */
export async function openParquet(source: ByteSource): Promise<TableFile> {
  const limits: PageLimits[] = [];
  const file = checkedBuffer(source, limits);
  const metadata = await failingAs(source, 'footer', () => parquetMetadataAsync(file, { geoparquet: false }));
  const { columns, groups, length, bytes } = await failingAs(source, 'footer', async () =>
    checkMetadata(metadata, source),
  );
  for (const group of groups) limits.push(...group.chunks);
  const rowsPerBlock = Math.max(
    1,
    Math.min(mostRowsPerBlock, Math.floor((bytesPerBlock * length) / Math.max(1, bytes))),
  );
  const blockEnd = (from: number) => {
    const group = groups.find(({ start, rows }) => from < start + rows)!;
    const inside = from - group.start;
    return group.start + Math.min(group.rows, inside - (inside % rowsPerBlock) + rowsPerBlock);
  };
  const read = (from: number, to: number, keys: readonly string[] | undefined) =>
    failingAs(source, `rows ${from + 1} to ${to}`, async () => {
      const columnsRead = keys?.filter((key) => columns.includes(key));
      const rows: Row[] = await parquetReadObjects({
        ...reading(file, metadata),
        ...(columnsRead ? { columns: columnsRead } : {}),
        rowStart: from,
        rowEnd: to,
      });
      if (rows.length !== to - from) throw new Error(`${rows.length} rows are there`);
      return rows;
    });
  let kept: { from: number; to: number; keys: string; rows: Promise<readonly Row[]> } | undefined;
  return {
    path: source.path,
    length,
    bytes,
    columns,
    blockEnd,
    async rows(from, to, keys) {
      const all: Row[] = [];
      const name = keys?.join('\n') ?? '*';
      for (let at = from; at < to; ) {
        if (!(kept && kept.keys === name && kept.from <= at && at < kept.to)) {
          const end = blockEnd(at);
          const start = Math.max(groups.find((group) => at < group.start + group.rows)!.start, end - rowsPerBlock);
          kept = { from: start, to: end, keys: name, rows: read(start, end, keys) };
        }
        // Another call may keep another block by the time that this one's is read.
        const block = kept;
        const end = Math.min(to, block.to);
        for (const row of (await block.rows).slice(at - block.from, end - block.from)) all.push(row);
        at = end;
      }
      return all;
    },
    async *column(key) {
      for (const { start, rows } of groups) {
        yield await failingAs(source, `column ${key}`, () =>
          parquetReadColumn({ ...reading(file, metadata), columns: [key], rowStart: start, rowEnd: start + rows }),
        );
      }
    },
    classNames: huggingFaceClasses(metadata.key_value_metadata?.find(({ key }) => key === 'huggingface')?.value),
  };
}

/** The file as the reader asks for it; pages are checked by what is known of their columns at the time. */
function checkedBuffer(source: ByteSource, limits: readonly PageLimits[]): AsyncBuffer {
  const slice = async (start: number, end = source.size): Promise<ArrayBuffer> => {
    const bytes = await source.read(start, end - start);
    // One read may span the columns of a group; one by pages begins at a page.
    for (const limit of limits) {
      const { from, to } = limit;
      if (from >= end || to <= start) continue;
      const first = Math.max(from, start);
      checkPages(bytes.subarray(first - start, to - start), { ...limit, from: first }, source);
    }
    return bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength
      ? bytes.buffer
      : bytes.slice().buffer;
  };
  return {
    byteLength: source.size,
    slice(start, end) {
      const reading = slice(start, end);
      // The reader asks ahead, and of what it then does not come to, nobody would hear that it failed.
      reading.catch(() => undefined);
      return reading;
    },
  };
}

function reading(file: AsyncBuffer, metadata: FileMetaData) {
  return { file, metadata, compressors: pageCompressors, useOffsetIndex: true, utf8: false, geoparquet: false };
}

/** The reader's own errors are about its code; what they mean is that the file's bytes contradict each other. */
async function failingAs<T>(source: ByteSource, place: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (error) {
    throw damaged(source, place, error);
  }
}
