import { connect } from '../../../../src/protocol/connection';
import type { EngineApi } from '../../../../src/protocol/engineApi';
import { parentPort } from '../../../../src/worker/parentPort';

/** A process that answers a few of the engine's calls in the ways that a process can fail. */
connect<Record<string, never>, Pick<EngineApi, 'hash' | 'inspect' | 'check' | 'readReview' | 'undoReview' | 'scores'>>(
  parentPort(),
).serve({
  /** Which process answers, and how it was started. */
  hash: async () =>
    JSON.stringify({ pid: process.pid, argv: process.argv.slice(2), env: process.env.ELECTRON_RUN_AS_NODE }),
  /** Dies while its caller waits. */
  inspect: async () => {
    console.error('first\nthe last words');
    process.exit(7);
  },
  /** Stuck in native code: hears nothing, ends by force only. */
  check: async () => {
    for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  },
  /** Waits for the caller to let go. */
  readReview: (_request, { signal }) =>
    new Promise((_resolve, reject) => {
      const letGo = () => reject(new Error('let go'));
      if (signal.aborted) letGo();
      else signal.addEventListener('abort', letGo);
    }),
  /** Hears nothing, but leaves the process free for others: a call that waits for its turn. */
  undoReview: () => new Promise(() => {}),
  /** Takes a while. */
  scores: () => new Promise((resolve) => setTimeout(() => resolve({ shape: [process.pid, 0] }), 900)),
});
process.on('disconnect', () => process.exit(0));
