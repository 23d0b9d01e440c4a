import { inputNames } from '../../curvature/subject';
import type { Dataset, ExampleArray } from '../../formats/dataset';
import { elementCount, formatDims } from '../../formats/tensor';
import type { DType } from '../../onnx/dtype';
import type { ValueInfo } from '../../onnx/graph';
import { WhenceError } from '../../protocol/errors';
import { lossOf } from '../config/lossConfig';
import type { OpenRun } from '../run/openRun';

/** What fills one input of the model. */
export interface InputSource {
  readonly name: string;
  readonly dtype: InputType;
  /** Shape of one example as the model takes it. */
  readonly dims: readonly number[];
  /** The data set's features, preprocessed; its labels; one of its arrays by name; 1 for tokens and 0 for padding; 0, 1, 2, ... along the sequence; zeros. */
  readonly from: 'features' | 'labels' | 'mask' | 'positions' | 'zeros' | { readonly array: string };
}

export type InputType = 'float32' | 'int64' | 'int32' | 'bool';

/** Where examples are sequences of tokens. */
export interface Sequence {
  readonly tokens: number;
  /** The array whose zeros, or else whose lengths, tell padding; undefined where no example is padded. */
  readonly mask: { readonly array: string; readonly by: 'values' | 'lengths' } | undefined;
  /** The array of token labels and whether each is predicted by the token before it; undefined where tokens have none. */
  readonly labels:
    | { readonly array: string; readonly shifted: boolean; readonly ignored: number | undefined }
    | undefined;
}

const inputTypes: readonly DType[] = ['float32', 'int64', 'int32', 'bool'];
/** Inputs that mean nothing where the data do not hold them (BERT's segments). */
const zeroInputs = /token_type|segment/i;
const maskNames = /mask/i;
const positionNames = /position_?ids/i;

/**
 * What fills each input of the run's model: the array that `inputs` of whence.json names or that is called like the input, a
 * mask from the lengths of the sequences, or the one array that no other input takes.
 * @throws WhenceError `shape-mismatch` where an input finds nothing, or nothing of its shape
 */
export function inputSources(run: Pick<OpenRun, 'inputs' | 'splits' | 'config' | 'path' | 'model'>): InputSource[] {
  const { inputs, config } = run;
  const train = run.splits.get('train')!;
  const arrays = train.arrays?.filter(({ name }) => name !== train.tokenLabels) ?? [];
  const named = (input: ValueInfo) => config.inputs?.[input.name] ?? input.name;
  const taken = new Set(inputs.map(named).filter((name) => arrays.some((array) => array.name === name)));
  const free = arrays.filter(({ name }) => !taken.has(name));
  const ofData = inputs.filter(({ name }) => name !== inputNames.labels);
  const rest = ofData.filter((input) => !taken.has(named(input)) && !isDerived(input));
  return inputs.map((input): InputSource => {
    const dtype = inputType(input, run);
    // What a custom loss reads beside the logits.
    if (input.name === inputNames.labels) {
      return { name: input.name, dtype, dims: (input.dims ?? []).slice(1).map(() => 1), from: 'labels' };
    }
    const own = taken.has(named(input))
      ? named(input)
      : rest.length === 1 && rest[0] === input
        ? free[0]?.name
        : undefined;
    const isPrimary =
      train.arrays === undefined ? rest.length === 1 && rest[0] === input : own === train.arrays[0]!.name;
    if (own !== undefined && !(isPrimary && dtype === 'float32')) {
      return { name: input.name, dtype, dims: arrayDims(input, own, run), from: { array: own } };
    }
    if (isPrimary) {
      return { name: input.name, dtype, dims: featureDims(input, train), from: 'features' };
    }
    const sequence = arrays.find(({ dims }) => dims.length === 1);
    if (sequence && isDerived(input)) {
      return { name: input.name, dtype, dims: arrayDims(input, sequence.name, run), from: derivation(input) };
    }
    throw unfilled(input, train, run);
  });
}

function isDerived({ name }: ValueInfo): boolean {
  return zeroInputs.test(name) || maskNames.test(name) || positionNames.test(name);
}

function derivation({ name }: ValueInfo): 'mask' | 'positions' | 'zeros' {
  if (positionNames.test(name)) return 'positions';
  return zeroInputs.test(name) ? 'zeros' : 'mask';
}

