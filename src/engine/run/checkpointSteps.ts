import { stepOf } from '../../formats/checkpoints/step';
import type { TrainingState } from '../../formats/trainingState';
import type { Problem } from '../../protocol/model';

/** When a checkpoint was saved. */
export interface SavedAt {
  readonly step: number;
  /** Names often count epochs where steps are meant: that orders checkpoints and no more. */
  readonly counts: 'updates' | 'epochs';
}

const stepWords = '(?:global[-_ ]?step|step|iteration|iter|checkpoint)';

/** What a checkpoint itself says of its step, else what its name says; undefined where neither does. */
export function savedAt(path: string, state: TrainingState): SavedAt | undefined {
  const own = state.step ?? state.optimizer?.updates;
  if (own !== undefined) return { step: own, counts: 'updates' };
  const named = stepOf(path);
  if (named !== undefined) return { step: named, counts: isNamed('epoch', named, path) ? 'epochs' : 'updates' };
  return state.epoch === undefined ? undefined : { step: state.epoch, counts: 'epochs' };
}

/** A name that speaks of another step than the file does; one that is off by one counts from 0 or from 1. */
export function stepProblem(path: string, state: TrainingState): Problem | undefined {
  const own = state.step ?? state.optimizer?.updates;
  const named = stepOf(path);
  if (own === undefined || named === undefined || Math.abs(own - named) <= 1) return undefined;
  if (!isNamed(stepWords, named, path)) return undefined;
  return {
    severity: 'warning',
    message: `The name says step ${named}, the file itself step ${own}: ${own} is taken.`,
    file: path,
    mend: 'Rename the file, or leave it out of `checkpoints` in whence.json.',
  };
}

/** Whether the number stands behind one of these words in the file's name, or in its folder's. */
function isNamed(words: string, number: number, path: string): boolean {
  const place = path.split(/[\\/]/).slice(-2).join('/');
  return new RegExp(`${words}[-_=. ]?0*${number}(?!\\d)`, 'i').test(place);
}
