import { WhenceError } from '../../protocol/errors';

/** A decoded picture: `data` is row-major [height, width, channels], 0..255; grey, or red, green and blue. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Pixels beyond which a picture is refused unread: Pillow's own bound of what it takes for an attack. */
const mostPixels = 89_478_485;

/**
 * Fails where a picture's stated size is absurd.
 * @throws WhenceError `malformed-file` for no pixels, `unsupported-format` for too many
 */
export function checkPictureSize(width: number, height: number, file: string): void {
  if (width < 1 || height < 1) {
    throw new WhenceError('malformed-file', `The picture states a size of ${width} × ${height} pixels.`, { file });
  }
  if (width * height <= mostPixels) return;
  throw new WhenceError('unsupported-format', `The picture states a size of ${width} × ${height} pixels: too many.`, {
    file,
    mend: `Scale it down to at most ${mostPixels} pixels.`,
  });
}

export function damagedPicture(file: string, place: string, message: string): WhenceError {
  return new WhenceError('malformed-file', message, { file, place, mend: 'Copy the picture again, or leave it out.' });
}

export function truncatedPicture(file: string, size: number): WhenceError {
  return new WhenceError('truncated-file', 'The file ends before the picture is complete.', {
    file,
    place: `byte ${size}`,
    mend: 'Copy the picture again, or leave it out.',
  });
}

export function unknownPicture(file: string, what: string): WhenceError {
  return new WhenceError('unsupported-format', `${what}, which Whence does not read.`, {
    file,
    mend: 'Save it as PNG, or as a baseline or progressive JPEG of 8 bits.',
  });
}

/** As Pillow's convert('RGB'). */
export function toRgb(pixels: Pixels): Pixels {
  if (pixels.channels === 3) return pixels;
  const data = new Uint8Array(pixels.data.length * 3);
  pixels.data.forEach((value, index) => {
    data.fill(value, 3 * index, 3 * index + 3);
  });
  return { ...pixels, channels: 3, data };
}

/** As Pillow's convert('L'): ITU-R 601-2 luma in fixed point of 16 bits. */
export function toGrey(pixels: Pixels): Pixels {
  if (pixels.channels === 1) return pixels;
  const from = pixels.data;
  const data = new Uint8Array(from.length / 3);
  for (let index = 0, at = 0; index < data.length; index++, at += 3) {
    data[index] = (from[at]! * 19595 + from[at + 1]! * 38470 + from[at + 2]! * 7471 + 0x8000) >> 16;
  }
  return { ...pixels, channels: 1, data };
}
