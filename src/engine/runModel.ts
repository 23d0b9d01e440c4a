import type { FisherKind } from '../curvature/fisher';
import type { Files } from '../formats/bytes';
import { resolvePath } from '../formats/datasets';
import { decodeModel } from '../onnx/decode';
import type { Initializer, Model, ValueInfo } from '../onnx/graph';
import type { Tensor } from '../onnx/runtime';
import { tensorFromBytes } from '../onnx/tensor';
import { WhenceError } from '../protocol/errors';

/** The exact Fisher costs one backward pass a class: up to here that is cheap, and it has no sampling noise. */
const exactFisherClasses = 20;

/** A model file with the one input that data feeds and the one output that losses read. */
export interface RunModel {
  readonly model: Model;
  readonly input: ValueInfo;
  readonly logits: string;
  /** Width of the logits, where the file says it. */
  readonly outputs: number | undefined;
}

export async function readRunModel(path: string, files: Files): Promise<RunModel> {
  const source = await files.open(path);
  const model = decodeModel(await source.read(0, source.size), path);
  const { inputs, outputs, initializers } = model.graph;
  const fed = inputs.filter(({ name }) => !initializers.has(name));
  const mend = 'Export the model so that it takes one batch of numbers and returns logits.';
  if (fed.length !== 1 || fed[0]!.dtype !== 'float32') {
    const found = fed.map(({ name, dtype }) => `${name} (${dtype})`).join(', ') || 'none';
    throw new WhenceError('shape-mismatch', `The model must have one float32 input; it has: ${found}.`, {
      file: path,
      mend,
    });
  }
  const output = outputs.find(({ name }) => name === 'logits') ?? outputs[0];
  if (!output) throw new WhenceError('malformed-file', 'The model has no output.', { file: path, mend });
  const width = output.dims?.[1];
  return { model, input: fed[0]!, logits: output.name, outputs: typeof width === 'number' ? width : undefined };
}

/** Absolute paths of the files beside the model that hold its larger tensors, as exporters write them by default. */
export function externalFiles({ graph, file }: Model, files: Files): string[] {
  const locations = [...graph.initializers.values()].flatMap(({ external }) => (external ? [external.location] : []));
  return [...new Set(locations)].map((location) => resolvePath(files.dirname(file), location, files));
}

/** The model with its external data in memory: graphs made from it have no folder that they could refer to. */
export async function withExternalData(model: Model, files: Files): Promise<Model> {
  const initializers = new Map<string, Initializer>();
  for (const [key, initializer] of model.graph.initializers) {
    const { name, dtype, dims, external } = initializer;
    const bytes = external ? await readExternal(external, model, files) : undefined;
    initializers.set(key, bytes ? { name, dtype, dims, bytes } : initializer);
  }
  return { ...model, graph: { ...model.graph, initializers } };
}

/** An initializer's values, from the model or from the file that it refers to beside it. */
export async function readInitializer(initializer: Initializer, model: Model, files: Files): Promise<Tensor> {
  const { dtype, dims, bytes, external } = initializer;
  return tensorFromBytes(dtype, dims, bytes ?? (await readExternal(external!, model, files)));
}

async function readExternal(
  { location, offset, length }: NonNullable<Initializer['external']>,
  model: Model,
  files: Files,
): Promise<Uint8Array> {
  const source = await files.open(resolvePath(files.dirname(model.file), location, files));
  return source.read(offset, length ?? source.size - offset);
}

export function defaultFisher(classes: number): FisherKind {
  return classes <= exactFisherClasses ? 'exact' : 'sampled';
}
