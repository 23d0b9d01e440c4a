import { WhenceError } from '../protocol/errors';
import type { ByteSource } from './bytes';

/** Bytes that are in memory already, such as those of a tensor within a pickle, under the name of the file they came from. */
export function heldBytes(path: string, bytes: Uint8Array): ByteSource {
  return {
    path,
    size: bytes.length,
    async read(offset, length) {
      if (offset + length > bytes.length) {
        const message = `${offset + length} bytes are needed of ${bytes.length}.`;
        throw new WhenceError('truncated-file', message, { file: path, mend: 'Save the file again.' });
      }
      return bytes.slice(offset, offset + length);
    },
  };
}
