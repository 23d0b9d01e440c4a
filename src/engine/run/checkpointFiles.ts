import type { Files } from '../../formats/bytes';
import { sortBySteps } from '../../formats/checkpoints/step';
import { resolvePath } from '../../formats/datasets';
import { WhenceError } from '../../protocol/errors';

/** A run's checkpoint files, ascending by the step in their names. `pattern` is a path with one `*`, or a list of paths. */
export async function findCheckpoints(
  pattern: string | readonly string[],
  folder: string,
  files: Files,
): Promise<{ readonly file: string; readonly step: number }[]> {
  const paths =
    typeof pattern === 'string'
      ? await expand(resolvePath(folder, pattern, files), files)
      : pattern.map((path) => resolvePath(folder, path, files));
  if (paths.length === 0) {
    throw new WhenceError('not-found', `No checkpoint matches ${String(pattern)}.`, {
      file: folder,
      place: 'checkpoints',
      mend: 'Correct `checkpoints` in whence.json, or save checkpoints in training.',
    });
  }
  const steps = sortBySteps(paths).map(({ file, step }) => {
    if (step !== undefined) return { file, step };
    throw new WhenceError('config-invalid', 'The file name does not say which training step it was saved at.', {
      file,
      mend: 'Name checkpoints by their step, as in step-1000.safetensors.',
    });
  });
  return withoutRepeats(steps);
}

/** The same file twice would count twice; two files of one step leave open which is meant. */
function withoutRepeats(checkpoints: readonly { file: string; step: number }[]): { file: string; step: number }[] {
  const distinct = checkpoints.filter(({ file }, i) => checkpoints.findIndex((other) => other.file === file) === i);
  distinct.forEach(({ file, step }, i) => {
    if (i > 0 && distinct[i - 1]!.step === step) {
      throw new WhenceError('config-invalid', `Two checkpoints are of step ${step}.`, {
        file,
        mend: 'List the checkpoints of one run by name in whence.json.',
      });
    }
  });
  return distinct;
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
