import { type CancelSignal, cancelled, throwIfCancelled } from '../protocol/cancel';

export type TakeTurns = <R>(signal: CancelSignal, work: () => Promise<R>) => Promise<R>;

/**
 * Runs works one after the other, in the order of their calls; a failed one holds nobody up. One that is cancelled while it
 * waits is refused at once; one that has begun hears its signal itself.
 */
export function turns(): TakeTurns {
  let last: Promise<unknown> = Promise.resolve();
  return (signal, work) =>
    new Promise((resolve, reject) => {
      let begun = false;
      signal.addEventListener('abort', () => {
        if (!begun) reject(cancelled());
      });
      const own = last.then(() => {
        begun = true;
        throwIfCancelled(signal);
        return work();
      });
      last = own.catch(() => undefined);
      own.then(resolve, reject);
    });
}
