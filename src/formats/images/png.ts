import { inflateSync } from 'fflate';
import { checkPictureSize, damagedPicture, type Pixels, truncatedPicture, unknownPicture } from './pixels';
import { crc32 } from './pngCrc';
import { readPasses } from './pngRows';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** What a PNG's header says (ISO/IEC 15948, 11.2.2). */
export interface PngHeader {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colour: number;
  readonly interlaced: boolean;
}

/** Samples of one pixel by colour type, and the depths that each may have. */
const colourTypes: Readonly<Record<number, { readonly samples: number; readonly depths: readonly number[] }>> = {
  0: { samples: 1, depths: [1, 2, 4, 8, 16] },
  2: { samples: 3, depths: [8, 16] },
  3: { samples: 1, depths: [1, 2, 4, 8] },
  4: { samples: 2, depths: [8, 16] },
  6: { samples: 4, depths: [8, 16] },
};
const headerEnd = 33;
/** What deflate makes of one byte at most. */
const mostInflation = 1032;

/** True for bytes that can begin a PNG. */
export function isPng(head: Uint8Array): boolean {
  return signature.every((byte, index) => head[index] === byte);
}

/** A PNG's header, from its first 33 bytes at least. */
export function pngHeader(bytes: Uint8Array, file: string): PngHeader {
  if (!isPng(bytes)) throw damagedPicture(file, 'byte 0', 'A PNG begins with its signature; this file does not.');
  if (bytes.length < headerEnd) throw truncatedPicture(file, bytes.length);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const isHeader = view.getUint32(8) === 13 && textAt(bytes, 12) === 'IHDR';
  if (!isHeader || view.getUint32(29) !== crc32(bytes.subarray(12, 29))) {
    throw damagedPicture(file, 'byte 8', "The PNG's header is damaged.");
  }
  const [depth = 0, colour = 0, compression, filter, interlace] = bytes.subarray(24, 29);
  const width = view.getUint32(16);
  const height = view.getUint32(20);
  checkPictureSize(width, height, file);
  if (!colourTypes[colour]?.depths.includes(depth) || compression !== 0 || filter !== 0 || interlace! > 1) {
    throw unknownPicture(file, `This is a PNG of colour type ${colour} with ${depth} bits`);
  }
  return { width, height, depth, colour, interlaced: interlace === 1 };
}

/**
 * Decodes a PNG to the bytes of Pillow's convert('RGB'), or to grey where it holds grey: transparency is left away, 16 bits
 * of colour are cut to the upper 8, and 16 bits of grey are cut off at 255. Of an animation the first picture.
 * @throws WhenceError `truncated-file`, `malformed-file`, `unsupported-format`
 */
export function decodePng(bytes: Uint8Array, file: string): Pixels {
  const header = pngHeader(bytes, file);
  const { palette, data } = readChunks(bytes, file);
  const { samples } = colourTypes[header.colour]!;
  const passes = readPasses(header, samples);
  if (passes.bytes > mostInflation * data.length) throw truncatedPicture(file, bytes.length);
  const raw = inflated(data, passes.bytes, bytes.length, file);
  const values = passes.unpack(raw, file);
  return toPixels(header, samples, values, palette, file);
}

function readChunks(bytes: Uint8Array, file: string) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const parts: Uint8Array[] = [];
  let palette: Uint8Array | undefined;
  for (let at = headerEnd; ; ) {
    if (at + 12 > bytes.length) throw truncatedPicture(file, bytes.length);
    const length = view.getUint32(at);
    const type = textAt(bytes, at + 4);
    const end = at + 8 + length;
    if (end + 4 > bytes.length) throw truncatedPicture(file, bytes.length);
    const isCritical = type === 'IDAT' || type === 'PLTE';
    if (isCritical && view.getUint32(end) !== crc32(bytes.subarray(at + 4, end))) {
      throw damagedPicture(file, `byte ${at}`, `The checksum of a chunk ${type} is wrong.`);
    }
    if (type === 'IEND') break;
    if (type === 'IDAT') parts.push(bytes.subarray(at + 8, end));
    else if (type === 'PLTE') palette = bytes.subarray(at + 8, end);
    at = end + 4;
  }
  const data = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let filled = 0;
  for (const part of parts) {
    data.set(part, filled);
    filled += part.length;
  }
  return { palette, data };
}

/** Of a zlib stream exactly `length` bytes; what it holds beyond them takes no memory. */
function inflated(data: Uint8Array, length: number, size: number, file: string): Uint8Array {
  const out = new Uint8Array(length);
  let raw: Uint8Array;
  try {
    // Behind the stream's own header of two bytes.
    raw = inflateSync(data.subarray(2), { out });
  } catch (error) {
    const message = `The compressed pixels cannot be read: ${error instanceof Error ? error.message : String(error)}.`;
    throw damagedPicture(file, 'chunk IDAT', message);
  }
  if (raw.length < length) throw truncatedPicture(file, size);
  return raw;
}

function toPixels(
  { width, height, depth, colour }: PngHeader,
  samples: number,
  values: Uint8Array,
  palette: Uint8Array | undefined,
  file: string,
): Pixels {
  const pixels = width * height;
  if (colour === 3) {
    if (!palette) throw damagedPicture(file, 'chunk PLTE', 'The PNG has no palette.');
    const data = new Uint8Array(3 * pixels);
    for (let pixel = 0; pixel < pixels; pixel++) {
      const from = 3 * values[pixel]!;
      for (let channel = 0; channel < 3; channel++) data[3 * pixel + channel] = palette[from + channel] ?? 0;
    }
    return { width, height, channels: 3, data };
  }
  const channels = samples > 2 ? 3 : 1;
  if (channels === samples) return { width, height, channels, data: depth < 8 ? stretched(values, depth) : values };
  const data = new Uint8Array(channels * pixels);
  for (let pixel = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      data[channels * pixel + channel] = values[samples * pixel + channel]!;
    }
  }
  return { width, height, channels, data };
}

/** Few bits to 0..255. */
function stretched(values: Uint8Array, depth: number): Uint8Array {
  const factor = 255 / ((1 << depth) - 1);
  return values.map((value) => value * factor);
}

function textAt(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}
