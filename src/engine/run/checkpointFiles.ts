import type { Files } from '../../formats/bytes';
import { readTrainingState } from '../../formats/checkpoints/readTrainingState';
import { resolvePath } from '../../formats/datasets';
import type { TrainingState } from '../../formats/trainingState';
import { WhenceError } from '../../protocol/errors';
import { type SavedAt, savedAt } from './checkpointSteps';

/** A checkpoint file with what training left in it and beside it. */
export interface SavedCheckpoint extends SavedAt {
  readonly file: string;
  readonly state: TrainingState;
}

/** Paths of a run's checkpoint files, each once, in no order. `pattern` is a path with one `*`, or a list of paths. */
export async function listCheckpoints(
  pattern: string | readonly string[],
  folder: string,
  files: Files,
): Promise<readonly string[]> {
  const paths =
    typeof pattern === 'string'
      ? await expand(resolvePath(folder, pattern, files), files)
      : pattern.map((path) => resolvePath(folder, path, files));
  if (paths.length > 0) return [...new Set(paths)];
  throw new WhenceError('not-found', `No checkpoint matches ${String(pattern)}.`, {
    file: folder,
    place: 'checkpoints',
    mend: 'Correct `checkpoints` in whence.json, or save checkpoints in training.',
  });
}

/**
 * A run's checkpoints, ascending by step.
 * @param order names of the model's parameters in its order, for optimizers that count them
 */
export async function findCheckpoints(
  pattern: string | readonly string[],
  folder: string,
  files: Files,
  order?: readonly string[],
): Promise<SavedCheckpoint[]> {
  const found: SavedCheckpoint[] = [];
  for (const file of await listCheckpoints(pattern, folder, files)) {
    const state = await readTrainingState(file, files, order);
    const saved = savedAt(file, state);
    if (!saved) {
      throw new WhenceError(
        'config-invalid',
        'Neither the file nor its name says which training step it was saved at.',
        {
          file,
          mend: 'Name checkpoints by their step, as in step-1000.safetensors.',
        },
      );
    }
    found.push({ file, state, ...saved });
  }
  return withoutRepeats(found.sort((a, b) => a.step - b.step || (a.file < b.file ? -1 : 1)));
}

/** Two files of one step leave open which is meant. */
function withoutRepeats(checkpoints: SavedCheckpoint[]): SavedCheckpoint[] {
  checkpoints.forEach(({ file, step }, i) => {
    if (i > 0 && checkpoints[i - 1]!.step === step) {
      throw new WhenceError('config-invalid', `Two checkpoints are of step ${step}.`, {
        file,
        mend: 'List the checkpoints of one run by name in whence.json.',
      });
    }
  });
  return checkpoints;
}

async function expand(pattern: string, files: Files): Promise<string[]> {
  const folderPart = files.dirname(pattern.slice(0, pattern.indexOf('*') + 1 || undefined));
  if (!pattern.includes('*')) return [pattern];
  const rest = pattern.slice(folderPart.length + 1);
  const [segment, ...below] = rest.split(/[\\/]/);
  const [head, tail] = segment!.split('*') as [string, string];
  const entries = await files.list(folderPart);
  const found = entries
    .filter(({ name }) => name.startsWith(head) && name.endsWith(tail) && name.length >= head.length + tail.length)
    .filter(({ kind }) => (below.length === 0 ? kind === 'file' : kind === 'folder'))
    .map(({ path }) => files.join(path, ...below));
  const present = await Promise.all(found.map((path) => files.exists(path)));
  return found.filter((_, i) => present[i]);
}
