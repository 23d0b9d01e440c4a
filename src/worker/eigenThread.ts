import { parentPort, workerData } from 'node:worker_threads';
import { loadEigensolver } from '../curvature/eigen';
import { type ErrorData, toErrorData } from '../protocol/errors';

/** What a thread is asked, one at a time, and how it answers; arrays are handed over, not copied. */
export interface EigenTask {
  readonly matrix: Float64Array;
  readonly n: number;
}
export type EigenAnswer =
  | { readonly values: Float64Array; readonly vectors: Float64Array }
  | { readonly error: ErrorData };

const solver = loadEigensolver(workerData as Uint8Array);

parentPort?.on('message', async ({ matrix, n }: EigenTask) => {
  try {
    const decompose = await solver;
    const { values, vectors } = decompose(matrix, n);
    parentPort?.postMessage({ values, vectors } satisfies EigenAnswer, [
      values.buffer as ArrayBuffer,
      vectors.buffer as ArrayBuffer,
    ]);
  } catch (error) {
    parentPort?.postMessage({ error: toErrorData(error) } satisfies EigenAnswer);
  }
});
