import type { LossKind } from '../protocol/model';

/** Where a split's examples are. Paths are relative to `whence.json`. */
export type DatasetConfig =
  | { readonly format: 'idx'; readonly images: string; readonly labels?: string }
  | { readonly format: 'csv'; readonly file: string; readonly label?: string; readonly features?: readonly string[] }
  | {
      readonly format: 'jsonl';
      readonly file: string;
      readonly label?: string;
      readonly features?: string | readonly string[];
    };

/** What was done to raw features before the model: `(x * scale - mean) / std`, one number or one per channel or column. */
export interface PreprocessConfig {
  readonly scale?: number;
  readonly mean?: number | readonly number[];
  readonly std?: number | readonly number[];
  /** Column means and (population) standard deviations of the training split, as scikit-learn's StandardScaler. */
  readonly standardize?: boolean;
}

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
