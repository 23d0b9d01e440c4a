import type { Pixels } from '../pixels';
import type { Plane } from './upsample';

/** How a JPEG's components mean colours. */
export type ColourModel = 'grey' | 'rgb' | 'ycc' | 'cmyk' | 'ycck';

/** What markers say of it: the transform of Adobe's marker, whether JFIF's is there, and the components' ids. */
export interface ColourHints {
  readonly adobe: number | undefined;
  readonly jfif: boolean;
  readonly ids: readonly number[];
}

/** The model as libjpeg guesses it. */
export function colourModel({ adobe, jfif, ids }: ColourHints): ColourModel {
  if (ids.length === 1) return 'grey';
  if (ids.length === 4) return adobe === 2 ? 'ycck' : 'cmyk';
  if (jfif) return 'ycc';
  if (adobe !== undefined) return adobe === 0 ? 'rgb' : 'ycc';
  return String.fromCharCode(...ids) === 'RGB' ? 'rgb' : 'ycc';
}

/** Components as RGB or grey: libjpeg's conversion in 16 bits of fraction, and Pillow's of inverted (Adobe's) CMYK. */
export function toPixels(planes: readonly Plane[], model: ColourModel, width: number, height: number): Pixels {
  const channels = model === 'grey' ? 1 : 3;
  const data = new Uint8Array(width * height * channels);
  const rgb = new Uint8ClampedArray(3);
  let at = 0;
  for (let row = 0; row < height; row++) {
    const [first, second, third, fourth] = planes.map(({ samples, stride }) =>
      samples.subarray(row * stride, row * stride + width),
    );
    if (model === 'grey') {
      data.set(first!, at);
      at += width;
      continue;
    }
    for (let column = 0; column < width; column++, at += 3) {
      const a = first![column]!;
      const b = second![column]!;
      const c = third![column]!;
      if (model === 'rgb' || model === 'cmyk') {
        rgb[0] = a;
        rgb[1] = b;
        rgb[2] = c;
      } else fromYcc(a, b, c, rgb);
      if (fourth) withBlack(rgb, fourth[column]!, model === 'ycck');
      data[at] = rgb[0]!;
      data[at + 1] = rgb[1]!;
      data[at + 2] = rgb[2]!;
    }
  }
  return { width, height, channels, data };
}

/** ITU-R BT.601 (JFIF): the arithmetic shift of a sum rounds green once, as libjpeg does. */
function fromYcc(y: number, cb: number, cr: number, rgb: Uint8ClampedArray): void {
  const blue = cb - 128;
  const red = cr - 128;
  rgb[0] = y + ((91881 * red + 32768) >> 16);
  rgb[1] = y + ((-22554 * blue - 46802 * red + 32768) >> 16);
  rgb[2] = y + ((116130 * blue + 32768) >> 16);
}

/**
 * Ink to light: Pillow takes the file's numbers for inverted ink, as Adobe writes them. `fromYcck`: what was converted stands
 * for red, green and blue, of which libjpeg makes cyan, magenta and yellow first.
 */
function withBlack(rgb: Uint8ClampedArray, stored: number, fromYcck: boolean): void {
  for (let channel = 0; channel < 3; channel++) {
    const ink = fromYcck ? rgb[channel]! : 255 - rgb[channel]!;
    const product = ink * stored + 128;
    rgb[channel] = stored - ((product + (product >> 8)) >> 8);
  }
}
