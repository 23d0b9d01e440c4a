import { throwIfCancelled } from '../../../../src/protocol/cancel';
import { connect } from '../../../../src/protocol/connection';
import { WhenceError } from '../../../../src/protocol/errors';
import { parentPort } from '../../../../src/worker/parentPort';

/** What the child process of connection.test.ts answers. */
export interface EchoApi {
  double(request: { values: Float32Array; big: BigInt64Array }): Promise<{ values: Float32Array; big: BigInt64Array }>;
  count(request: { to: number; milliseconds: number }): Promise<{ counted: number }>;
  fail(request: { how: 'whence' | 'plain' | 'sync' | 'uncloneable' }): Promise<void>;
  nothing(request: Record<string, never>): Promise<void>;
  hang(request: Record<string, never>): Promise<void>;
  crash(request: { message: string }): Promise<void>;
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

connect<Record<string, never>, EchoApi>(parentPort()).serve({
  async double({ values, big }) {
    return { values: values.map((value) => 2 * value), big: big.map((value) => 2n * value) };
  },
  async count({ to, milliseconds }, { signal, progress }) {
    for (let done = 1; done <= to; done++) {
      throwIfCancelled(signal);
      progress({ phase: 'scoring', message: `Counting ${done}`, done, total: to });
      await pause(milliseconds);
    }
    return { counted: to };
  },
  fail({ how }) {
    if (how === 'sync') throw new Error('thrown before any promise');
    if (how === 'plain') return Promise.reject(new Error('plain'));
    if (how === 'uncloneable') return Promise.resolve((() => 0) as never);
    return Promise.reject(new WhenceError('not-finite', 'NaN.', { file: '/a', place: 'tensor w', mend: 'Retrain.' }));
  },
  async nothing() {},
  hang: () => new Promise(() => undefined),
  async crash({ message }) {
    console.error(message);
    process.exit(7);
  },
});
