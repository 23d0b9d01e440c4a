import { isFloat } from '../../../onnx/dtype';
import { isStatistic } from '../../binding/names';
import { scalarOf } from '../../pickle/numpy';
import { isDict, type PickleDict, type PickleValue } from '../../pickle/values';
import { readTensor, type TensorRef } from '../../tensor';
import type { OptimizerState, ParameterGroup } from '../../trainingState';
import { withoutWrappers } from '../torch/names';
import { isTensor, type TensorMemory, tensorRef } from '../torch/tensor';
import { assignParameters, type Candidate } from './assign';
import { findOrder } from './order';
import { kindOf, settingsOf } from './settings';

/** The weights that belong to an optimizer's state. */
export interface MovedTensors {
  readonly tensors: ReadonlyMap<string, TensorRef>;
  /** Whether the file lists them in the model's order, as torch.save does; safetensors sorts by name. */
  readonly inModelOrder: boolean;
}

/** Updates are counted for each parameter; so many of the counts are read. */
const countsRead = 4;

/** Reads an optimizer's state_dict; its parameters get the names of `moved`, where numbers can be told to be them. */
export async function readOptimizer(
  value: PickleDict,
  memory: TensorMemory,
  moved: MovedTensors,
  initialLearningRates: readonly (number | undefined)[] = [],
): Promise<OptimizerState> {
  const paramGroups = value.get('param_groups');
  const groups = Array.isArray(paramGroups) ? paramGroups.filter(isDict) : [];
  const state = value.get('state');
  const states: PickleDict = isDict(state) ? state : new Map();
  const names = namesOf(groups, states, moved);
  const kind = kindOf(groups, [...states.values()]);
  const secondMoments = new Map<string, TensorRef>();
  for (const [index, group] of groups.entries()) {
    for (const [position, key] of keysOf(group).entries()) {
      const name = names?.[index]?.[position];
      const moment = momentOf(states.get(key));
      if (name !== undefined && isTensor(moment)) secondMoments.set(name, tensorRef(name, moment, memory));
    }
  }
  const updates = await updatesOf(states, memory);
  return {
    ...(kind === undefined ? {} : { kind }),
    groups: groups.map((group, index): ParameterGroup => {
      const parameters = names?.[index];
      const settings = settingsOf(group, initialLearningRates[index]);
      return parameters ? { parameters, ...settings } : settings;
    }),
    ...(updates === undefined ? {} : { updates }),
    secondMoments,
  };
}

function momentOf(state: PickleValue | undefined): PickleValue | undefined {
  return isDict(state) ? state.get('exp_avg_sq') : undefined;
}

function keysOf(group: PickleDict): readonly PickleValue[] {
  const params = group.get('params');
  return Array.isArray(params) ? params : [];
}

/** Names of each group's parameters: noted in the state, or found by order and shape. */
function namesOf(groups: readonly PickleDict[], states: PickleDict, { tensors, inModelOrder }: MovedTensors) {
  const noted = groups.map((group) => group.get('param_names') ?? group.get('params'));
  const lists = noted.map((list) => (Array.isArray(list) ? list.filter((name) => typeof name === 'string') : []));
  const isNoted = groups.every((group, index) => lists[index]!.length === keysOf(group).length);
  if (isNoted) {
    const clean = withoutWrappers(lists.flat());
    const known = lists.map((list) => list.map((name) => clean.get(name)!));
    if (known.flat().every((name) => tensors.has(name))) return known;
  }
  const shapes = groups.map((group) => keysOf(group).map((key) => shapeOf(states.get(key))));
  const candidates = candidatesOf(tensors);
  return inModelOrder ? assignParameters(shapes, candidates) : findOrder(shapes, candidates);
}

/** Floating tensors that gradients can move; of tied ones, which an optimizer counts once, the first. */
function candidatesOf(tensors: ReadonlyMap<string, TensorRef>): readonly Candidate[] {
  const places = new Set<string>();
  return [...tensors.values()].filter(({ name, dtype, offset, length, dims }) => {
    const place = `${offset} ${length} ${dims.join()}`;
    if (!isFloat(dtype) || isStatistic(name) || (length > 0 && places.has(place))) return false;
    places.add(place);
    return true;
  });
}

/** A parameter's shape is that of whatever the optimizer keeps for each of its elements. */
function shapeOf(state: PickleValue | undefined): readonly number[] | undefined {
  if (!isDict(state)) return undefined;
  for (const key of ['exp_avg_sq', 'exp_avg', 'momentum_buffer', 'square_avg', 'sum']) {
    const tensor = state.get(key);
    const size = isTensor(tensor) ? tensor.args[2] : undefined;
    if (Array.isArray(size)) return size.flatMap((dim) => scalarOf(dim) ?? []);
  }
  return undefined;
}

async function updatesOf(states: PickleDict, memory: TensorMemory): Promise<number | undefined> {
  const counts: number[] = [];
  for (const state of [...states.values()].slice(0, countsRead)) {
    const count = isDict(state) ? await numberIn(state.get('step'), memory) : undefined;
    if (count !== undefined) counts.push(count);
  }
  return counts.length === 0 ? undefined : Math.max(...counts);
}

/** A number, or a tensor of one. */
export async function numberIn(value: PickleValue | undefined, memory: TensorMemory): Promise<number | undefined> {
  if (!isTensor(value)) return scalarOf(value);
  const ref = tensorRef('step', value, memory);
  if (ref.dims.some((dim) => dim !== 1) || ref.dtype === 'string') return undefined;
  return Number((await readTensor(ref)).data[0]);
}
