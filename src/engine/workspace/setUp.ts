import type { PreprocessConfig } from '../../formats/transform';
import type { EngineApi } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import type { Problem } from '../../protocol/model';
import { parseOptimizer, type StatedOptimizer } from '../../protocol/optimizerText';
import type { EngineHost } from '../host';
import { type ModelExamples, range } from '../network/examples';
import { Network } from '../network/network';
import { predict } from '../network/predictions';
import { modelExamples } from '../run/modelExamples';
import { type OpenRun, openConfig } from '../run/openRun';
import { loggedIn } from '../run/rates';
import type { Task } from '../task';
import { discover } from './discover';
import { planRuns, type RunPlan } from './plan';
import { plannedConfig, preprocessCandidates, toProposal } from './propose';

type SetUpRequest = Parameters<EngineApi['setUp']>[0];

const sampleSize = 500;
/** What the training script itself says wins against others that fit hardly better. */
const indifference = 0.03;
/** The last logged losses of single batches are averaged over this part of the log. */
const loggedTail = 0.05;

/**
 * The `whence.json` text of the run whose configuration would stand at `config`, with the preprocessing under which the
 * last checkpoint's training loss is smallest: training made it small for the inputs that it saw.
 */
export async function completeProposal(
  { config, folder, optimizer }: SetUpRequest,
  host: EngineHost,
  task: Task,
): Promise<{ readonly text: string; readonly problems: readonly Problem[] }> {
  const { files } = host;
  const home = folder ?? files.dirname(config);
  const answers = new Map(optimizer === undefined ? [] : [[config, readAnswer(optimizer)]]);
  const plans = await planRuns(await discover(home, files, task.signal), files, task.signal, answers);
  const plan = plans.find((one) => one.config === config);
  if (!plan) {
    throw new WhenceError('not-found', 'Here is no training run that is not set up already.', {
      file: home,
      mend: 'Save checkpoints in training as .safetensors files, or look at the whence.json that is there.',
    });
  }
  const base = plannedConfig(plan, files);
  if (!base) {
    const { text, problems } = toProposal(plan, files);
    return { text, problems };
  }
  const run = await openConfig({ ...base, device: 'cpu' }, config, files);
  const logged = finalLoss(plan);
  const candidates = preprocessCandidates(plan).filter((candidate) => fits(run, candidate));
  const losses = await lossesUnder(run, candidates, host, task);
  const smallest = losses.indexOf(Math.min(...losses));
  const isScripts = plan.facts.preprocess !== undefined && losses[0]! <= losses[smallest]! + indifference;
  const best = isScripts ? 0 : smallest;
  const { text, problems } = toProposal(plan, files, {
    preprocess: candidates[best]!,
    reason: reasonFor(losses[best]!, logged, candidates.length),
  });
  return { text, problems };
}

function reasonFor(loss: number, logged: number | undefined, candidates: number): string {
  const tried = `Chosen of ${candidates} usual ways: the last checkpoint's training loss is smallest, ${loss.toFixed(2)}`;
  return logged === undefined
    ? `${tried}. Confirm with the training script.`
    : `${tried}; training logged ${logged.toFixed(2)}.`;
}

/** Per-channel numbers only go with data of as many channels. */
function fits({ splits }: OpenRun, { mean }: PreprocessConfig): boolean {
  if (mean === undefined || typeof mean === 'number') return true;
  const dims = splits.get('train')!.featureDims;
  return mean.length === dims.at(-1) || (dims.length === 3 && mean.length === dims[0]);
}

async function lossesUnder(
  run: OpenRun,
  candidates: readonly PreprocessConfig[],
  host: EngineHost,
  task: Task,
): Promise<number[]> {
  const under = async (preprocess: PreprocessConfig): Promise<ModelExamples> => {
    const splits = await modelExamples({ ...run, config: { ...run.config, preprocess } });
    return splits.get('train')!;
  };
  const network = await Network.open(run, host, await under(candidates[0]!));
  try {
    const losses: number[] = [];
    for (const candidate of candidates) {
      const train = await under(candidate);
      const count = Math.min(train.length, sampleSize);
      const indices = range(0, count).map((i) => Math.floor((i * train.length) / count));
      const { losses: own } = await predict(network, train, indices, run.checkpoints.length - 1, task);
      losses.push(own.reduce((sum, loss) => sum + loss, 0) / count);
    }
    return losses;
  } finally {
    await network.release();
  }
}

/** The mean of the last losses that training logged. */
function finalLoss({ log, group }: RunPlan): number | undefined {
  const logged = (log?.steps ?? loggedIn(group.checkpoints)).flatMap(({ loss }) => (loss === undefined ? [] : [loss]));
  const tail = logged.slice(-Math.max(1, Math.round(logged.length * loggedTail)));
  return tail.length === 0 ? undefined : tail.reduce((sum, loss) => sum + loss, 0) / tail.length;
}

function readAnswer(text: string): StatedOptimizer {
  const stated = parseOptimizer(text);
  if (stated) return stated;
  throw new WhenceError('bad-argument', `"${text}" does not say how a run was trained.`, {
    mend: 'Write it as in Python: SGD(lr=0.1, momentum=0.9) or AdamW(lr=0.001, weight_decay=0.01).',
  });
}
