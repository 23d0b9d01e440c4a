import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Eigendecomposition, type Eigensolver, loadEigensolver } from '../curvature/eigen';
import { type CancelSignal, throwIfCancelled } from '../protocol/cancel';
import { fromErrorData, WhenceError } from '../protocol/errors';
import type { EigenAnswer, EigenTask } from './eigenThread';

export interface EigenPoolOptions {
  /** Where the bundled src/worker/eigenThread.ts is. */
  readonly thread: URL;
  /** The bytes of eigh.wasm. */
  readonly wasm: Uint8Array;
  readonly threads?: number;
}

/** Decomposes symmetric [n, n] row-major matrices, several at a time; answers in their order. The matrices stay as they are. */
export type EigenPool = (matrices: readonly EigenTask[], signal?: CancelSignal) => Promise<Eigendecomposition[]>;

/** Below this width a matrix takes less time than handing it to a thread. */
const inProcessWidth = 96;
/** The solver needs about four times its matrix; all threads together stay below this. */
const workingBytes = 2 ** 30;
const workingCopies = 4;

/** Threads live for one call: their WebAssembly memories, which never shrink, go with them. */
export function eigenPool({ thread, wasm, threads = availableParallelism() }: EigenPoolOptions): EigenPool {
  let here: Promise<Eigensolver> | undefined;

  return async function decomposeAll(matrices, signal) {
    throwIfCancelled(signal);
    const results = new Array<Eigendecomposition>(matrices.length);
    const large: number[] = [];
    for (const [index, { matrix, n }] of matrices.entries()) {
      if (n > inProcessWidth) {
        large.push(index);
        continue;
      }
      here ??= loadEigensolver(wasm);
      results[index] = (await here)(matrix, n);
    }
    if (large.length === 0) return results;

    const widthOf = (index: number) => matrices[index]?.n ?? 0;
    large.sort((a, b) => widthOf(b) - widthOf(a));
    const each = widthOf(large[0] ?? 0) ** 2 * 8 * workingCopies;
    const count = Math.max(1, Math.min(threads, large.length, Math.floor(workingBytes / each)));
    const queue = large.values();
    const workers = Array.from({ length: count }, () => new Worker(thread, { workerData: wasm }));
    const cancelled = new Promise<never>((_, reject) => {
      signal?.addEventListener('abort', () =>
        reject(new WhenceError('cancelled', 'Cancelled. Finished stages are kept.')),
      );
    });
    try {
      const drained = workers.map(async (worker) => {
        for (const index of queue) {
          const task = matrices[index];
          if (task) results[index] = await ask(worker, task);
        }
      });
      await Promise.race([Promise.all(drained), cancelled]);
      return results;
    } finally {
      await Promise.all(workers.map((worker) => worker.terminate()));
    }
  };
}

/** Rejects when the thread ends without an answer, however that came. */
function ask(worker: Worker, { matrix, n }: EigenTask): Promise<Eigendecomposition> {
  return new Promise((resolve, reject) => {
    const settle = () => {
      worker.off('message', answered);
      worker.off('error', failed);
      worker.off('exit', ended);
    };
    const answered = (answer: EigenAnswer) => {
      settle();
      if ('error' in answer) reject(fromErrorData(answer.error));
      else resolve(answer);
    };
    const failed = (cause: Error) => {
      settle();
      reject(threadError(n, cause.message, cause));
    };
    const ended = (code: number) => {
      settle();
      reject(threadError(n, `it ended with exit code ${code}`));
    };
    worker.on('message', answered);
    worker.on('error', failed);
    worker.on('exit', ended);
    const copy = matrix.slice();
    worker.postMessage({ matrix: copy, n } satisfies EigenTask, [copy.buffer]);
  });
}

function threadError(n: number, reason: string, cause?: Error): WhenceError {
  const outOfMemory = cause !== undefined && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
  const message = `The eigensolver's thread failed on a matrix ${n} wide: ${reason}.`;
  return new WhenceError(outOfMemory ? 'out-of-memory' : 'internal', message, {}, { cause });
}
