import { decodePicture } from '../images';
import { PictureArray } from './exampleArrays';

/**
 * A value of a table as plain data: numbers (of 64 bits too, true and false as 1 and 0), texts, arrays of them. A picture as
 * Hugging Face keeps it, its file's bytes, becomes an array [height, width, channels] of 0..255.
 * @param file for the message where a picture cannot be decoded
 */
export function plainValue(value: unknown, file: string): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map((part) => plainValue(part, file));
  if (isPicture(value)) {
    const { width, height, channels, data } = decodePicture(value.bytes, file);
    return new PictureArray(data, channels === 1 ? [height, width] : [height, width, channels]);
  }
  // Bytes that no one calls a text are one in the files of older writers.
  if (value instanceof Uint8Array) return new TextDecoder('utf-8').decode(value);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    return Array.from(value as Float64Array | BigInt64Array, Number);
  }
  return value;
}

function isPicture(value: unknown): value is { readonly bytes: Uint8Array } {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array;
}
