import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { zlibSync } from 'fflate';
import { describe, expect, it } from 'vitest';
import { decodePicture, type Pixels, pictureSize, toGrey, toRgb } from '../../../../src/formats/images';
import { crc32 } from '../../../../src/formats/images/pngCrc';
import { WhenceError } from '../../../../src/protocol/errors';

const folder = new URL('../../../fixtures/images/', import.meta.url);

interface Golden {
  readonly mode: string;
  readonly width: number;
  readonly height: number;
  readonly RGB: string;
  readonly L: string;
}

const golden = JSON.parse(readFileSync(new URL('golden.json', folder), 'utf8')) as {
  readonly images: Readonly<Record<string, Golden>>;
};
const bytesOf = (name: string) => new Uint8Array(readFileSync(new URL(name, folder)));
const hashOf = ({ data }: Pixels) => createHash('sha256').update(data).digest('hex');

describe('pictures are decoded to the very bytes of Pillow', () => {
  it.each(Object.entries(golden.images))('%s', (name, { width, height, RGB, L }) => {
    const bytes = bytesOf(name);
    const pixels = decodePicture(bytes, name);
    expect(pixels).toMatchObject({ width, height });
    expect(pictureSize(bytes, name)).toMatchObject({ width, height });
    expect(hashOf(toRgb(pixels))).toBe(RGB);
    expect(hashOf(toGrey(pixels))).toBe(L);
  });
});

describe('damaged pictures', () => {
  const names = [
    'china-420.jpg',
    'flower-420-progressive.jpg',
    'china-restarts.jpg',
    'palette.png',
    'rgb-interlaced.png',
  ];

  /** Decodes or fails with an error of ours that names the file; anything else fails the test. */
  function attempt(bytes: Uint8Array, name: string): 'decoded' | WhenceError {
    try {
      const { width, height, channels, data } = decodePicture(bytes, name);
      expect(data.length).toBe(width * height * channels);
      return 'decoded';
    } catch (error) {
      if (!(error instanceof WhenceError)) throw error;
      expect(error.details.file).toBe(name);
      return error;
    }
  }

  it.each(names)('%s fails clearly wherever it is cut off', (name) => {
    const bytes = bytesOf(name);
    const ends = [...Array(700).keys()].filter((end) => end < bytes.length - 20);
    for (let end = 700; end < bytes.length - 20; end += 37) ends.push(end);
    for (const end of ends) expect(attempt(bytes.subarray(0, end), name)).toBeInstanceOf(WhenceError);
  });

  it.each(names)('%s with flipped bits is decoded or refused, and never larger than it says', (name) => {
    const whole = bytesOf(name);
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      return Math.floor((seed / 0x80000000) * below);
    };
    for (let round = 0; round < 300; round++) {
      const bytes = whole.slice();
      // Half of the flips hit the headers.
      for (let flip = 0; flip < 3; flip++) {
        bytes[random(round % 2 === 0 ? Math.min(700, bytes.length) : bytes.length)]! ^= 1 << random(8);
      }
      attempt(bytes, name);
    }
  });

  it('a picture that claims a billion pixels takes no memory', () => {
    const png = bytesOf('rgb.png');
    const header = new DataView(png.buffer, png.byteOffset);
    header.setUint32(16, 40_000);
    header.setUint32(20, 25_000);
    header.setUint32(29, crc32(png.subarray(12, 29)));
    expect(attempt(png, 'bomb.png')).toMatchObject({ code: 'unsupported-format' });
    header.setUint32(16, 8_000);
    header.setUint32(20, 8_000);
    header.setUint32(29, crc32(png.subarray(12, 29)));
    expect(attempt(png, 'bomb.png')).toMatchObject({ code: 'truncated-file' });
    const jpeg = bytesOf('china-best.jpg');
    const frame = jpeg.findIndex((byte, at) => byte === 0xff && jpeg[at + 1] === 0xc0);
    for (const [size, code] of [
      [0xffff, 'unsupported-format'],
      [8_000, 'truncated-file'],
    ] as const) {
      const view = new DataView(jpeg.buffer, jpeg.byteOffset);
      view.setUint16(frame + 5, size);
      view.setUint16(frame + 7, size);
      expect(attempt(jpeg, 'bomb.jpg')).toMatchObject({ code });
    }
  });

  it('a PNG whose pixels inflate to far more than it says stays as large as it says', () => {
    const inflating = zlibSync(new Uint8Array(50_000_000));
    const png = new Uint8Array(33 + 12 + inflating.length + 12);
    png.set(bytesOf('rgb.png').subarray(0, 33));
    const view = new DataView(png.buffer);
    view.setUint32(33, inflating.length);
    png.set(new TextEncoder().encode('IDAT'), 37);
    png.set(inflating, 41);
    view.setUint32(41 + inflating.length, crc32(png.subarray(37, 41 + inflating.length)));
    png.set(new TextEncoder().encode('IEND'), 49 + inflating.length);
    expect(attempt(png, 'inflating.png')).toBe('decoded');
  });

  it('what is neither is said to be neither', () => {
    expect(attempt(new TextEncoder().encode('GIF89a'), 'moving.gif')).toMatchObject({ code: 'unsupported-format' });
  });
});
