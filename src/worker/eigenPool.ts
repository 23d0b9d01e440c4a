import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { type Eigendecomposition, type Eigensolver, loadEigensolver } from '../curvature/eigen';
import { solverBytes } from '../engine/memoryBudget';
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

/**
 * Decomposes symmetric [n, n] row-major matrices, several at a time; answers in their order. Wide matrices are handed over to
 * threads and are empty afterwards. `memory` in bytes is what all threads together may take; a matrix that needs more than
 * that is decomposed alone.
 */
export type EigenPool = (
  matrices: readonly EigenTask[],
  memory: number,
  signal?: CancelSignal,
) => Promise<Eigendecomposition[]>;

/** Below this width a matrix takes less time than handing it to a thread. */
const inProcessWidth = 96;
export function eigenPool({ thread, wasm, threads = availableParallelism() }: EigenPoolOptions): EigenPool {
  let here: Promise<Eigensolver> | undefined;

  return async function decomposeAll(matrices, memory, signal) {
    throwIfCancelled(signal);
    const results = new Array<Eigendecomposition>(matrices.length);
    const wide: number[] = [];
    for (const [index, { matrix, n }] of matrices.entries()) {
      if (n > inProcessWidth) {
        wide.push(index);
        continue;
      }
      here ??= loadEigensolver(wasm);
      results[index] = (await here)(matrix, n);
    }
    wide.sort((a, b) => matrices[b]!.n - matrices[a]!.n);
    for (const { indices, count } of sideBySide(wide, (index) => solverBytes(matrices[index]!.n), memory, threads)) {
      const solved = await inThreads({ thread, wasm }, indices, matrices, count, signal);
      for (const [index, result] of solved) results[index] = result;
    }
    return results;
  };
}

/**
 * Cuts tasks, the largest first, into rounds, each with as many threads as its largest tasks leave room for: what comes after
 * a huge matrix need not wait behind it in one queue.
 */
function sideBySide(
  tasks: readonly number[],
  bytesOf: (task: number) => number,
  memory: number,
  threads: number,
): { readonly indices: readonly number[]; readonly count: number }[] {
  if (tasks.length === 0) return [];
  let count = 0;
  for (let sum = 0; count < Math.min(threads, tasks.length); count++) {
    sum += bytesOf(tasks[count]!);
    if (sum > memory && count > 0) break;
  }
  const more = tasks.findIndex((task) => bytesOf(task) * (count + 1) <= memory);
  const end = count === threads || more < 0 ? tasks.length : Math.max(count, more);
  const rest = sideBySide(tasks.slice(end), bytesOf, memory, threads);
  return [{ indices: tasks.slice(0, end), count }, ...rest];
}

/** Threads live for one round: their WebAssembly memories, which never shrink, go with them. */
async function inThreads(
  { thread, wasm }: EigenPoolOptions,
  indices: readonly number[],
  matrices: readonly EigenTask[],
  count: number,
  signal: CancelSignal | undefined,
): Promise<Map<number, Eigendecomposition>> {
  const results = new Map<number, Eigendecomposition>();
  const queue = indices.values();
  const workers = Array.from({ length: count }, () => new Worker(thread, { workerData: wasm }));
  const cancelled = new Promise<never>((_, reject) => {
    signal?.addEventListener('abort', () =>
      reject(new WhenceError('cancelled', 'Cancelled. Finished stages are kept.')),
    );
  });
  try {
    throwIfCancelled(signal);
    const drained = workers.map(async (worker) => {
      for (const index of queue) results.set(index, await ask(worker, matrices[index]!));
    });
    await Promise.race([Promise.all(drained), cancelled]);
    return results;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
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
    worker.postMessage({ matrix, n } satisfies EigenTask, [matrix.buffer as ArrayBuffer]);
  });
}

function threadError(n: number, reason: string, cause?: Error): WhenceError {
  const outOfMemory = cause !== undefined && 'code' in cause && cause.code === 'ERR_WORKER_OUT_OF_MEMORY';
  const message = `The eigensolver's thread failed on a matrix ${n} wide: ${reason}.`;
  return new WhenceError(outOfMemory ? 'out-of-memory' : 'internal', message, {}, { cause });
}
