import { WhenceError } from '../../protocol/errors';
import type { Preview } from '../../protocol/model';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import type { Place, Row } from './exampleArrays';
import { JsonKeyScanner } from './jsonKeyScanner';
import type { LabelEncoder } from './labels';
import { type Lines, scanLines } from './lines';
import type { RecordKeys } from './recordKeys';
import { addLabel, type ReadKeys, type Records, recordsDataset } from './records';

/** Keys that hold the text of an example, in order of preference. */
const textNames = ['text', 'sentence', 'content', 'document', 'prompt'];
const longestPreview = 2000;

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
    preview: async (index, keys) => previewOf((await lines.text(index, index + 1))[0]!, keys),
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

function previewOf(text: string, { features, label }: ReadKeys): Preview {
  const row = JSON.parse(text) as Row;
  if (typeof features === 'string' || features.some((key) => Array.isArray(row[key]))) {
    // Token ids say nothing to people: what they were made of, where the row has it, does.
    const words = textNames.filter((name) => name !== label).map((name) => row[name]);
    const said = words.find((value) => typeof value === 'string');
    return { kind: 'text', text: shortened(said ?? text) };
  }
  const columns = label === undefined ? features : [...features, label];
  return { kind: 'row', columns, values: columns.map((key) => String(row[key] ?? '')) };
}

function shortened(text: string): string {
  return text.length > longestPreview ? `${text.slice(0, longestPreview)}…` : text;
}
