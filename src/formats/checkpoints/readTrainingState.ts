import type { Files } from '../bytes';
import type { TrainingState } from '../trainingState';
import { openCheckpoint, recogniseCheckpoint } from './index';
import { readTrainerFolder } from './trainerFolder';

export { trainerFiles } from './trainerFolder';

/**
 * What training left with the checkpoint at `path`: in the file itself, and in the files that transformers' Trainer puts
 * beside it, which win. Empty where there is nothing.
 * @throws WhenceError where a file that should tell is damaged
 */
export async function readTrainingState(path: string, files: Files): Promise<TrainingState> {
  const source = await files.open(path);
  const { tensors, state } = await openCheckpoint(source, files);
  const format = await recogniseCheckpoint(source);
  const inModelOrder = format?.name.startsWith('torch') ?? false;
  return { ...state, ...(await readTrainerFolder(path, files, { tensors, inModelOrder })) };
}
