import { FlatTable } from './flatbuffer';

export const messageTypes = { schema: 1, dictionary: 2, batch: 3 } as const;

/** What a message's head says of it. */
export interface ArrowMessage {
  readonly type: number;
  readonly bodyLength: number;
  /** Rows, of a record batch. */
  readonly rows: number;
  readonly isPacked: boolean;
}

const unionType = 14;
/** Fields of a schema, nested ones counted: references may form a tree that is far larger than its bytes. */
const mostFields = 100_000;

/**
 * Reads a message's head, and goes through all of its lists before anyone makes arrays of their lengths:
 * https://github.com/apache/arrow/blob/main/format/Message.fbs. Throws any error where it is not sound.
 */
export function readArrowMetadata(bytes: Uint8Array): ArrowMessage {
  const message = FlatTable.root(bytes);
  const type = message.uint8(1);
  const header = message.table(2);
  const batch = type === messageTypes.dictionary ? header?.table(1) : header;
  if (type === messageTypes.schema && header) checkSchema(header);
  else if (batch) checkBatch(batch);
  return {
    type,
    bodyLength: message.int64(3),
    rows: type === messageTypes.batch ? (batch?.int64(0) ?? 0) : 0,
    isPacked: batch?.table(3) !== undefined,
  };
}

function checkBatch(batch: FlatTable): void {
  batch.vectorLength(1, 16);
  batch.vectorLength(2, 16);
  batch.vectorLength(4, 8);
}

function checkSchema(schema: FlatTable): void {
  let count = 0;
  const check = (parent: FlatTable, children: number, pairs: number) => {
    for (const pair of parent.tables(pairs)) checkPair(pair);
    for (const field of parent.tables(children)) {
      count++;
      if (count > mostFields) throw new Error(`there are more than ${mostFields} fields`);
      field.vectorLength(0, 1);
      if (field.uint8(2) === unionType) field.table(3)?.vectorLength(1, 4);
      check(field, 5, 6);
    }
  };
  check(schema, 1, 2);
}

function checkPair(pair: FlatTable): void {
  pair.vectorLength(0, 1);
  pair.vectorLength(1, 1);
}
