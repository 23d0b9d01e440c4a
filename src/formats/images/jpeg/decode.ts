import { damagedPicture, type Pixels, truncatedPicture, unknownPicture } from '../pixels';
import { colourModel, toPixels } from './colour';
import { type Component, type Frame, type FrameSize, frameSize, readFrame, unreadFrames } from './frame';
import { type HuffmanTable, huffmanTable, nextMarker } from './huffman';
import { inverseTransform } from './idct';
import { decodeScan, naturalOrder, type Scan } from './scan';
import { type Plane, upsample } from './upsample';

/** True for bytes that can begin a JPEG. */
export function isJpeg(head: Uint8Array): boolean {
  return head[0] === 0xff && head[1] === 0xd8 && head[2] === 0xff;
}

/** The size that a JPEG states, without decoding it. */
export function jpegSize(bytes: Uint8Array, file: string): FrameSize {
  for (const { marker, segment } of segments(bytes, file)) {
    const unread = unreadFrames[marker];
    if (unread) throw unknownPicture(file, `This is a JPEG with ${unread} frames`);
    if (isFrame(marker)) return frameSize(segment, file);
  }
  throw truncatedPicture(file, bytes.length);
}

/**
 * Decodes a JPEG (ITU-T T.81) of 8 bits, baseline or progressive, to the bytes that libjpeg-turbo makes of it by default and
 * Pillow's convert('RGB') hands on; one component stays grey. An EXIF orientation is not applied, as Pillow does not.
 * @throws WhenceError `truncated-file`, `malformed-file`, `unsupported-format`
 */
export function decodeJpeg(bytes: Uint8Array, file: string): Pixels {
  const state = new Decoder(bytes, file);
  for (const found of segments(bytes, file)) {
    const end = state.take(found.marker, found.segment, found.end);
    if (end !== undefined) found.resume(end);
  }
  return state.finish();
}

interface Segment {
  readonly marker: number;
  readonly segment: Uint8Array;
  readonly end: number;
  /** Says where the next marker is to be looked for. */
  resume(position: number): void;
}

function* segments(bytes: Uint8Array, file: string): Generator<Segment> {
  if (!isJpeg(bytes)) throw damagedPicture(file, 'byte 0', 'A JPEG begins with FF D8 FF; this file does not.');
  let position = 2;
  while (position < bytes.length) {
    const at = nextMarker(bytes, position);
    const marker = bytes[at + 1];
    if (marker === undefined) return;
    position = at + 2;
    if (marker === 0xd9) {
      yield { marker, segment: bytes.subarray(position, position), end: position, resume: () => undefined };
      return;
    }
    if (marker === 0x01 || (marker >= 0xd0 && marker <= 0xd8)) continue;
    const length = (bytes[position] ?? 0) * 256 + (bytes[position + 1] ?? 0);
    const end = position + length;
    if (end > bytes.length) throw truncatedPicture(file, bytes.length);
    if (length < 2) throw damagedPicture(file, `byte ${position}`, 'A segment states a length below 2.');
    const segment = bytes.subarray(position + 2, end);
    position = end;
    const resume = (next: number) => {
      position = next;
    };
    yield { marker, segment, end, resume };
  }
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xc2;
}

class Decoder {
  private frame: Frame | undefined;
  private readonly quantities = new Map<number, Uint16Array>();
  private readonly tables = new Map<number, HuffmanTable>();
  private restartInterval = 0;
  private adobe: number | undefined;
  private jfif = false;
  private scans = 0;
  private ended = false;

  constructor(
    private readonly bytes: Uint8Array,
    private readonly file: string,
  ) {}

  /** Takes a segment in; after a scan, where its data end. */
  take(marker: number, segment: Uint8Array, end: number): number | undefined {
    const unread = unreadFrames[marker];
    if (unread) throw unknownPicture(this.file, `This is a JPEG with ${unread} frames`);
    if (marker === 0xdb) this.readQuantities(segment);
    else if (marker === 0xc4) this.readTables(segment);
    else if (marker === 0xdd) this.restartInterval = (segment[0] ?? 0) * 256 + (segment[1] ?? 0);
    else if (marker === 0xe0) this.jfif ||= startsWith(segment, 'JFIF\0');
    else if (marker === 0xee && startsWith(segment, 'Adobe')) this.adobe = segment[11];
    else if (marker === 0xd9) this.ended = true;
    else if (marker === 0xda) return this.scan(segment, end);
    else if (isFrame(marker)) {
      if (this.frame) throw damagedPicture(this.file, `byte ${end}`, 'The file holds two frames.');
      this.frame = readFrame(segment, marker === 0xc2, this.file, this.bytes.length);
    }
    return undefined;
  }

