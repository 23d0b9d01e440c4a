import { WhenceError } from '../../protocol/errors';

/** Where a pickle's bytes come from, for messages. */
export interface PicklePlace {
  readonly path: string;
  /** The byte of the file at which the pickle's bytes begin. */
  readonly base: number;
}

const saveAgain = 'Copy the file again, or save it again.';

const utf8 = new TextDecoder('utf-8');

/** Integers of more bytes are nobody's step or size. */
const longestInteger = 1024;

/** Reads a pickle's bytes from front to back; whatever is claimed is checked against what is there before it is taken. */
export class Cursor {
  position: number;
  private readonly view: DataView;

  constructor(
    private readonly bytes: Uint8Array,
    start: number,
    private readonly at: PicklePlace,
  ) {
    this.position = start;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint8(): number {
    return this.view.getUint8(this.advance(1));
  }

  uint16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  int32(): number {
    return this.view.getInt32(this.advance(4), true);
  }

  uint32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  /** A length; beyond 2^53 it is not exact, and longer than any file. */
  uint64(): number {
    const at = this.advance(8);
    return this.view.getUint32(at, true) + this.view.getUint32(at + 4, true) * 2 ** 32;
  }

  float64(): number {
    return this.view.getFloat64(this.advance(8), false);
  }

  take(length: number): Uint8Array {
    const start = this.advance(length);
    return this.bytes.subarray(start, start + length);
  }

  text(length: number): string {
    return utf8.decode(this.take(length));
  }

  latin1(length: number): string {
    return latin1Of(this.take(length));
  }

  /** Up to the next line feed, which is taken too. */
  line(): string {
    const end = this.bytes.indexOf(10, this.position);
    if (end < 0) throw this.truncated(1);
    const text = latin1Of(this.take(end - this.position));
    this.position++;
    return text;
  }

  /** Two's complement, little-endian; a number where it is exact. */
  integer(length: number): number | bigint {
    if (length > longestInteger) throw this.malformed(`The pickle holds an integer of ${length} bytes.`);
    const bytes = this.take(length);
    let value = 0n;
    for (let index = length - 1; index >= 0; index--) value = (value << 8n) | BigInt(bytes[index]!);
    const signed = length === 0 ? 0n : BigInt.asIntN(length * 8, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  malformed(message: string): WhenceError {
    const place = `byte ${this.at.base + this.position}`;
    return new WhenceError('malformed-file', message, { file: this.at.path, place, mend: saveAgain });
  }

  private advance(length: number): number {
    const start = this.position;
    if (length < 0) throw this.malformed(`The pickle claims ${length} bytes.`);
    if (start + length > this.bytes.length) throw this.truncated(length);
    this.position = start + length;
    return start;
  }

  private truncated(length: number): WhenceError {
    const rest = this.bytes.length - this.position;
    const message = `The pickle ends early: ${length} bytes are needed, ${rest} are left.`;
    const place = `byte ${this.at.base + this.position}`;
    return new WhenceError('truncated-file', message, { file: this.at.path, place, mend: saveAgain });
  }
}

/** Bytes as the characters of their numbers. */
export function latin1Of(bytes: Uint8Array): string {
  let text = '';
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return text;
}
