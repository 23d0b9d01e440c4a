import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import type { Place, Row } from './exampleArrays';
import { JsonKeyScanner } from './jsonKeyScanner';
import type { LabelEncoder } from './labels';
import { type Lines, scanLines } from './lines';
import type { RecordKeys } from './recordKeys';
import { recordPreview } from './recordPreview';
import { addLabel, type Records, recordsDataset } from './records';

/**
 * One JSON object a line. Fails with `malformed-file` and the line where JSON, a feature or its shape is wrong, with
 * `config-invalid` where a key is missing.
 */
export async function openJsonlDataset(
  source: ByteSource,
  keys: RecordKeys = {},
  classes?: readonly string[],
): Promise<Dataset> {
  const lines = await scanLines(source);
  if (lines.length === 0)
    throw new WhenceError('empty-data', 'The file has no lines.', {
      file: source.path,
      mend: 'Write the examples again, or name another file in whence.json.',
    });
  return recordsDataset(jsonlRecords(source, lines), keys, classes);
}

function jsonlRecords(source: ByteSource, lines: Lines): Records {
  const place = (index: number) => lineOf(source, lines.number(index));
  const row = (text: string, index: number) => parseRow(text, place(index));
  return {
    format: 'jsonl',
    files: [source.path],
    length: lines.length,
    bytes: source.size,
    rows: async (from, to) => (await lines.text(from, to)).map((text, offset) => row(text, from + offset)),
    blockEnd: lines.blockEnd,
    place,
    locate: (index) => ({ file: source.path, index, line: lines.number(index) }),
    indexAtLine: lines.at,
    classNames: () => undefined,
    encodeLabels: (key, encoder) => scanLabels(source, key, encoder),
    async preview(index, keys) {
      const [text = ''] = await lines.text(index, index + 1);
      return recordPreview(row(text, index), keys, text);
    },
  };
}

/** Labels of a large file, in one more pass over its bytes; a line that the scanner cannot tell is parsed. */
async function scanLabels(source: ByteSource, key: string, encoder: LabelEncoder): Promise<void> {
  const scanner = new JsonKeyScanner(key);
  const decoder = new TextDecoder('utf-8');
  await scanLines(source, (bytes, from, to, line) => {
    const found = scanner.find(bytes, from, to);
    if (found && 'number' in found) encoder.addNumber(found.number);
    else if (found) encoder.add(found.text);
    else {
      const place = lineOf(source, line);
      addLabel(parseRow(decoder.decode(bytes.subarray(from, to)), place), key, encoder, place);
    }
  });
}

function lineOf(source: ByteSource, line: number): Place {
  return { file: source.path, name: `Line ${line}`, place: `line ${line}` };
}

function parseRow(text: string, { file, name, place }: Place): Row {
  const mend = 'Write one JSON object a line.';
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    const message = `${name} is not valid JSON (${(cause as Error).message}).`;
    throw new WhenceError('malformed-file', message, { file, place, mend });
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new WhenceError('malformed-file', `${name} is not a JSON object.`, { file, place, mend });
  }
  return row as Row;
}
