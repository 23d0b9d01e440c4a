import type { Files } from '../../formats/bytes';
import { resolvePath } from '../../formats/datasets';
import { WhenceError } from '../../protocol/errors';
import type { OpenRun } from '../run/openRun';

/** The files that exact unrolling reads beside the run's own; fails where `whence.json` does not name them. */
export function unrollingFiles(
  run: Pick<OpenRun, 'config' | 'path' | 'folder' | 'checkpoints'>,
  files: Files,
): { readonly batches: string; readonly initial: string } {
  const { unrolling } = run.config;
  if (!unrolling) {
    throw new WhenceError('bad-argument', 'Exact unrolling needs the batches that training drew.', {
      file: run.path,
      place: 'unrolling',
      mend: 'Let training write the indices of each batch, and set "unrolling": { "batches": "batches.npy", "initial": "initial.safetensors" } in whence.json.',
    });
  }
  const [first] = run.checkpoints;
  const initial =
    unrolling.initial === undefined
      ? first?.step === 0
        ? first.file
        : undefined
      : resolvePath(run.folder, unrolling.initial, files);
  if (initial === undefined) throw initialMissing(run.path);
  return { batches: resolvePath(run.folder, unrolling.batches, files), initial };
}

function initialMissing(path: string): WhenceError {
  return new WhenceError(
    'bad-argument',
    'Exact unrolling begins with the initial weights, and no checkpoint is of step 0.',
    {
      file: path,
      place: 'unrolling',
      mend: 'Name their file: "unrolling": { "initial": "initial.safetensors", ... } in whence.json.',
    },
  );
}
