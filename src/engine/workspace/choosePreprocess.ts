import type { PreprocessConfig } from '../../formats/transform';
import type { EngineHost } from '../host';
import { Network } from '../network/network';
import { diagnose, entropy, isNearSmallest, mean } from '../review/diagnosis';
import { isPreprocessed, spreadIndices, Trial } from '../review/trial';
import { modelExamples } from '../run/modelExamples';
import type { OpenRun } from '../run/openRun';
import { isClassifier } from '../run/splits';
import type { Task } from '../task';

export interface ChosenPreprocess {
  readonly preprocess: PreprocessConfig;
  /** The last checkpoint's mean loss on a sample of the training data. */
  readonly loss: number;
  readonly tried: number;
}

const sampleSize = 500;
/** Without a log: the share of the loss of guessing beyond which usual mistakes are tried too. */
const doubtful = 0.5;

/**
 * The preprocessing under which the last checkpoint's training loss is smallest: training made it small for the inputs that
 * it saw. Where the best of `candidates` is not as good as training logged, changes to it are tried as the check does.
 * @param isStated whether the first candidate is what the training script says
 */
export async function choosePreprocess(
  run: OpenRun,
  candidates: readonly PreprocessConfig[],
  isStated: boolean,
  logged: number | undefined,
  host: EngineHost,
  task: Task,
): Promise<ChosenPreprocess> {
  const under = (preprocess: PreprocessConfig): OpenRun => ({ ...run, config: { ...run.config, preprocess } });
  const splits = await modelExamples(under(candidates[0]!));
  const network = await Network.open(run, host, splits.get('train')!);
  try {
    const indices = spreadIndices(run.splits.get('train')!.length, sampleSize);
    const trial = new Trial(run, network, run.checkpoints.length - 1, indices, task);
    const losses: number[] = [];
    for (const candidate of candidates) {
      const predictions = await trial.predictions(candidate);
      losses.push(predictions ? mean(predictions.losses) : Number.POSITIVE_INFINITY);
    }
    const smallest = losses.indexOf(Math.min(...losses));
    // What the training script itself says wins against others that fit hardly better.
    const best = isStated && isNearSmallest(losses[0]!, losses[smallest]!) ? 0 : smallest;
    const chosen = { preprocess: candidates[best]!, loss: losses[best]!, tried: candidates.length };
    const isDoubtful = logged !== undefined || (isClassifier(run) && chosen.loss > doubtful * entropy(trial.labels));
    if (!isPreprocessed(run) || !isDoubtful) return chosen;
    const { changes } = await diagnose(under(chosen.preprocess), network, logged, task);
    const last = changes.at(-1);
    return last ? { ...chosen, preprocess: last.preprocess, loss: last.loss } : chosen;
  } finally {
    await network.release();
  }
}
