import type { PreprocessConfig } from '../../formats/transform';
import type { EngineApi } from '../../protocol/engineApi';
import { WhenceError } from '../../protocol/errors';
import type { Problem } from '../../protocol/model';
import { parseOptimizer, type StatedOptimizer } from '../../protocol/optimizerText';
import type { EngineHost } from '../host';
import { type OpenRun, openConfig } from '../run/openRun';
import { loggedIn } from '../run/rates';
import type { Task } from '../task';
import { choosePreprocess } from './choosePreprocess';
import { discover } from './discover';
import { planRuns, type RunPlan } from './plan';
import { plannedConfig, preprocessCandidates, toProposal } from './propose';

type SetUpRequest = Parameters<EngineApi['setUp']>[0];

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
  const isStated = plan.facts.preprocess !== undefined;
  const { preprocess, loss, tried } = await choosePreprocess(run, candidates, isStated, logged, host, task);
  const { text, problems } = toProposal(plan, files, { preprocess, reason: reasonFor(loss, logged, tried) });
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
