import type { Compressors } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

/** Bytes that one page or buffer may unpack to; writers make pages of about one MB. */
export const largestUnpacked = 2 ** 28;

/** The usual compressions, none of which unpacks more than its page's header says or than `largestUnpacked`. */
export const guardedCompressors: Compressors = Object.fromEntries(
  Object.entries(compressors).map(([name, unpack]) => [
    name,
    (input: Uint8Array, length: number) => {
      if (!(length >= 0 && length <= largestUnpacked)) throw new Error(`a page claims to unpack to ${length} bytes`);
      return unpack(input, length);
    },
  ]),
);
