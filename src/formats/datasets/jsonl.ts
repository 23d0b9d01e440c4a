import { WhenceError } from '../../protocol/errors';
import type { Preview } from '../../protocol/model';
import type { ByteSource } from '../bytes';
import type { Dataset, ExampleArray } from '../dataset';
import { type ArrayKeys, ArrayReader, isSequenceKey, type Row } from './jsonlArrays';
import { encodeLabels, findLabelName } from './labels';
import { scanLines } from './lines';
import { tableDataset } from './table';

export interface JsonlKeys {
  /** Default: a key called label, target, class or y. */
  readonly label?: string;
  /**
   * A key that holds an array of numbers (nested for images), keys of one number each, or keys of several arrays (token ids
   * and their mask). Default: found in the first line.
   */
  readonly features?: string | readonly string[];
}

/** Keys that hold an example's features as one array, in order of preference. */
const featureNames = ['features', 'x', 'input', 'inputs', 'data', 'pixels', 'image', 'values'];
/** Keys that hold the text of an example, in order of preference. */
const textNames = ['text', 'sentence', 'content', 'document', 'prompt'];
const longestPreview = 2000;

/**
 * One JSON object a line. Fails with `malformed-file` and the line where JSON, a feature or its shape is wrong, with
 * `config-invalid` where a key is missing.
 */
export async function openJsonlDataset(
  source: ByteSource,
  keys: JsonlKeys = {},
  classes?: readonly string[],
): Promise<Dataset> {
  const lines = await scanLines(source);
  if (lines.length === 0)
    throw new WhenceError('empty-data', 'The file has no lines.', {
      file: source.path,
      mend: 'Write the examples again, or name another file in whence.json.',
    });
  const first = parseRow((await lines.text(0, 1))[0]!, source, lines.number(0));
  const label = keys.label ?? findLabelName(Object.keys(first));
  const tokenLabels = label !== undefined && Array.isArray(first[label]) ? label : undefined;
  const features = keys.features ?? guessFeatures(first, label, source);
  const arrays = arrayKeys(first, features, tokenLabels);
  const readers = arrays.map((array) => new ArrayReader(array, source));
  const cells: string[] = [];
  for (let from = 0; from < lines.length; ) {
    const to = lines.blockEnd(from);
    (await lines.text(from, to)).forEach((text, offset) => {
      const line = lines.number(from + offset);
      const row = parseRow(text, source, line);
      for (const reader of readers) reader.read(row, line);
      cells.push(label === undefined || tokenLabels ? '' : readLabel(row, label, source, line));
    });
    from = to;
  }
  const where = (row: number) => ({ file: source.path, place: `line ${lines.number(row)}, key ${label}` });
  const read = readers.map((reader) => reader.finish());
  const [primary] = read as [ExampleArray, ...ExampleArray[]];
  return tableDataset({
    format: 'jsonl',
    file: source.path,
    featureDims: primary.dims,
    features: primary.values,
    arrays: read,
    ...(tokenLabels === undefined ? {} : { tokenLabels }),
    ...encodeLabels(cells, classes, where),
    firstLine: lines.number,
    lastLine: lines.number,
    preview: async (index) => previewOf((await lines.text(index, index + 1))[0]!, features, label),
  });
}

/** A key that holds an array is one of its own; keys that hold one number each are one array together. */
function arrayKeys(
  first: Row,
  features: string | readonly string[],
  tokenLabels: string | undefined,
): readonly ArrayKeys[] {
  const of = (key: string): ArrayKeys => ({ name: key, keys: [key], ragged: isSequenceKey(key), filler: 0 });
  const labels = tokenLabels === undefined ? [] : [{ ...of(tokenLabels), ragged: true, filler: -1 }];
  if (typeof features === 'string') return [of(features), ...labels];
  const numbers = features.filter((key) => !Array.isArray(first[key]));
  const own = features.filter((key) => Array.isArray(first[key])).map(of);
  const together = numbers.length > 0 ? [{ name: 'features', keys: numbers, ragged: false, filler: 0 }] : [];
  return [...together, ...own, ...labels];
}

function parseRow(text: string, source: ByteSource, line: number): Row {
  const place = `line ${line}`;
  let row: unknown;
  try {
    row = JSON.parse(text);
  } catch (cause) {
    const message = `Line ${line} is not valid JSON (${(cause as Error).message}).`;
    throw new WhenceError('malformed-file', message, {
      file: source.path,
      place,
      mend: 'Write one JSON object a line.',
    });
  }
  if (typeof row !== 'object' || row === null || Array.isArray(row)) {
    throw new WhenceError('malformed-file', `Line ${line} is not a JSON object.`, {
      file: source.path,
      place,
      mend: 'Write one JSON object a line.',
    });
  }
  return row as Row;
}

function guessFeatures(row: Row, label: string | undefined, source: ByteSource): string | readonly string[] {
  const rest = Object.keys(row).filter((key) => key !== label);
  const arrays = rest.filter((key) => Array.isArray(row[key]));
  const sequences = arrays.filter(isSequenceKey);
  if (sequences.length > 0) return sequences.length === 1 ? sequences[0]! : sequences;
  const named = featureNames.find((name) => arrays.includes(name)) ?? (arrays.length === 1 ? arrays[0] : undefined);
  if (named !== undefined) return named;
  const numbers = rest.filter((key) => typeof row[key] === 'number');
  if (numbers.length > 0 && arrays.length === 0) return numbers;
  throw new WhenceError('config-invalid', `Which of the keys ${rest.join(', ')} are the features cannot be told.`, {
    file: source.path,
    place: 'line 1',
    mend: 'Name the key or keys in `features` of whence.json.',
  });
}

function readLabel(row: Row, key: string, source: ByteSource, line: number): string {
  const value = row[key];
  if (value === undefined || value === null) return '';
  if (typeof value === 'string' || typeof value === 'number') return `${value}`;
  if (typeof value === 'boolean') return value ? '1' : '0';
  throw new WhenceError('malformed-file', `Line ${line} has a label that is neither a name nor a number.`, {
    file: source.path,
    place: `line ${line}, key ${key}`,
  });
}

function previewOf(text: string, features: string | readonly string[], label: string | undefined): Preview {
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
