import type { Files } from '../../formats/bytes';
import { openCheckpoint } from '../../formats/checkpoints';
import type { TrainingState } from '../../formats/trainingState';

export async function readTrainingState(path: string, files: Files): Promise<TrainingState> {
  return (await openCheckpoint(await files.open(path), files)).state ?? {};
}

/** Files beside a checkpoint that tell of training, as transformers' Trainer writes them. */
const stateNames = ['trainer_state.json', 'optimizer.pt', 'training_args.bin'];

export async function stateFiles(path: string, files: Files): Promise<string[]> {
  const beside = stateNames.map((name) => files.join(files.dirname(path), name));
  const present = await Promise.all(beside.map((file) => files.exists(file)));
  return beside.filter((_, index) => present[index]);
}
