import { WhenceError } from '../../protocol/errors';
import type { ByteSource } from '../bytes';
import type { ExampleArray } from '../dataset';
import { elementCount, formatDims } from '../tensor';

export type Row = Readonly<Record<string, unknown>>;

/** Keys of sequences, whose length may differ from line to line. */
const sequenceKeys = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids', 'token_ids', 'tokens', 'ids'];

export function isSequenceKey(key: string): boolean {
  return sequenceKeys.includes(key);
}

/** What of a row goes into one array: a key that holds one, or keys of one number each. */
export interface ArrayKeys {
  readonly name: string;
  readonly keys: readonly string[];
  /** Whether lines may differ in length; the filler is what stands after a shorter one. */
  readonly ragged: boolean;
  readonly filler: number;
}

interface Parsed {
  readonly values: readonly number[];
  readonly dims: readonly number[];
}

/** Gathers one array line by line, then fills shorter ones up to the longest. */
export class ArrayReader {
  private readonly rows: Parsed[] = [];

  constructor(
    private readonly array: ArrayKeys,
    private readonly source: ByteSource,
  ) {}

  read(row: Row, line: number): void {
    const parsed = parse(row, this.array.keys, this.source, line);
    const first = this.rows[0] ?? parsed;
    const fits = this.array.ragged ? parsed.dims.length === 1 : formatDims(first.dims) === formatDims(parsed.dims);
    if (!fits) {
      const message = `Line ${line} has features of shape ${formatDims(parsed.dims)}, the first line ${formatDims(first.dims)}.`;
      throw new WhenceError('malformed-file', message, { file: this.source.path, place: `line ${line}` });
    }
    this.rows.push(parsed);
  }

  finish(): ExampleArray {
    const { name, filler } = this.array;
    const dims = this.rows.reduce<readonly number[]>(
      (most, row) => (row.dims[0]! > most[0]! ? row.dims : most),
      this.rows[0]!.dims,
    );
    const size = elementCount(dims);
    const values = new Float32Array(this.rows.length * size).fill(filler);
    this.rows.forEach((row, index) => {
      values.set(row.values, index * size);
    });
    const differ = this.rows.some((row) => row.values.length !== size);
    const lengths = differ ? Int32Array.from(this.rows, (row) => row.values.length) : undefined;
    return { name, dims, values, ...(lengths ? { lengths } : {}) };
  }
}

function parse(row: Row, keys: readonly string[], source: ByteSource, line: number): Parsed {
  const values: number[] = [];
  if (keys.length > 1) {
    for (const key of keys) flatten(need(row, key, source, line), values, key, source, line);
    return { values, dims: [values.length] };
  }
  const dims = flatten(need(row, keys[0]!, source, line), values, keys[0]!, source, line);
  return { values, dims: dims.length > 0 ? dims : [1] };
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
