import { type Codec, CompressionType, setCompressionCodec } from '@uwdata/flechette';
import type { Compressors } from 'hyparquet';
import { compressors, decompressZstd } from 'hyparquet-compressors';
import { unpackLz4Frame } from './lz4';

/** Bytes that one page or buffer may unpack to; writers make pages of about one MB, buffers of some. */
export const largestUnpacked = 2 ** 28;

type Unpack = (input: Uint8Array, length: number) => Uint8Array;

/** Unpacks to what the page's header says and not beyond `largestUnpacked`, whatever the bytes would come to. */
function guarded(unpack: Unpack): Unpack {
  return (input, length) => {
    if (!(length >= 0 && length <= largestUnpacked)) throw new Error(`a page claims to unpack to ${length} bytes`);
    const bytes = unpack(input, length);
    if (bytes.length === length) return bytes;
    throw new Error(`a page unpacks to ${bytes.length} bytes, not to ${length}`);
  };
}

/** Given its room, it writes no further. */
const unpackZstd = guarded((input, length) => decompressZstd(input, new Uint8Array(length)));

/** What the pages of Parquet files are compressed by. */
export const pageCompressors: Compressors = {
  ...Object.fromEntries(Object.entries(compressors).map(([name, unpack]) => [name, guarded(unpack)])),
  ZSTD: unpackZstd,
};

/** Lets the reader of Arrow know what buffers are compressed by. */
export function registerArrowCodecs(): void {
  setCompressionCodec(CompressionType.ZSTD, codec(unpackZstd));
  setCompressionCodec(CompressionType.LZ4_FRAME, codec(guarded(unpackLz4Frame)));
}

function codec(decode: Unpack): Codec {
  return {
    decode,
    encode: () => {
      throw new Error('nothing is written');
    },
  };
}
