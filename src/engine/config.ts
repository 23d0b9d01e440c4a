import type { DatasetConfig } from '../formats/dataset';
import type { PreprocessConfig } from '../formats/transform';
import type { LossKind } from '../protocol/model';

export type { DatasetConfig } from '../formats/dataset';
export type { PreprocessConfig } from '../formats/transform';

export interface OptimizerConfig {
  readonly kind: 'sgd';
  /** Constant learning rate, for runs without a log. */
  readonly learningRate?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly weightDecay?: number;
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
  readonly loss?: LossKind;
  readonly optimizer: OptimizerConfig;
  /** How many segments of equal total learning rate, or the steps at which each ends. Default 3. */
  readonly segments?: number | readonly number[];
  /** Default: `exact` up to 20 classes, else `sampled`. */
  readonly fisher?: 'exact' | 'sampled' | 'empirical';
  readonly seed?: number;
  /** `auto` or an execution provider's name. */
  readonly device?: string;
}
