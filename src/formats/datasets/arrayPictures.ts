import { storedLayout } from '../arrangement';
import type { PictureReader } from '../dataset';

/**
 * Rows of bytes as pictures, where their shape is one's: [height, width], or with one channel or three, first or last.
 * @param read one row
 */
export function arrayPictures(
  dims: readonly number[],
  isBytes: boolean,
  read: (index: number) => Promise<Float32Array>,
): PictureReader | undefined {
  const layout = storedLayout(dims);
  if (!isBytes || (dims.length !== 2 && layout === undefined)) return undefined;
  const [height, width, channels] =
    layout === 'chw' ? [dims[1]!, dims[2]!, dims[0]!] : [dims[0]!, dims[1]!, dims[2] ?? 1];
  if (channels !== 1 && channels !== 3) return undefined;
  return {
    stored: 'array',
    size: { width, height },
    channels,
    async decode(index) {
      const values = await read(index);
      const data = new Uint8Array(values.length);
      if (layout !== 'chw') data.set(values);
      else {
        const pixels = width * height;
        for (let at = 0; at < data.length; at++)
          data[at] = values[(at % channels) * pixels + Math.floor(at / channels)]!;
      }
      return { width, height, channels, data };
    },
  };
}