  finish(): Pixels {
    const { frame, file } = this;
    const isCutOff = frame?.progressive && !this.ended;
    if (!frame || isCutOff || frame.components.some(({ quantities }) => !quantities)) {
      throw truncatedPicture(file, this.bytes.length);
    }
    const planes = frame.components.map((component) => upsample(samplesOf(component), component, frame, file));
    const ids = frame.components.map(({ id }) => id);
    const model = colourModel({ adobe: this.adobe, jfif: this.jfif, ids });
    return toPixels(planes, model, frame.width, frame.height);
  }

  private readQuantities(segment: Uint8Array): void {
    for (let at = 0; at < segment.length; ) {
      const wide = segment[at]! >> 4 > 0;
      const table = new Uint16Array(64);
      if (at + 1 + (wide ? 128 : 64) > segment.length) throw this.damaged('A quantization table is too short.');
      for (let index = 0; index < 64; index++) {
        const place = at + 1 + (wide ? 2 * index : index);
        table[naturalOrder[index]!] = wide ? segment[place]! * 256 + segment[place + 1]! : segment[place]!;
      }
      this.quantities.set(segment[at]! & 15, table);
      at += wide ? 129 : 65;
    }
  }

  private readTables(segment: Uint8Array): void {
    for (let at = 0; at < segment.length; ) {
      const counts = segment.subarray(at + 1, at + 17);
      const total = counts.reduce((sum, count) => sum + count, 0);
      const symbols = segment.subarray(at + 17, at + 17 + total);
      const table = counts.length === 16 && symbols.length === total ? huffmanTable(counts, symbols) : undefined;
      if (!table) throw this.damaged('A Huffman table does not hold together.');
      this.tables.set(segment[at]!, table);
      at += 17 + total;
    }
  }

  private scan(segment: Uint8Array, end: number): number {
    const { frame, file } = this;
    if (!frame) throw this.damaged('A scan stands before the frame.');
    const count = segment[0] ?? 0;
    if (count < 1 || count > 4 || segment.length < 4 + 2 * count) throw this.damaged('A scan header is too short.');
    const [from, to, bits] = frame.progressive ? segment.subarray(1 + 2 * count) : [0, 63, 0];
    if (from! > to! || to! > 63 || (count > 1 && from! > 0)) throw this.damaged('A scan states wrong coefficients.');
    const high = bits! >> 4;
    const low = bits! & 15;
    if (low > 13) throw this.damaged('A scan states wrong bits.');
    const components = Array.from({ length: count }, (_, index): Scan['components'][number] => {
      const component = frame.components.find(({ id }) => id === segment[1 + 2 * index]);
      if (!component) throw this.damaged('A scan names a component that the frame lacks.');
      const tables = segment[2 + 2 * index]!;
      const dc = this.tables.get(tables >> 4);
      const ac = this.tables.get(16 + (tables & 15));
      if ((from === 0 && high === 0 && !dc) || (to! > 0 && !ac)) {
        throw this.damaged('A scan names a Huffman table that the file lacks.');
      }
      const quantities = this.quantities.get(component.quantization);
      if (!quantities) throw this.damaged('A component names a quantization table that the file lacks.');
      component.quantities ??= quantities;
      return { component, dc, ac };
    });
    this.scans++;
    const scan = { components, from: from!, to: to!, high, low, restartInterval: this.restartInterval };
    return decodeScan(frame, scan, this.bytes, end, file);
  }

  private damaged(message: string) {
    return damagedPicture(this.file, `scan ${this.scans}`, message);
  }
}

function startsWith(segment: Uint8Array, text: string): boolean {
  return Array.from(text).every((letter, index) => segment[index] === letter.charCodeAt(0));
}

function samplesOf(component: Component): Plane {
  const { blocksPerRow, coefficients, width, height, quantities } = component;
  const stride = 8 * blocksPerRow;
  const samples = new Uint8Array(coefficients.length);
  for (let block = 0; 64 * block < coefficients.length; block++) {
    const row = Math.floor(block / blocksPerRow);
    const to = 8 * (row * stride + (block % blocksPerRow));
    inverseTransform(coefficients, 64 * block, quantities!, samples, to, stride);
  }
  return { samples, stride, width, height };
}
