import type { Pixels } from './pixels';

/** Ways to resample a picture, as Pillow names them; all but nearest widen their filter where a picture shrinks. */
export const interpolations = ['nearest', 'box', 'bilinear', 'hamming', 'bicubic', 'lanczos'] as const;
export type Interpolation = (typeof interpolations)[number];

interface Filter {
  readonly support: number;
  weight(x: number): number;
}

const sinc = (x: number) => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));
/** Pillow writes Hamming's coefficients in single precision. */
const [hammingMean, hammingSwing] = [Math.fround(0.54), Math.fround(0.46)];

const filters: Readonly<Record<Exclude<Interpolation, 'nearest'>, Filter>> = {
  box: { support: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) },
  bilinear: { support: 1, weight: (x) => Math.max(0, 1 - Math.abs(x)) },
  hamming: {
    support: 1,
    weight(x) {
      if (x === 0) return 1;
      return Math.abs(x) < 1 ? sinc(x) * (hammingMean + hammingSwing * Math.cos(x * Math.PI)) : 0;
    },
  },
  bicubic: {
    support: 2,
    weight(signed) {
      const x = Math.abs(signed);
      if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * -0.5 : 0;
    },
  },
  lanczos: { support: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) },
};

/** Bits of fraction of the weights, so that a sum of 8-bit values fits 32 bits. */
const precision = 22;

/**
 * A picture at another size, to the very bytes of Pillow's `Image.resize`: first across, then down, each pass rounded to 8
 * bits, with weights of 22 bits of fraction.
 */
export function resample(pixels: Pixels, width: number, height: number, interpolation: Interpolation): Pixels {
  if (pixels.width === width && pixels.height === height) return pixels;
  if (interpolation === 'nearest') return nearest(pixels, width, height);
  const filter = filters[interpolation];
  const across = pixels.width === width ? pixels : resampleAcross(pixels, width, filter);
  return across.height === height ? across : resampleDown(across, height, filter);
}

/** For each place of the result: where its sources begin, and their weights. */
interface Weights {
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** `stride` for each place. */
  readonly values: Int32Array;
  readonly stride: number;
}

function weightsFor(from: number, to: number, { support, weight }: Filter): Weights {
  const scale = from / to;
  const widening = Math.max(1, scale);
  const reach = support * widening;
  const stride = Math.ceil(reach) * 2 + 1;
  const starts = new Int32Array(to);
  const counts = new Int32Array(to);
  const values = new Int32Array(to * stride);
  const exact = new Float64Array(stride);
  for (let place = 0; place < to; place++) {
    const center = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(center - reach + 0.5));
    const count = Math.min(from, Math.trunc(center + reach + 0.5)) - start;
    let sum = 0;
    for (let index = 0; index < count; index++) {
      exact[index] = weight((index + start - center + 0.5) * (1 / widening));
      sum += exact[index]!;
    }
    for (let index = 0; index < count; index++) {
      const share = (sum === 0 ? exact[index]! : exact[index]! / sum) * 2 ** precision;
      values[place * stride + index] = Math.trunc(share < 0 ? share - 0.5 : share + 0.5);
    }
    starts[place] = start;
    counts[place] = count;
  }
  return { starts, counts, values, stride };
}

function resampleAcross({ width: from, height, channels, data }: Pixels, width: number, filter: Filter): Pixels {
  const { starts, counts, values, stride } = weightsFor(from, width, filter);
  const result = new Uint8ClampedArray(width * height * channels);
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const first = (row * from + starts[column]!) * channels;
      for (let channel = 0; channel < channels; channel++) {
        let sum = 1 << (precision - 1);
        for (let index = 0; index < counts[column]!; index++) {
          sum += data[first + index * channels + channel]! * values[column * stride + index]!;
        }
        result[(row * width + column) * channels + channel] = sum >> precision;
      }
    }
  }
  return { width, height, channels, data: new Uint8Array(result.buffer) };
}

function resampleDown({ width, height: from, channels, data }: Pixels, height: number, filter: Filter): Pixels {
  const { starts, counts, values, stride } = weightsFor(from, height, filter);
  const line = width * channels;
  const result = new Uint8ClampedArray(line * height);
  const sums = new Int32Array(line);
  for (let row = 0; row < height; row++) {
    sums.fill(1 << (precision - 1));
    for (let index = 0; index < counts[row]!; index++) {
      const value = values[row * stride + index]!;
      const first = (starts[row]! + index) * line;
      for (let at = 0; at < line; at++) sums[at]! += data[first + at]! * value;
    }
    for (let at = 0; at < line; at++) result[row * line + at] = sums[at]! >> precision;
  }
  return { width, height, channels, data: new Uint8Array(result.buffer) };
}

function nearest(
  { width: fromWidth, height: fromHeight, channels, data }: Pixels,
  width: number,
  height: number,
): Pixels {
  const columns = nearestPlaces(fromWidth, width);
  const rows = nearestPlaces(fromHeight, height);
  const result = new Uint8Array(width * height * channels);
  let at = 0;
  for (const row of rows) {
    for (const column of columns) {
      const from = (row * fromWidth + column) * channels;
      for (let channel = 0; channel < channels; channel++) result[at++] = data[from + channel]!;
    }
  }
  return { width, height, channels, data: result };
}

/** Adds the step up place by place, as Pillow does: its roundings decide some places. */
function nearestPlaces(from: number, to: number): Int32Array {
  const step = from / to;
  let position = step * 0.5;
  return Int32Array.from({ length: to }, () => {
    const place = Math.min(from - 1, Math.floor(position));
    position += step;
    return place;
  });
}
