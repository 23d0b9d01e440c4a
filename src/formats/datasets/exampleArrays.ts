import { WhenceError } from '../../protocol/errors';
import type { ExampleArray } from '../dataset';
import { elementCount, formatDims } from '../tensor';

/** One example's values by their names. */
export type Row = Readonly<Record<string, unknown>>;

/** Where a row is, for messages: `Line 3`, `line 3`. */
export interface Place {
  readonly file: string;
  readonly name: string;
  readonly place: string;
}

/** Axes of an array, as NumPy has them at most. */
const deepest = 64;

/** Keys of sequences, whose length may differ from row to row. */
const sequenceKeys = ['input_ids', 'attention_mask', 'token_type_ids', 'position_ids', 'token_ids', 'tokens', 'ids'];

export function isSequenceKey(key: string): boolean {
  return sequenceKeys.includes(key);
}

/** What of a row goes into one array: a key that holds one, or keys of one number each. */
export interface ArrayKeys {
  readonly name: string;
  readonly keys: readonly string[];
  /** Whether rows may differ in length; the filler is what stands after a shorter one. */
  readonly ragged: boolean;
  readonly filler: number;
}

export interface ParsedArray {
  readonly values: ArrayLike<number>;
  readonly dims: readonly number[];
}

/** A decoded picture among a row's values: bytes, row-major. */
export class PictureArray implements ParsedArray {
  constructor(
    readonly values: Uint8Array,
    readonly dims: readonly number[],
  ) {}
}

/** Whether a row's value is an array of its own and not one number or text. */
export function isNumberArray(value: unknown): boolean {
  return Array.isArray(value) || value instanceof PictureArray;
}

/** Values and shape of an array; undefined where it holds something else than numbers, or rows of unequal length. */
export function toArray(value: unknown): (ParsedArray & { readonly isBytes: boolean }) | undefined {
  if (value instanceof PictureArray) return { values: value.values, dims: value.dims, isBytes: true };
  try {
    return { ...parseArray({ value }, ['value'], { file: '', name: '', place: '' }), isBytes: false };
  } catch {
    return undefined;
  }
}

/** Gathers one array row by row, then fills shorter ones up to the longest. */
export class ArrayReader {
  private dims: readonly number[] | undefined;
  private values = new Float32Array(0);
  private used = 0;
  private longest = 0;
  private count = 0;
  private readonly lengths: Int32Array;

  /** `rows` are all that will be read; `most` the elements that they may have, filled up: `out-of-memory` beyond. */
  constructor(
    private readonly array: ArrayKeys,
    private readonly rows: number,
    private readonly most: number,
  ) {
    this.lengths = new Int32Array(rows);
  }

  read(row: Row, place: Place): void {
    const { values, dims } = parseArray(row, this.array.keys, place);
    this.dims ??= dims;
    const fits = this.array.ragged ? dims.length === 1 : formatDims(this.dims) === formatDims(dims);
    if (!fits) {
      const message = `${place.name} has features of shape ${formatDims(dims)}, the first one ${formatDims(this.dims)}.`;
      throw new WhenceError('malformed-file', message, { file: place.file, place: place.place });
    }
    this.longest = Math.max(this.longest, values.length);
    if (this.longest * this.rows > this.most) throw this.tooLarge(place);
    this.reserve(values.length);
    this.values.set(values, this.used);
    this.used += values.length;
    this.lengths[this.count++] = values.length;
  }

  finish(): ExampleArray {
    const { name, filler, ragged } = this.array;
    const dims = ragged ? [this.longest] : (this.dims ?? [0]);
    const size = elementCount(dims);
    if (this.lengths.every((length) => length === size)) {
      return { name, dims, values: this.values.slice(0, this.used) };
    }
    const values = new Float32Array(this.rows * size).fill(filler);
    let from = 0;
    this.lengths.forEach((length, row) => {
      values.set(this.values.subarray(from, from + length), row * size);
      from += length;
    });
    return { name, dims, values, lengths: this.lengths };
  }

  /** Room for all rows as long as the longest so far, or where that was too little, for twice as much. */
  private reserve(more: number): void {
    if (this.used + more <= this.values.length) return;
    const wanted = this.array.ragged ? Math.max(1024, 2 * (this.used + more)) : this.longest * this.rows;
    const grown = new Float32Array(wanted);
    grown.set(this.values.subarray(0, this.used));
    this.values = grown;
  }

  private tooLarge(place: Place): WhenceError {
    const { rows, longest, most } = this;
    const message = `${rows} rows of ${longest} values under "${this.array.name}" are more than the ${most} that are held.`;
    return new WhenceError('out-of-memory', message, {
      file: place.file,
      place: place.place,
      mend: 'Cut the sequences shorter, or take a part of the examples.',
    });
  }
}

/** The numbers of a row under a key, or under several keys of one number each. */
export function parseArray(row: Row, keys: readonly string[], place: Place): ParsedArray {
  const values: number[] = [];
  if (keys.length > 1) {
    for (const key of keys) flatten(need(row, key, place), values, key, place);
    return { values, dims: [values.length] };
  }
  const value = need(row, keys[0]!, place);
  if (value instanceof PictureArray) return value;
  const dims = flatten(value, values, keys[0]!, place);
  return { values, dims: dims.length > 0 ? dims : [1] };
}

function need(row: Row, key: string, { file, name, place }: Place): unknown {
  if (Object.hasOwn(row, key)) return row[key];
  throw new WhenceError('config-invalid', `${name} has no key "${key}"; it has ${Object.keys(row).join(', ')}.`, {
    file,
    place,
    mend: 'Correct it, or name other keys in whence.json.',
  });
}

/** Appends the numbers of a value, nested arrays row by row, and gives their shape; [] for a number alone. */
function flatten(value: unknown, into: number[], key: string, place: Place, depth = 0): number[] {
  if (typeof value === 'number' && Number.isFinite(value)) {
    into.push(value);
    return [];
  }
  const failure = (message: string) =>
    new WhenceError('malformed-file', message, { file: place.file, place: `${place.place}, key ${key}` });
  if (!Array.isArray(value) || value.length === 0 || depth === deepest) {
    const shown = depth === deepest ? 'arrays in arrays' : asText(value).slice(0, 40);
    throw failure(`${place.name} has ${shown} under "${key}", where numbers are needed.`);
  }
  if (value.every((part) => typeof part === 'number' && Number.isFinite(part))) {
    for (const part of value) into.push(part);
    return [value.length];
  }
  const dims = value.map((part) => flatten(part, into, key, place, depth + 1));
  if (dims.some((other) => formatDims(other) !== formatDims(dims[0]!))) {
    throw failure(`${place.name} has rows of unequal length under "${key}".`);
  }
  return [value.length, ...dims[0]!];
}

function asText(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? Number(part) : part));
  return text ?? String(value);
}
