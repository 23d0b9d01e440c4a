import { WhenceError } from '../../protocol/errors';
import { Cursor, type PicklePlace } from './cursor';
import { Machine } from './machine';
import type { PickleObject, PickleValue } from './values';

/** Pickles of models tell where tensors lie and hold none: even of the largest they take a few MB. */
export const largestPickle = 2 ** 26;

/** Whether a file begins as a pickle of protocol 2 to 5 does. */
export function isPickle(head: Uint8Array): boolean {
  return head[0] === 0x80 && head[1]! >= 2 && head[1]! <= 5;
}

export interface Pickle {
  readonly value: PickleValue;
  /** The byte after it. */
  readonly end: number;
  /** Names of classes and functions in it that were described, not made or called. */
  readonly opaque: readonly string[];
  /** Objects that a reader must look up: ids of storages, and files within the pickle. */
  readonly lookups: readonly PickleObject[];
}

/**
 * Reads one pickle from `start`, protocols 0 to 5, without running anything: https://docs.python.org/3/library/pickletools.html.
 * @param largest bytes that it may have; `largestPickle` for models
 * @throws WhenceError `malformed-file`, `truncated-file`, or `unsupported-format` where the pickle asks for what does harm
 */
export function readPickle(bytes: Uint8Array, start: number, at: PicklePlace, largest = largestPickle): Pickle {
  if (bytes.length > largest) {
    throw new WhenceError('unsupported-format', `The pickle takes ${bytes.length} bytes; no model's needs so many.`, {
      file: at.path,
      place: `byte ${at.base + start}`,
      mend: 'Save tensors with torch.save instead of lists of numbers.',
    });
  }
  const cursor = new Cursor(bytes, start, at);
  const machine = new Machine(cursor, at);
  const value = machine.run();
  return { value, end: cursor.position, opaque: [...machine.opaque].sort(), lookups: machine.lookups };
}
