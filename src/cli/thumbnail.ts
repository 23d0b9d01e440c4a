import type { Preview } from '../protocol/model';

type Image = Extract<Preview, { kind: 'image' }>;

const headerBytes = 54;

/** An image preview as a data URI: an uncompressed 24-bit BMP, rows from the bottom, blue before green before red. */
export function thumbnailUri({ width, height, channels, pixels }: Image): string {
  const rowBytes = Math.ceil((width * 3) / 4) * 4;
  const file = Buffer.alloc(headerBytes + rowBytes * height);
  file.write('BM', 0, 'ascii');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(headerBytes, 10);
  file.writeUInt32LE(40, 14);
  file.writeInt32LE(width, 18);
  file.writeInt32LE(height, 22);
  file.writeUInt16LE(1, 26);
  file.writeUInt16LE(24, 28);
  file.writeUInt32LE(rowBytes * height, 34);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + x) * channels;
      const to = headerBytes + (height - 1 - y) * rowBytes + x * 3;
      for (let color = 0; color < 3; color++) file[to + 2 - color] = pixels[from + (channels === 3 ? color : 0)] ?? 0;
    }
  }
  return `data:image/bmp;base64,${file.toString('base64')}`;
}
