import { getNodeValue, type ParseError, parseTree } from 'jsonc-parser';
import type { OptionalSites } from '../../curvature/site';
import type { DatasetConfig } from '../../formats/dataset';
import type { OptimizerKind } from '../../formats/trainingState';
import type { PreprocessConfig } from '../../formats/transform';
import type { Problem } from '../../protocol/model';
import { duplicateProblems, issueProblems, meaningProblems, syntaxProblem } from './configProblems';
import { runConfigSchema } from './configSchema';
import type { LossConfig } from './lossConfig';
import type { RetrainConfig } from './retrainConfig';

export type { DatasetConfig } from '../../formats/dataset';
export type { PreprocessConfig } from '../../formats/transform';

/** Parameters that were updated otherwise than the rest. */
export interface ParameterGroupConfig {
  /** Names of the checkpoints' tensors; each may hold `*`. */
  readonly parameters: readonly string[];
  /** Times the run's own learning rate. Default 1. */
  readonly learningRateScale?: number;
  /** Default: the optimizer's. */
  readonly weightDecay?: number;
}

export interface OptimizerConfig {
  readonly kind: OptimizerKind;
  /** Constant learning rate, for runs without a log. */
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
  /** Adam's decay rates of the first and second moments. Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Adam's. Default 1e-8. */
  readonly epsilon?: number;
  /** Examples of one update; Adam's second moments depend on it where no checkpoint holds them. */
  readonly batchSize?: number;
  readonly groups?: readonly ParameterGroupConfig[];
}

/** Settings of the method TRAK. */
export interface TrakConfig {
  /** Of the random projection. Default: 1024, less for few examples. */
  readonly dimension?: number;
  /** Over the kernel's mean eigenvalue. Default 0.1. */
  readonly damping?: number;
}

/** One stage of a training that had several: its own data, loss and optimizer. What it leaves out is the run's own. */
export interface StageConfig {
  readonly name?: string;
  /** Its last step: the stage before ended at its first. */
  readonly until: number;
  /** Key of the data that it was trained on. Default `train`. */
  readonly train?: string;
  readonly loss?: LossConfig;
  readonly optimizer?: OptimizerConfig;
  /** A log of the stage's own, whose steps are the run's. */
  readonly log?: string;
}

/** What exact unrolling replays training from. */
export interface UnrollingConfig {
  /** A `.npy` of training examples' indices [updates, batch], or JSON lines of lists. */
  readonly batches: string;
  /** The weights before the first update. Default: the checkpoint of step 0. */
  readonly initial?: string;
}

/** A `whence.json` as parsed: one training run. */
export interface RunConfig {
  readonly name?: string;
  readonly model: string;
  /** A path with one `*`, or paths. Ordered by the step in their names, never as strings. */
  readonly checkpoints: string | readonly string[];
  /** A CSV with columns step, learning rate, loss. */
  readonly log?: string;
  /** `train` and at least one more. */
  readonly data: Readonly<Record<string, DatasetConfig>>;
  readonly classes?: readonly string[];
  readonly preprocess?: PreprocessConfig;
  readonly loss?: LossConfig;
  /** Which keys of the data fill the model's inputs, where they are not called alike. */
  readonly inputs?: Readonly<Record<string, string>>;
  readonly optimizer: OptimizerConfig;
  /** In their order, where training went on with other data, another loss or optimizer. */
  readonly stages?: readonly StageConfig[];
  /** Layers that scores cover beside Linear and convolution. */
  readonly sites?: readonly OptionalSites[];
  /** How many segments of equal total learning rate, of every stage, or the steps at which each ends. Default 1. */
  readonly segments?: number | readonly number[];
  /** Default: `exact` up to 20 classes, else `sampled`. */
  readonly fisher?: 'exact' | 'sampled' | 'empirical';
  readonly seed?: number;
  /** `auto` or an execution provider's name. */
  readonly device?: string;
  /** Megabytes that the computation may take. */
  readonly memory?: number;
  readonly trak?: TrakConfig;
  readonly unrolling?: UnrollingConfig;
  /** Rank that preconditioned queries are truncated to; absent: none are. */
  readonly queryRank?: number;
  /** How `whence retrain` trains the run anew. */
  readonly retrain?: RetrainConfig;
}

export interface ParsedConfig {
  /** Absent where a problem of severity `error` leaves no usable configuration. */
  readonly config?: RunConfig;
  readonly problems: readonly Problem[];
}

/**
 * Reads the text of a `whence.json`: JSON in which comments and trailing commas may stand. Never throws; every problem
 * has the range of characters at fault and what mends it. Keys that mean nothing are warnings.
 */
export function parseConfig(text: string, path: string): ParsedConfig {
  const syntaxErrors: ParseError[] = [];
  const root = parseTree(text, syntaxErrors, { allowTrailingComma: true });
  const syntax = syntaxErrors.map((error) => syntaxProblem(error, text, path));
  if (!root) {
    const range = { offset: 0, length: text.length };
    const mend = 'Run "Whence: Set Up This Workspace" in an empty folder, or write a JSON object.';
    return { problems: [{ severity: 'error', message: 'The file is empty.', file: path, mend, range }] };
  }
  // What seems to be missing from a text that cannot be read through may well be there.
  if (syntax.length > 0) return { problems: syntax };
  const result = runConfigSchema.safeParse(getNodeValue(root));
  const problems = [
    ...duplicateProblems(root, path),
    ...(result.error?.issues ?? []).flatMap((issue) => issueProblems(issue, root, path)),
    ...meaningProblems(root, path),
  ].sort((a, b) => (a.range?.offset ?? 0) - (b.range?.offset ?? 0));
  if (problems.some(({ severity }) => severity === 'error')) return { problems };
  // Unknown keys, which are the only issues left, stay in the object and are never looked at.
  return { config: getNodeValue(root) as RunConfig, problems };
}
