import { scalarOf } from '../../pickle/numpy';
import { isDict, type PickleDict, type PickleValue } from '../../pickle/values';
import type { OptimizerKind, ParameterGroup } from '../../trainingState';

/** A group's settings under the names that torch's optimizers give them. Learning rates that are tensors stay unknown. */
export function settingsOf(group: PickleDict, initialLearningRate: number | undefined): ParameterGroup {
  const number = (key: string) => scalarOf(group.get(key));
  const initial = number('initial_lr') ?? initialLearningRate;
  const betas = group.get('betas');
  const [first, second] = Array.isArray(betas) ? betas.map((beta) => scalarOf(beta)) : [];
  const nesterov = group.get('nesterov');
  return {
    ...present('learningRate', number('lr')),
    ...present('initialLearningRate', initial),
    ...present('weightDecay', number('weight_decay')),
    ...present('momentum', number('momentum')),
    ...(typeof nesterov === 'boolean' ? { nesterov } : {}),
    ...(first !== undefined && second !== undefined ? { betas: [first, second] as const } : {}),
    ...present('epsilon', number('eps')),
  };
}

/**
 * Which optimizer has such settings. AdamW decouples its weight decay, which newer versions of torch note; where they do not,
 * the two are told apart only without weight decay, when they are the same. What changes the update rule (AMSGrad, dampening)
 * makes another optimizer of it.
 * @param states what it keeps of some parameters
 */
export function kindOf(groups: readonly PickleDict[], states: readonly PickleValue[]): OptimizerKind | undefined {
  if (groups.length === 0) return undefined;
  const all = (key: string) => groups.every((group) => group.has(key));
  const isOff = (key: string) => groups.every((group) => group.get(key) === false || scalarOf(group.get(key)) === 0);
  const keeps = (key: string) => states.every((state) => isDict(state) && state.has(key));
  if (all('nesterov') && all('momentum')) return isOff('dampening') ? 'sgd' : undefined;
  if (!all('betas') || !all('eps') || !keeps('exp_avg_sq')) return undefined;
  // transformers' own AdamW, of older versions.
  if (all('correct_bias')) return groups.every((group) => group.get('correct_bias') === true) ? 'adamw' : undefined;
  if (!all('amsgrad') || !isOff('amsgrad')) return undefined;
  if (all('decoupled_weight_decay')) return isOff('decoupled_weight_decay') ? 'adam' : 'adamw';
  return isOff('weight_decay') ? 'adam' : undefined;
}

function present<K extends string>(key: K, value: number | undefined): { readonly [P in K]?: number } {
  const found: { [P in K]?: number } = {};
  if (value !== undefined && Number.isFinite(value)) found[key] = value;
  return found;
}
