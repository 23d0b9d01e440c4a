import { type Table, tableFromIPC } from '@uwdata/flechette';
import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import { type ByteRange, damagedArrow, walkArrow } from './arrowMessages';
import { registerArrowCodecs } from './codecs';
import type { Row } from './exampleArrays';
import { huggingFaceClasses } from './huggingFaceFeatures';
import type { TableFile } from './tableRecords';

/** A batch is decoded whole: what one may take, dictionaries included. */
const largestBatch = 2 ** 30;

/**
 * An Arrow IPC file or stream, read batch by batch: each with the schema and its dictionaries makes a small stream of its own.
 * Fails with `malformed-file`, `truncated-file`, `unsupported-format`.
 */
export async function openArrow(source: ByteSource): Promise<TableFile> {
  registerArrowCodecs();
  const messages = await walkArrow(source);
  const read = ({ offset, length }: ByteRange) => source.read(offset, length);
  const schema = await read(messages.schema);
  const described = decode(source, [schema], 0);
  let kept: { readonly batch: number; readonly table: Promise<Table> } | undefined;
  const tableOf = (batch: number): Promise<Table> => {
    if (kept?.batch !== batch) {
      const table = readBatch(batch);
      table.catch(() => {
        kept = undefined;
      });
      kept = { batch, table };
    }
    return kept.table;
  };
  const readBatch = async (batch: number) => {
    const range = messages.batch(batch);
    const dictionaries = messages.dictionaries.filter(({ batchesBefore }) => batchesBefore <= batch);
    const bytes = [...dictionaries, range].reduce((sum, { length }) => sum + length, 0);
    if (bytes > largestBatch) {
      throw new WhenceError('out-of-memory', `One batch of rows takes ${bytes} bytes.`, {
        file: source.path,
        place: `byte ${range.offset}`,
        mend: 'Write the table in smaller batches, for example with max_chunksize=10000.',
      });
    }
    const parts = await Promise.all([...dictionaries, range].map(read));
    const table = decode(source, [schema, ...parts], range.offset);
    const rows = messages.firstRow(batch + 1) - messages.firstRow(batch);
    // A column of another length would be read beyond its end.
    const wrong = table.children.find(({ length }) => length !== rows);
    if (wrong) throw damagedArrow(source, range.offset, `a column has ${wrong.length} values for ${rows} rows`);
    return table;
  };
  const names = described.schema.fields.map(({ name }) => name);
  return {
    path: source.path,
    length: messages.rows,
    bytes: source.size,
    columns: names,
    blockEnd: (from) => messages.firstRow(messages.batchOf(from) + 1),
    async rows(from, to, keys) {
      const rows: Row[] = [];
      const wanted = keys ? names.filter((name) => keys.includes(name)) : names;
      for (let at = from; at < to; ) {
        const batch = messages.batchOf(at);
        const table = await tableOf(batch);
        const first = messages.firstRow(batch);
        const end = Math.min(to, messages.firstRow(batch + 1));
        const columns = wanted.map((name) => [name, table.getChild(name)] as const);
        for (; at < end; at++) {
          const index = at - first;
          rows.push(
            guarded(source, messages.batch(batch).offset, () =>
              Object.fromEntries(columns.map(([name, column]) => [name, column?.at(index)])),
            ),
          );
        }
      }
      return rows;
    },
    async *column(key) {
      for (let batch = 0; batch < messages.batches; batch++) {
        const column = (await tableOf(batch)).getChild(key);
        yield guarded(source, messages.batch(batch).offset, () => column?.toArray() ?? []);
      }
    },
    classNames: huggingFaceClasses(described.schema.metadata?.get('huggingface')),
  };
}

function decode(source: ByteSource, parts: Uint8Array[], at: number): Table {
  return guarded(source, at, () => tableFromIPC(parts, { useDate: true }));
}

/** The reader's own errors are about its code; what they mean is that the file's bytes contradict each other. */
function guarded<T>(source: ByteSource, at: number, act: () => T): T {
  try {
    return act();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw damagedArrow(source, at, reason);
  }
}
