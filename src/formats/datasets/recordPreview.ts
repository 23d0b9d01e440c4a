import type { Preview } from '../../protocol/model';
import { arrayPreview } from './arrayPreview';
import { isNumberArray, PictureArray, type Row, toArray } from './exampleArrays';
import type { ReadKeys } from './recordKeys';

/** Keys that hold the text of an example, in order of preference. */
const textNames = ['text', 'sentence', 'content', 'document', 'prompt'];
const longestPreview = 2000;
const smallestImage = 8;

/**
 * A record as people see it: an image where its features are one, else its text where it has some, else its numbers by their
 * names. `written` is the record as it stands in a text file.
 */
export function recordPreview(row: Row, { features, label }: ReadKeys, written?: string): Preview {
  const keys = typeof features === 'string' ? [features] : features;
  const arrays = keys.filter((key) => isNumberArray(row[key]));
  if (arrays.length === 0 && typeof features !== 'string') {
    const columns = label === undefined ? features : [...features, label];
    return { kind: 'row', columns, values: columns.map((key) => String(row[key] ?? '')) };
  }
  const array = arrays.length === 1 ? toArray(row[arrays[0]!]) : undefined;
  if (array && array.dims.length >= 2 && array.dims.filter((size) => size >= smallestImage).length === 2) {
    const values = Float32Array.from(array.values);
    return arrayPreview(values, array.dims, array.isBytes || looksLikeBytes(values));
  }
  // Token ids say nothing to people: what they were made of, where the row has it, does.
  const words = textNames.filter((name) => name !== label).map((name) => row[name]);
  const said = words.find((value) => typeof value === 'string');
  return { kind: 'text', text: shortened(said ?? written ?? asText(row)) };
}

function looksLikeBytes(values: Float32Array): boolean {
  return values.every((value) => Number.isInteger(value) && value >= 0 && value <= 255) && values.some((v) => v > 1);
}

function asText(row: Row): string {
  return JSON.stringify(row, (_, value: unknown) => {
    if (ArrayBuffer.isView(value)) return `${value.byteLength} bytes`;
    if (typeof value === 'bigint') return Number(value);
    return value instanceof PictureArray ? `picture of ${value.dims.join(' × ')}` : value;
  });
}

function shortened(text: string): string {
  return text.length > longestPreview ? `${text.slice(0, longestPreview)}…` : text;
}
