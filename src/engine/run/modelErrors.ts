import { WhenceError } from '../../protocol/errors';

/** What the runtime says of the user's own graph is an error of its file. */
export function ofModel(error: unknown, file: string): unknown {
  if (!(error instanceof WhenceError) || error.code !== 'runtime-failed') return error;
  const mend = 'Export the model again, and try it with onnxruntime on one batch of the data.';
  return new WhenceError(error.code, error.message, { file, mend, ...error.details }, { cause: error });
}
