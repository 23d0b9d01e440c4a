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

/** Runs of neighbours in a list of indices: the place of each in the list, its first index and the one after its last. */
export function* neighbours(indices: readonly number[]): Generator<readonly [at: number, from: number, to: number]> {
  for (let at = 0; at < indices.length; ) {
    let next = at + 1;
    while (next < indices.length && indices[next] === indices[next - 1]! + 1) next++;
    yield [at, indices[at]!, indices[at]! + next - at];
    at = next;
  }
}
