import { type Pixels, toGrey, toRgb } from './pixels';
import { type Interpolation, resample } from './resample';

/** What happens to a picture before it is numbers, in this order: colours, resize, crop. As torchvision's transforms of PIL images. */
export interface PictureConfig {
  /** Pictures as red, green and blue, the other way round, or as grey. Default `rgb`. */
  readonly channels?: 'rgb' | 'bgr' | 'grey';
  /** The length of the shorter side, or [height, width]. */
  readonly resize?: number | readonly [number, number];
  /** Default `bilinear`. */
  readonly interpolation?: Interpolation;
  /** The side of the square, or [height, width], that is cut out of the middle. */
  readonly crop?: number | readonly [number, number];
}

/** A picture as training saw it before it became numbers; `bgr` is left to the layout of the numbers. */
export function preparePicture(pixels: Pixels, { channels, resize, interpolation, crop }: PictureConfig): Pixels {
  const coloured = channels === 'grey' ? toGrey(pixels) : toRgb(pixels);
  const [height, width] = resizedDims(coloured, resize);
  const resized = resample(coloured, width, height, interpolation ?? 'bilinear');
  return crop === undefined ? resized : centerCrop(resized, ...pair(crop));
}

/** The shape [height, width, channels] that `preparePicture` gives pictures of one size. */
export function preparedDims(
  { width, height }: Pick<Pixels, 'width' | 'height'>,
  { channels, resize, crop }: PictureConfig,
): [number, number, number] {
  const [rows, columns] = crop === undefined ? resizedDims({ width, height }, resize) : pair(crop);
  return [rows, columns, channels === 'grey' ? 1 : 3];
}

function pair(size: number | readonly [number, number]): readonly [number, number] {
  return typeof size === 'number' ? [size, size] : size;
}

/** Height and width after torchvision's Resize: the longer side is cut off to a whole number. */
function resizedDims(
  { width, height }: Pick<Pixels, 'width' | 'height'>,
  resize: PictureConfig['resize'],
): readonly [number, number] {
  if (resize === undefined) return [height, width];
  if (typeof resize !== 'number') return resize;
  const longer = Math.trunc((resize * Math.max(width, height)) / Math.min(width, height));
  return width <= height ? [longer, resize] : [resize, longer];
}

/** torchvision's CenterCrop: what is too small is padded with black first; halves are rounded to even. */
function centerCrop({ width, height, channels, data }: Pixels, rows: number, columns: number): Pixels {
  const top = offset(height, rows);
  const left = offset(width, columns);
  const result = new Uint8Array(rows * columns * channels);
  const firstColumn = Math.max(0, -left);
  const lastColumn = Math.min(columns, width - left);
  for (let row = Math.max(0, -top); row < Math.min(rows, height - top); row++) {
    const from = ((row + top) * width + firstColumn + left) * channels;
    const length = (lastColumn - firstColumn) * channels;
    result.set(data.subarray(from, from + length), (row * columns + firstColumn) * channels);
  }
  return { width: columns, height: rows, channels, data: result };
}

/** Where the cut begins; negative where the picture is padded. */
function offset(length: number, wanted: number): number {
  if (wanted > length) return -Math.floor((wanted - length) / 2);
  const half = (length - wanted) / 2;
  return Number.isInteger(half) ? half : 2 * Math.round(half / 2);
}