function inputType(input: ValueInfo, { model }: Pick<OpenRun, 'model'>): InputType {
  if (inputTypes.includes(input.dtype)) return input.dtype as InputType;
  throw new WhenceError('unsupported-dtype', `The model's input ${input.name} is ${input.dtype}.`, {
    file: model.file,
    place: `input ${input.name}`,
    mend: `Export the model with inputs of ${inputTypes.join(', ')}.`,
  });
}

/** The shape that the model's file states, else the data's own. */
function featureDims({ dims }: ValueInfo, { featureDims }: Dataset): readonly number[] {
  const stated = dims?.slice(1) ?? [];
  const known = stated.filter((dim): dim is number => typeof dim === 'number');
  return stated.length > 0 && known.length === stated.length ? known : featureDims;
}

/** A sequence is as long as the model says, else as the longest of all splits. */
function arrayDims(input: ValueInfo, name: string, run: Pick<OpenRun, 'splits' | 'model'>): readonly number[] {
  const own = [...run.splits.values()].map((split) => arrayOf(split, name).dims);
  const stated = input.dims?.slice(1) ?? [];
  const rank = own[0]!.length;
  const dims = Array.from({ length: rank }, (_, axis) => {
    const longest = Math.max(...own.map((one) => one[axis] ?? 0));
    const fixed = stated.length === rank ? stated[axis] : undefined;
    return typeof fixed === 'number' ? fixed : longest;
  });
  const isSequence = rank === 1;
  for (const [split, dataset] of run.splits) {
    const found = arrayOf(dataset, name).dims;
    const fits = isSequence ? found[0]! <= dims[0]! : elementCount(found) === elementCount(dims);
    if (fits) continue;
    throw new WhenceError(
      'shape-mismatch',
      `Examples of ${split} have ${name} of shape ${formatDims(found)}, which does not fit the model's input ${formatDims(dims)}.`,
      { file: dataset.files[0]!, mend: 'Cut the sequences to the length that the model was exported with.' },
    );
  }
  return dims;
}

/** An array of a split by its name. */
export function arrayOf({ arrays, files }: Dataset, name: string): ExampleArray {
  const found = arrays?.find((array) => array.name === name);
  if (found) return found;
  throw new WhenceError('config-invalid', `The data have no key "${name}"; they have ${keysOf(arrays)}.`, {
    file: files[0]!,
    mend: 'Name the keys that fill the inputs of the model in `inputs` of whence.json.',
  });
}

function keysOf(arrays: Dataset['arrays']): string {
  return arrays?.map((array) => array.name).join(', ') ?? 'one array of features';
}

function unfilled(input: ValueInfo, { arrays }: Dataset, run: Pick<OpenRun, 'model'>): WhenceError {
  return new WhenceError(
    'shape-mismatch',
    `The model reads an input ${input.name}, for which the data have nothing; they have ${keysOf(arrays)}.`,
    {
      file: run.model.file,
      place: `input ${input.name}`,
      mend: `Name the key that fills it as "inputs": { "${input.name}": "..." } in whence.json, or export the model without it.`,
    },
  );
}

/** How the run's examples are sequences; undefined where they are not. */
export function sequenceOf(
  run: Pick<OpenRun, 'splits' | 'loss' | 'config'>,
  sources: readonly InputSource[],
): Sequence | undefined {
  const ids = sources.find(
    ({ dims, dtype, from }) => dims.length === 1 && dtype !== 'float32' && typeof from === 'object',
  );
  if (!ids || typeof ids.from !== 'object') return undefined;
  const { array } = ids.from;
  const train = run.splits.get('train')!;
  const labels = train.tokenLabels ?? (run.loss === 'next-token' ? array : undefined);
  const stored = sources.find(({ name, from }) => maskNames.test(name) && typeof from === 'object');
  const masks = stored && typeof stored.from === 'object' ? stored.from.array : undefined;
  const isPadded = [...run.splits.values()].some((split) => {
    const own = arrayOf(split, array);
    return (
      own.lengths !== undefined ||
      own.dims[0]! < ids.dims[0]! ||
      (masks !== undefined && arrayOf(split, masks).values.includes(0))
    );
  });
  return {
    tokens: ids.dims[0]!,
    mask: isPadded ? { array: masks ?? array, by: masks === undefined ? 'lengths' : 'values' } : undefined,
    labels:
      labels === undefined
        ? undefined
        : { array: labels, shifted: run.loss === 'next-token', ignored: lossOf(run.config.loss).ignoreIndex },
  };
}
