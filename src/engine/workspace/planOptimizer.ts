import type { Files } from '../../formats/bytes';
import type { Question } from '../../protocol/engineApi';
import { formatOptimizer, type StatedOptimizer } from '../../protocol/optimizerText';
import type { OptimizerConfig } from '../config/config';
import type { SavedCheckpoint } from '../run/checkpointFiles';
import { inUpdates } from '../run/epochs';
import { optimizerWords, resolveOptimizer } from '../run/optimizer';
import { type RunRates, ratesOf } from '../run/rates';
import type { TrainingLog } from '../run/trainingLog';
import type { CheckpointGroup } from './checkpointGroups';
import type { ScriptOptimizer } from './scriptOptimizer';

/** How a run that is not set up was trained, as far as its files tell. */
export interface PlannedOptimizer {
  /** With the updates of those that count epochs, where these can be told. */
  readonly checkpoints: readonly SavedCheckpoint[];
  /** What `whence.json` would say: what the checkpoints do not tell themselves. */
  readonly config: OptimizerConfig;
  /** Absent where only a constant can be guessed. */
  readonly rates?: RunRates;
  /** In one line, with what the checkpoints tell. */
  readonly words: string;
  readonly comment: string;
  /** What no file tells, to be asked once; absent where nothing is missing. */
  readonly question?: Question;
}

const guesses = {
  sgd: { learningRate: 0.01, momentum: 0, weightDecay: 0 },
  adam: { learningRate: 0.001 },
  adamw: { learningRate: 0.001, weightDecay: 0.01 },
} as const satisfies Record<OptimizerConfig['kind'], Partial<StatedOptimizer>>;
const guessedBatch = 32;

/**
 * Puts together what the checkpoints' states, the log and the training script tell of the optimizer, and guesses the rest.
 * @param examples of the training data
 * @param script its name and what was read in it
 * @param answer what the user said, which comes first
 */
export function planOptimizer(
  group: CheckpointGroup,
  examples: number | undefined,
  log: TrainingLog | undefined,
  script: { readonly name: string; readonly optimizer: ScriptOptimizer } | undefined,
  answer: StatedOptimizer | undefined,
  files: Files,
): PlannedOptimizer {
  const { state } = group.checkpoints.at(-1)!;
  const saved = state.optimizer?.kind === undefined ? undefined : state.optimizer;
  const { otherOptimizer, ...told } = script?.optimizer ?? {};
  const batch = answer?.batchSize ?? told.batchSize;
  const checkpoints = inUpdates(group.checkpoints, examples, state.batchSize ?? batch);
  const rates = ratesOf(log, checkpoints, undefined);
  const kind = answer?.kind ?? saved?.kind ?? told.kind ?? 'sgd';
  const isKindKnown = answer !== undefined || saved !== undefined || told.kind !== undefined;
  const moments = checkpoints.some((one) => (one.state.optimizer?.secondMoments.size ?? 0) > 0);
  const countsEpochs = group.checkpoints.some(({ counts }) => counts === 'epochs');
  const needsBatch = state.batchSize === undefined && (countsEpochs || (kind !== 'sgd' && !moments));
  const stated: StatedOptimizer = { ...(saved ? {} : told), ...answer, kind };
  const { learningRate, batchSize: _, ...settings } = stated;
  const constant = rates ? undefined : (learningRate ?? told.learningRate);
  const guess: StatedOptimizer = {
    ...(isKindKnown ? {} : guesses[kind]),
    ...settings,
    ...(rates ? {} : { learningRate: constant ?? guesses[kind].learningRate }),
    ...(needsBatch ? { batchSize: batch ?? guessedBatch } : {}),
  };
  const missing = [
    ...(isKindKnown ? [] : ['which optimizer it was']),
    ...(rates || constant !== undefined ? [] : ['the learning rate']),
    ...(needsBatch && batch === undefined ? ['the batch size'] : []),
  ];
  const { optimizer } = resolveOptimizer(guess, state.optimizer, state.batchSize, group.folder);
  const from = [
    ...(saved ? ["the checkpoints' optimizer state"] : []),
    ...(rates?.source === 'log' ? [files.basename(log!.file)] : []),
    ...(script && (!saved || constant !== undefined) ? [script.name] : []),
  ];
  const words = optimizerWords(optimizer);
  const read = from.length > 0 ? `Read in ${from.join(' and ')}: ${words}.` : '';
  const isAsked = missing.length > 0 && answer === undefined;
  return {
    checkpoints,
    config: guess,
    ...(rates ? { rates } : {}),
    words: isKindKnown ? words : '',
    comment: commentOf(read, answer !== undefined, missing),
    ...(isAsked ? { question: questionOf(missing, guess) } : {}),
  };
}

function commentOf(read: string, isAnswered: boolean, missing: readonly string[]): string {
  if (isAnswered) return ['As you said.', read].filter(Boolean).join(' ');
  if (missing.length > 0) return [read, `Guessed: ${missing.join(', ')}. Set what is true.`].filter(Boolean).join(' ');
  return read;
}

function questionOf(missing: readonly string[], guess: StatedOptimizer): Question {
  const [last, ...others] = [...missing].reverse();
  const list = others.length === 0 ? last! : `${others.reverse().join(', ')} and ${last!}`;
  return { prompt: `No file tells ${list}. How was this run trained?`, guess: formatOptimizer(guess) };
}
