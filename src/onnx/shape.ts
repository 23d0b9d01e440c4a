import { WhenceError } from '../protocol/errors';
import { sameDims } from './dims';
import { encodeModel } from './encode';
import type { Model, Node, TensorType, ValueInfo } from './graph';
import type { Feeds, Runtime, SessionOptions, Tensor } from './runtime';
import { isIndex, staticValues } from './staticValues';
import { numbersOf } from './tensor';

/** Ops whose outputs are sequences or optionals: nothing that a tensor type describes. */
const withoutTensors = new Set([
  'SequenceConstruct',
  'SequenceEmpty',
  'SequenceErase',
  'SequenceInsert',
  'SequenceMap',
  'SplitToSequence',
  'Optional',
]);

/** What one run has shown of a value; `constant` are the elements of a short list of integers that only shapes decide. */
export interface ProbedType extends TensorType {
  readonly constant?: readonly number[];
}

/** Longer lists are no axes, shapes or flags. */
const longestConstant = 64;

/**
 * The static type of every tensor in the graph, inputs and initializers included, found by running it once on a real
 * batch (on the CPU) with every value as an output.
 * @param options bytes of external weights
 * @throws WhenceError `shape-mismatch` where the feeds do not fit the graph's inputs
 */
export async function probeTypes(
  model: Model,
  runtime: Runtime,
  feeds: Feeds,
  options: Pick<SessionOptions, 'externalData'> = {},
): Promise<ReadonlyMap<string, ProbedType>> {
  const { graph } = model;
  const types = new Map<string, ProbedType>();
  for (const input of graph.inputs) types.set(input.name, fedType(model, input, feeds[input.name]));
  for (const { name, dtype, dims } of graph.initializers.values()) types.set(name, { dtype, dims });
  const fetches = graph.nodes.flatMap(tensorOutputs);
  if (fetches.length === 0) return types;
  const session = await runtime.createSession(encodeModel(model, fetches), { ...options, cpu: true });
  try {
    const values = await session.run(feeds, fetches);
    const fixed = staticValues(model);
    for (const [name, value] of Object.entries(values)) types.set(name, probedType(value, fixed.has(name)));
  } finally {
    await session.release();
  }
  return types;
}

function probedType(value: Tensor, fixed: boolean): ProbedType {
  const type = { dtype: value.dtype, dims: [...value.dims] };
  const short = fixed && isIndex(value.dtype) && value.data.length <= longestConstant;
  return short ? { ...type, constant: numbersOf(value) } : type;
}

function tensorOutputs(node: Node): readonly string[] {
  return withoutTensors.has(node.op) ? [] : node.outputs.filter((output) => output !== '');
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
