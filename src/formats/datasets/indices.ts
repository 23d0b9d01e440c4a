import { WhenceError } from '../../protocol/errors';

/** Fails with `bad-argument` where an index is none of the file's `length` examples. */
export function checkIndices(indices: readonly number[], length: number, file: string): void {
  for (const index of indices) {
    if (Number.isInteger(index) && index >= 0 && index < length) continue;
    throw new WhenceError('bad-argument', `There is no example ${index}: the file has examples 0 to ${length - 1}.`, {
      file,
      mend: 'Name an example by its index, counted from 0.',
    });
  }
}
