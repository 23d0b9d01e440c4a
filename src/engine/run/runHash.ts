import type { FisherKind } from '../../curvature/fisher';
import type { Files } from '../../formats/bytes';
import { trainerFiles } from '../../formats/checkpoints/readTrainingState';
import { datasetFiles, datasetState, resolvePath } from '../../formats/datasets';
import type { Checkpoint } from '../../protocol/model';
import type { RunConfig } from '../config/config';

/** Raised when a stage's numbers change for the same inputs, so that older results are not taken for new ones. */
const engineVersion = 2;

/** The content hash of a stage at some checkpoints; `more` are the stage's own settings. */
export type RunHash = (stage: string, checkpoints: readonly number[], more?: unknown) => Promise<string>;

/**
 * Hashes graph, training data, checkpoints and those settings that a stage's numbers depend on.
 * @param isAdam whether the optimizer's states, which may lie beside the checkpoints, enter too
 */
export function runHash(
  config: RunConfig,
  folder: string,
  modelFiles: readonly string[],
  checkpoints: readonly Checkpoint[],
  fisher: FisherKind,
  isAdam: boolean,
  files: Files,
): RunHash {
  return async (stage, indices, more) => {
    const train = config.data.train!;
    const own = indices.map((index) => checkpoints[index]!.file);
    const beside = isAdam ? await Promise.all(own.map((file) => trainerFiles(file, files))) : [];
    const states = beside.flat().filter((file) => files.basename(file) === 'optimizer.pt');
    const facts = {
      engineVersion,
      stage,
      more,
      model: await Promise.all(modelFiles.map((path) => files.hashFile(path))),
      checkpoints: await Promise.all(own.map((file) => files.hashFile(file))),
      ...(states.length > 0 ? { states: await Promise.all(states.map((file) => files.hashFile(file))) } : {}),
      train,
      trainFiles: await datasetState(train, folder, files),
      classes: config.classes,
      preprocess: config.preprocess,
      tokenizer: await Promise.all(tokenizerFiles(config, folder, files).map((path) => files.hashFile(path))),
      inputs: config.inputs,
      sites: config.sites,
      loss: config.loss,
      fisher:
        fisher === 'sampled'
          ? { seed: config.seed ?? 0, steps: indices.map((index) => checkpoints[index]!.step) }
          : fisher,
    };
    return files.hashBytes([new TextEncoder().encode(JSON.stringify(facts))]);
  };
}

/**
 * Content hash of every file that a run reads, its `whence.json` included: another hash means that the run must be read
 * again. `others` are the files of its model and its checkpoints.
 */
export async function runFingerprint(
  config: RunConfig,
  path: string,
  folder: string,
  others: readonly string[],
  files: Files,
): Promise<string> {
  const data = await Promise.all(Object.values(config.data).map((split) => datasetState(split, folder, files)));
  const log = config.log === undefined ? [] : [resolvePath(folder, config.log, files)];
  const paths = [path, ...others, ...log, ...tokenizerFiles(config, folder, files)];
  const hashes = await Promise.all(paths.map(async (file) => `${file}\n${await files.hashFile(file)}`));
  const places = Object.values(config.data).flatMap((split) => datasetFiles(split, folder, files));
  return files.hashBytes([new TextEncoder().encode([...hashes, ...places, ...data.flat()].join('\n'))]);
}

function tokenizerFiles({ preprocess }: RunConfig, folder: string, files: Files): string[] {
  return preprocess?.tokenizer ? [resolvePath(folder, preprocess.tokenizer.file, files)] : [];
}
