import type { Preview } from '../../protocol/model';

/** An array as an image where its shape is one's, with one channel or three, first or last; else as a row of numbers. */
export function arrayPreview(values: Float32Array, dims: readonly number[], isBytes: boolean): Preview {
  const image = imageShape(dims);
  if (!image) {
    return { kind: 'row', columns: Array.from(values, (_, index) => `${index}`), values: Array.from(values, String) };
  }
  const { width, height, channels, channelsFirst } = image;
  const shown = isBytes ? values : stretch(values);
  const pixels = new Uint8Array(width * height * channels);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < channels; channel++) {
      const from = channelsFirst ? channel * width * height + pixel : pixel * channels + channel;
      pixels[pixel * channels + channel] = shown[from]!;
    }
  }
  return { kind: 'image', width, height, channels, pixels };
}

function imageShape(dims: readonly number[]) {
  const [first = 0, second = 0, third = 0] = dims;
  if (dims.length === 2) return { height: first, width: second, channels: 1 as const, channelsFirst: false };
  if (dims.length !== 3) return undefined;
  if (third === 1 || third === 3) {
    return { height: first, width: second, channels: third as 1 | 3, channelsFirst: false };
  }
  if (first === 1 || first === 3) {
    return { height: second, width: third, channels: first as 1 | 3, channelsFirst: true };
  }
  return undefined;
}

/** Values of any range to 0..255, so that an image of numbers other than bytes can be seen. */
function stretch(values: Float32Array): Float32Array {
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const scale = high > low ? 255 / (high - low) : 0;
  return values.map((value) => Math.round((value - low) * scale));
}
