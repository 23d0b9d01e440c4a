import type { TensorRef } from './tensor';

export type OptimizerKind = 'sgd' | 'adam' | 'adamw';

/** One group of parameters with its own settings, as an optimizer keeps it. What the file does not say is absent. */
export interface ParameterGroup {
  /** Names of the checkpoint's tensors; absent where the file counts parameters and no order of them fits. */
  readonly parameters?: readonly string[];
  /** That of the moment of saving. */
  readonly learningRate?: number;
  /** The one that a schedule multiplies. */
  readonly initialLearningRate?: number;
  readonly weightDecay?: number;
  readonly momentum?: number;
  readonly nesterov?: boolean;
  readonly betas?: readonly [number, number];
  readonly epsilon?: number;
}

/** What an optimizer kept when a checkpoint was saved. */
export interface OptimizerState {
  /** Absent where the settings are of no optimizer that Whence knows. */
  readonly kind?: OptimizerKind;
  readonly groups: readonly ParameterGroup[];
  /** Updates that the optimizer counted itself. */
  readonly updates?: number;
  /** Adam's second moments, not corrected for bias, by the names of the checkpoint's tensors. */
  readonly secondMoments: ReadonlyMap<string, TensorRef>;
}

/** A row of what training logged; the step counts updates finished. */
export interface LoggedStep {
  readonly step: number;
  readonly learningRate?: number;
  readonly loss?: number;
}

/** A learning rate schedule of `torch.optim.lr_scheduler`, by the numbers that its state holds. */
export type RateSchedule = {
  /** The first parameter group's rate before the schedule. */
  readonly base: number;
  /** How often the schedule had taken its step when it was saved: each update, or each epoch. */
  readonly ticks: number;
} & (
  | { readonly kind: 'step'; readonly every: number; readonly gamma: number }
  | { readonly kind: 'exponential'; readonly gamma: number }
  | { readonly kind: 'cosine'; readonly half: number; readonly minimum: number }
  | { readonly kind: 'linear'; readonly begin: number; readonly end: number; readonly length: number }
);

/** What training left beside the weights, in the same file or next to it. */
export interface TrainingState {
  /** Updates of the weights when it was saved. */
  readonly step?: number;
  /** Epochs begun or finished when it was saved, as its writer counts them. */
  readonly epoch?: number;
  readonly optimizer?: OptimizerState;
  /** Ascending by step. */
  readonly log?: readonly LoggedStep[];
  /** Absent where there was none, or one that is not known. */
  readonly schedule?: RateSchedule;
  /** Examples of one update, over all devices and accumulated gradients. */
  readonly batchSize?: number;
  /** Largest norm of an update's gradient; absent where gradients were not clipped. */
  readonly gradientClipping?: number;
  /** What wrote it, as people call it. */
  readonly writer?: string;
}
