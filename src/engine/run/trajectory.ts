import type { TensorRef } from '../../formats/tensor';
import type { OptimizerKind } from '../../formats/trainingState';
import type { RunConfig } from '../config/config';
import { matchesName } from '../config/names';

/** Parameters that were updated otherwise than the rest. */
export interface ResolvedGroup {
  /** Names of the checkpoints' tensors; each may hold `*`. */
  readonly parameters: readonly string[];
  /** Times the run's own learning rate. */
  readonly learningRateScale: number;
  readonly weightDecay: number;
}

/** How the weights were updated, as `whence.json` and the checkpoints tell it together; everything is filled in. */
export interface ResolvedOptimizer {
  readonly kind: OptimizerKind;
  readonly momentum: number;
  readonly nesterov: boolean;
  /** Of parameters in no group: L2 regularisation for sgd and adam, decoupled for adamw. */
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly epsilon: number;
  /** Examples of one update; absent where nothing tells it. */
  readonly batchSize?: number;
  readonly groups: readonly ResolvedGroup[];
}

/** Adam's second moments as they were when a checkpoint was saved. */
export interface SecondMoments {
  /** Not corrected for bias, by the names of the checkpoint's tensors; parameters without one are missing. */
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** Updates that they were averaged over: the correction is `1 / (1 - beta2 ** updates)`. */
  readonly updates: number;
}

/** The settings of one parameter, by the name of the checkpoints' tensor: those of the first group that names it. */
export function settingsOf(
  { groups, weightDecay }: ResolvedOptimizer,
  parameter: string,
): Pick<ResolvedGroup, 'learningRateScale' | 'weightDecay'> {
  const own = groups.find(({ parameters }) => parameters.some((pattern) => matchesName(parameter, pattern)));
  return own ?? { learningRateScale: 1, weightDecay };
}

/** What `whence.json` says of the optimizer, with PyTorch's defaults where it says nothing. */
export function configuredOptimizer({ optimizer }: RunConfig): ResolvedOptimizer {
  const { kind, momentum = 0, nesterov = false, weightDecay = 0, betas = [0.9, 0.999], epsilon = 1e-8 } = optimizer;
  return {
    kind,
    momentum: kind === 'sgd' ? momentum : 0,
    nesterov: kind === 'sgd' && nesterov,
    weightDecay,
    betas,
    epsilon,
    ...(optimizer.batchSize === undefined ? {} : { batchSize: optimizer.batchSize }),
    groups: (optimizer.groups ?? []).map((group) => ({
      parameters: group.parameters,
      learningRateScale: group.learningRateScale ?? 1,
      weightDecay: group.weightDecay ?? weightDecay,
    })),
  };
}
