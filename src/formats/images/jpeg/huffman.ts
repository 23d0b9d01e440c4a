/** A Huffman table of ITU-T T.81, Annex C, ready to look codes up in. */
export interface HuffmanTable {
  /** By the next 8 bits: the code's length above its symbol's 8 bits; 0 for longer codes. */
  readonly short: Uint16Array;
  /** By length: the first code beyond those of it, left-aligned to 16 bits. */
  readonly limit: Int32Array;
  /** By length: what to add to a code to have its symbol's index. */
  readonly offset: Int32Array;
  readonly symbols: Uint8Array;
}

/** From how many codes there are of each length 1 to 16; undefined where there are more than fit. */
export function huffmanTable(counts: Uint8Array, symbols: Uint8Array): HuffmanTable | undefined {
  const short = new Uint16Array(256);
  const limit = new Int32Array(18).fill(-1);
  const offset = new Int32Array(17);
  let code = 0;
  let index = 0;
  for (let length = 1; length <= 16; length++) {
    offset[length] = index - code;
    for (let nth = 0; nth < counts[length - 1]!; nth++, code++, index++) {
      if (length > 8) continue;
      const first = code << (8 - length);
      short.fill((length << 8) | symbols[index]!, first, first + (1 << (8 - length)));
    }
    if (code > 1 << length) return undefined;
    limit[length] = code << (16 - length);
    code <<= 1;
  }
  return { short, limit, offset, symbols };
}

/**
 * Bits of entropy-coded data. At a marker it stops and gives zeros, as libjpeg does with damaged data; at the end of the
 * file too, which `isOverrun` tells.
 */
export class BitReader {
  private buffer = 0;
  private count = 0;
  /** Zeros in the buffer, and used up, that stand for bytes beyond the end of the file. */
  private missing = 0;

  constructor(
    private readonly bytes: Uint8Array,
    /** The next byte to take in; a marker's first where one was met. */
    public position: number,
  ) {}

  /** True once bits were used that the file does not hold. */
  get isOverrun(): boolean {
    return this.missing > this.count;
  }

  /** `length` bits, 0 to 16 of them, as a number. */
  bits(length: number): number {
    if (length === 0) return 0;
    if (this.count < length) this.fill();
    this.count -= length;
    return (this.buffer >>> this.count) & ((1 << length) - 1);
  }

  /** The next code's symbol; 0 where no code begins so. */
  symbol(table: HuffmanTable): number {
    if (this.count < 16) this.fill();
    const found = table.short[(this.buffer >>> (this.count - 8)) & 0xff]!;
    if (found !== 0) {
      this.count -= found >> 8;
      return found & 0xff;
    }
    const ahead = (this.buffer >>> (this.count - 16)) & 0xffff;
    for (let length = 9; length <= 16; length++) {
      if (ahead >= table.limit[length]!) continue;
      this.count -= length;
      return table.symbols[table.offset[length]! + (ahead >> (16 - length))] ?? 0;
    }
    this.count -= 16;
    return 0;
  }

  /** A number of `length` bits with a sign (T.81, figure F.12). */
  signed(length: number): number {
    const value = this.bits(length);
    return length > 0 && value < 1 << (length - 1) ? value - (1 << length) + 1 : value;
  }

  /** Goes past the next restart marker; stays before any other marker. */
  restart(): void {
    this.buffer = 0;
    this.count = 0;
    this.missing = 0;
    this.position = nextMarker(this.bytes, this.position);
    const marker = this.bytes[this.position + 1];
    if (marker !== undefined && marker >= 0xd0 && marker <= 0xd7) this.position += 2;
  }

  private fill(): void {
    while (this.count <= 24) {
      const byte = this.bytes[this.position];
      let value = byte ?? 0;
      if (byte === undefined) this.missing += 8;
      else if (byte !== 0xff) this.position++;
      else if (this.bytes[this.position + 1] === 0) this.position += 2;
      else if (this.position + 1 >= this.bytes.length) this.position++;
      else value = 0;
      this.buffer = (this.buffer << 8) | value;
      this.count += 8;
    }
  }
}

/** Where the next marker begins at or after `position`; the length of `bytes` where there is none. */
export function nextMarker(bytes: Uint8Array, position: number): number {
  for (let at = position; at + 1 < bytes.length; at++) {
    if (bytes[at] === 0xff && bytes[at + 1] !== 0 && bytes[at + 1] !== 0xff) return at;
  }
  return bytes.length;
}
