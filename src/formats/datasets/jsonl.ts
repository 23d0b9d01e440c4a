import { WhenceError } from '../../protocol/errors';
import type { Preview } from '../../protocol/model';
import type { ByteSource } from '../bytes';
import type { Dataset } from '../dataset';
import { elementCount, formatDims } from '../tensor';
import { encodeLabels, findLabelName } from './labels';
import { scanLines } from './lines';
import { tableDataset } from './table';

export interface JsonlKeys {
  /** Default: a key called label, target, class or y. */
  readonly label?: string;
  /** A key that holds an array of numbers (nested for images), or keys of one number each. Default: found in the first line. */
  readonly features?: string | readonly string[];
}

type Row = Readonly<Record<string, unknown>>;

/** Keys that hold an example's features as one array, in order of preference. */
const featureNames = ['features', 'x', 'input', 'inputs', 'data', 'pixels', 'image', 'values'];
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
  const featureKeys = keys.features ?? guessFeatures(first, label, source);
  const dims = readFeatures(first, featureKeys, source, lines.number(0)).dims;
  const size = elementCount(dims);
  const features = new Float32Array(lines.length * size);
  const cells: string[] = [];
  for (let from = 0; from < lines.length; ) {
    const to = lines.blockEnd(from);
    (await lines.text(from, to)).forEach((text, offset) => {
      const line = lines.number(from + offset);
      const row = parseRow(text, source, line);
      const found = readFeatures(row, featureKeys, source, line);
      if (formatDims(found.dims) !== formatDims(dims)) {
        const message = `Line ${line} has features of shape ${formatDims(found.dims)}, the first line ${formatDims(dims)}.`;
        throw new WhenceError('malformed-file', message, { file: source.path, place: `line ${line}` });
      }
      features.set(found.values, (from + offset) * size);
      cells.push(label === undefined ? '' : readLabel(row, label, source, line));
    });
    from = to;
  }
  const where = (row: number) => ({ file: source.path, place: `line ${lines.number(row)}, key ${label}` });
  return tableDataset({
    format: 'jsonl',
    file: source.path,
    featureDims: dims,
    features,
    ...encodeLabels(cells, classes, where),
    firstLine: lines.number,
    lastLine: lines.number,
    preview: async (index) => previewOf((await lines.text(index, index + 1))[0]!, featureKeys, label),
  });
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

function readFeatures(row: Row, keys: string | readonly string[], source: ByteSource, line: number) {
  const values: number[] = [];
  if (typeof keys === 'string') {
    const dims = flatten(need(row, keys, source, line), values, keys, source, line);
    return { values, dims: dims.length > 0 ? dims : [1] };
  }
  for (const key of keys) flatten(need(row, key, source, line), values, key, source, line);
  return { values, dims: [values.length] };
}

function need(row: Row, key: string, source: ByteSource, line: number): unknown {
  if (Object.hasOwn(row, key)) return row[key];
  throw new WhenceError('config-invalid', `Line ${line} has no key "${key}"; it has ${Object.keys(row).join(', ')}.`, {
    file: source.path,
    place: `line ${line}`,
    mend: 'Correct the line, or name other keys in whence.json.',
  });
}

/** Appends the numbers of a value, nested arrays row by row, and gives their shape; [] for a number alone. */
function flatten(value: unknown, into: number[], key: string, source: ByteSource, line: number): number[] {
  if (typeof value === 'number' && Number.isFinite(value)) {
    into.push(value);
    return [];
  }
  const failure = (message: string) =>
    new WhenceError('malformed-file', message, { file: source.path, place: `line ${line}, key ${key}` });
  if (!Array.isArray(value) || value.length === 0) {
    throw failure(`Line ${line} has ${JSON.stringify(value)?.slice(0, 40)} under "${key}", where numbers are needed.`);
  }
  const dims = value.map((part) => flatten(part, into, key, source, line));
  if (dims.some((other) => formatDims(other) !== formatDims(dims[0]!))) {
    throw failure(`Line ${line} has rows of unequal length under "${key}".`);
  }
  return [value.length, ...dims[0]!];
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
  if (typeof features === 'string') {
    const shown = text.length > longestPreview ? `${text.slice(0, longestPreview)}…` : text;
    return { kind: 'text', text: shown };
  }
  const row = JSON.parse(text) as Row;
  const columns = label === undefined ? features : [...features, label];
  return { kind: 'row', columns, values: columns.map((key) => String(row[key] ?? '')) };
}
