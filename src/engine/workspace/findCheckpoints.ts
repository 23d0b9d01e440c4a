import type { FileEntry, Files } from '../../formats/bytes';
import { recogniseCheckpoint } from '../../formats/checkpoints';
import { readTrainingState } from '../../formats/checkpoints/readTrainingState';
import type { TrainingState } from '../../formats/trainingState';
import { toErrorData } from '../../protocol/errors';
import type { Problem } from '../../protocol/model';

const checkpointNames = /\.(safetensors|bin|pt|pth|ckpt|pkl)$/i;
/** An ONNX file is a model, but for one that is called after its step: it tells nothing of training, and is not read here. */
const onnxCheckpoint = /(?:step|iter|iteration|epoch|checkpoint|ckpt)[-_=. ]?\d+[^/\\]*(?:[\\/][^/\\]+)?\.onnx$/i;
/** One file stands for all shards. */
const shardIndexNames = /\.(safetensors|bin)\.index\.json$/i;
const shardNames = /-\d+-of-\d+\./;
/** What training leaves beside the weights, by the names that transformers and accelerate give it. */
const stateNames =
  /^(optimizer|scheduler|scaler|sampler|training_args|rng_state|random_states|trainer_state)\b|_rng_state/i;

/** A file that holds weights, with what it tells of training. */
export interface FoundCheckpoint {
  readonly file: string;
  readonly state: TrainingState;
}

/** Tells the checkpoints among a workspace's files, by their content where their names allow it. */
export async function findCheckpointFiles(
  entries: readonly FileEntry[],
  files: Files,
): Promise<{ readonly checkpoints: readonly FoundCheckpoint[]; readonly problems: readonly Problem[] }> {
  const checkpoints: FoundCheckpoint[] = [];
  const problems: Problem[] = [];
  const others: string[] = [];
  for (const { path, name } of entries) {
    if (onnxCheckpoint.test(path)) checkpoints.push({ file: path, state: {} });
    if (!mayBeCheckpoint(name)) continue;
    try {
      const source = await files.open(path);
      // A damaged .safetensors file stays one: opening it later says what is wrong.
      const isWeights = /\.safetensors$/i.test(name) || shardIndexNames.test(name);
      const state = isWeights || (await recogniseCheckpoint(source)) ? await stateOf(path, files) : undefined;
      if (state) checkpoints.push({ file: path, state });
      else others.push(path);
    } catch (error) {
      const { message } = toErrorData(error);
      problems.push({ severity: 'warning', message, file: path, mend: 'Allow reading the file, or remove it.' });
    }
  }
  const named = others.filter((path) => !/\.(bin|pkl)$/i.test(path));
  if (checkpoints.length === 0 && named.length > 0) {
    const message = `${named.length} files are named like checkpoints, and hold no weights that Whence can read.`;
    const mend = "Save weights with torch.save(model.state_dict(), f'checkpoints/step-{step}.pt').";
    problems.push({ severity: 'warning', message, file: named[0]!, mend });
  }
  return { checkpoints, problems };
}

function mayBeCheckpoint(name: string): boolean {
  if (shardIndexNames.test(name)) return true;
  return checkpointNames.test(name) && !stateNames.test(name) && !shardNames.test(name);
}

/** Undefined where a file holds no weights; what is damaged tells nothing, and opening the run says why. */
async function stateOf(path: string, files: Files): Promise<TrainingState | undefined> {
  try {
    return await readTrainingState(path, files);
  } catch (error) {
    return toErrorData(error).code === 'unsupported-format' ? undefined : {};
  }
}
