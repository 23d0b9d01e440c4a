import type { TensorRef } from '../tensor';
import type { TrainingState } from '../trainingState';

/** What a checkpoint file holds: its tensors by name, unread, and what its writer noted. */
export interface CheckpointContent {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  readonly metadata: Readonly<Record<string, string>>;
  /** What the same file tells of training. */
  readonly state?: TrainingState;
  /** Other sets of weights in the file that were passed over, such as `ema`. */
  readonly alternatives?: readonly string[];
  /** Classes and functions that the file names and that were not made: what they hold is known as far as it is plain data. */
  readonly opaque?: readonly string[];
}
