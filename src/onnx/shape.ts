import { WhenceError } from '../protocol/errors';
import { product, sameDims } from './dims';
import type { Model, TensorType, ValueInfo } from './graph';
import { TypeResolution } from './resolution';
import type { Feeds, Runtime, Tensor } from './runtime';
import { isIndex, staticValues } from './staticValues';
import { numbersOf } from './tensor';
import { withInputs, zeroFeeds } from './weightInputs';

/** The static type of a value; `constant` are the elements of a short list of integers that only shapes decide. */
export interface ProbedType extends TensorType {
  readonly constant?: readonly number[];
}

/** Longer lists are no axes, shapes or flags. */
const longestConstant = 64;

/**
 * The static type of every tensor in the graph, inputs and initializers included, for one real batch: by shape inference,
 * and by running (on the CPU) as much as values decide.
 * @param weights initializers and inputs whose values decide no shapes: zeros stand in for them. Initializers that lie in
 * another file are among them in any case
 * @throws WhenceError `shape-mismatch` where the feeds do not fit the graph's inputs; `out-of-memory`, before anything of
 * that size is computed, for values beyond any memory
 */
export async function probeTypes(
  model: Model,
  runtime: Runtime,
  feeds: Feeds,
  weights: ReadonlySet<string> = new Set(),
): Promise<ReadonlyMap<string, ProbedType>> {
  const external = [...model.graph.initializers.values()].filter(({ bytes }) => !bytes);
  const open = withInputs(model, new Set([...weights, ...external.map(({ name }) => name)]));
  const fed: Record<string, Tensor> = { ...feeds };
  const inputs = open.graph.inputs.map((input) => {
    const dims = input.dims?.filter((dim): dim is number => typeof dim === 'number');
    const isWeight = weights.has(input.name) || model.graph.initializers.has(input.name);
    if (!fed[input.name] && isWeight && dims) Object.assign(fed, zeroFeeds([{ ...input, dims }]));
    return { name: input.name, ...fedType(model, input, fed[input.name]) };
  });
  const resolution = new TypeResolution({ ...open, graph: { ...open.graph, inputs } }, fed, runtime);
  await resolution.run();
  const types = new Map<string, ProbedType>(resolution.types);
  const fixed = staticValues(model);
  const lists = open.graph.nodes
    .flatMap(({ outputs }) => outputs)
    .filter((name) => {
      const type = types.get(name);
      return type && fixed.has(name) && isIndex(type.dtype) && product(type.dims) <= longestConstant;
    });
  for (const [name, list] of Object.entries(await resolution.compute(lists))) {
    types.set(name, { ...types.get(name)!, constant: numbersOf(list) });
  }
  return types;
}

function fedType(model: Model, input: ValueInfo, tensor: Tensor | undefined): TensorType {
  const place = `input ${input.name}`;
  if (!tensor) {
    throw new WhenceError('shape-mismatch', `The model reads an input ${input.name} that the data does not provide.`, {
      file: model.file,
      place,
      mend: 'Export the model with the inputs that the data set has.',
    });
  }
  const expected = input.dims?.map((dim, axis) => (typeof dim === 'number' ? dim : (tensor.dims[axis] ?? -1)));
  if (tensor.dtype !== input.dtype || (expected && !sameDims(expected, tensor.dims))) {
    throw new WhenceError(
      'shape-mismatch',
      `The model's input ${input.name} is ${describe(input)}; the data gives ${describe({ ...tensor, name: '' })}.`,
      { file: model.file, place, mend: "Correct the data's preprocessing or shape in whence.json." },
    );
  }
  return { dtype: tensor.dtype, dims: [...tensor.dims] };
}

function describe(value: ValueInfo): string {
  return `${value.dtype} [${value.dims?.map((dim) => dim ?? '?').join(', ') ?? '...'}]`;
}

/** The one batch size that the graph was exported for, or null where its inputs' first dimension is free. */
export function fixedBatch(model: Model): number | null {
  const first = model.graph.inputs[0]?.dims?.[0];
  return typeof first === 'number' ? first : null;
}
