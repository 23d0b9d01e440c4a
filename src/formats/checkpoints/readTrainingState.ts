import type { Files } from '../bytes';
import type { TrainingState } from '../trainingState';
import { openCheckpoint, recogniseCheckpoint } from './index';
import { inOrderOf } from './modelOrder';
import { readTrainerFolder } from './trainerFolder';

export { trainerFiles } from './trainerFolder';

/**
 * What training left with the checkpoint at `path`: in the file itself, and in the files that transformers' Trainer puts
 * beside it, which win. Empty where there is nothing.
 * @param order names of the model's parameters in its order, by which an optimizer counts them; some files keep no order
 * @throws WhenceError where a file that should tell is damaged
 */
export async function readTrainingState(path: string, files: Files, order?: readonly string[]): Promise<TrainingState> {
  const source = await files.open(path);
  const { tensors, state } = await openCheckpoint(source, files);
  const format = await recogniseCheckpoint(source);
  const inModelOrder = format?.name.startsWith('torch') ?? false;
  const beside = await readTrainerFolder(path, files, { tensors, inModelOrder });
  const isNamed = beside?.optimizer?.groups.every(({ parameters }) => parameters) ?? true;
  const ordered = isNamed || inModelOrder || !order ? undefined : inOrderOf(tensors, order);
  const named = ordered && (await readTrainerFolder(path, files, { tensors: ordered, inModelOrder: true }));
  return { ...state, ...(named ?? beside) };
}
