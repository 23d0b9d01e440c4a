import { decodeJpeg, isJpeg, jpegSize } from './jpeg/decode';
import { type Pixels, unknownPicture } from './pixels';
import { decodePng, isPng, pngHeader } from './png';

export { type Pixels, toGrey, toRgb } from './pixels';

/** Endings of pictures, as torchvision's ImageFolder takes them; not all of these formats are read. */
export const pictureNames = /\.(jpe?g|png|ppm|bmp|pgm|tiff?|webp)$/i;

/** True for bytes that can begin a picture that is read. */
export function isPicture(head: Uint8Array): boolean {
  return isJpeg(head) || isPng(head);
}

/** Decodes a picture by its content, to the bytes that Pillow's convert('RGB') gives, or to grey where it holds grey. */
export function decodePicture(bytes: Uint8Array, file: string): Pixels {
  if (isJpeg(bytes)) return decodeJpeg(bytes, file);
  if (isPng(bytes)) return decodePng(bytes, file);
  throw unknownPicture(file, 'This is neither a PNG nor a JPEG');
}

/** Width and height as the picture's head states them. */
export function pictureSize(bytes: Uint8Array, file: string): { readonly width: number; readonly height: number } {
  if (isPng(bytes)) return pngHeader(bytes, file);
  if (isJpeg(bytes)) return jpegSize(bytes, file);
  throw unknownPicture(file, 'This is neither a PNG nor a JPEG');
}
