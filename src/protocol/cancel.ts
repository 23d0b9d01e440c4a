import { WhenceError } from './errors';

/** The part of `AbortSignal` that long work needs; every host's own AbortSignal is one. */
export interface CancelSignal {
  readonly aborted: boolean;
  addEventListener(type: 'abort', listener: () => void): void;
  removeEventListener(type: 'abort', listener: () => void): void;
}

export function cancelled(cause?: unknown): WhenceError {
  return new WhenceError('cancelled', 'Cancelled. Finished stages are kept.', {}, { cause });
}

/** Throws `cancelled` when the caller has let go. Long loops call it between batches. */
export function throwIfCancelled(signal: CancelSignal | undefined): void {
  if (signal?.aborted) throw cancelled();
}
