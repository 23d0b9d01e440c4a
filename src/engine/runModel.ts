import type { FisherKind } from '../curvature/fisher';
import type { Files } from '../formats/bytes';
import { decodeModel } from '../onnx/decode';
import type { Model, ValueInfo } from '../onnx/graph';
import { withReferences } from '../onnx/references';
import { WhenceError } from '../protocol/errors';

/** The exact Fisher costs one backward pass a class: up to here that is cheap, and it has no sampling noise. */
const exactFisherClasses = 20;
/** Protocol buffers, which ONNX files are, hold no more. */
const largestFile = 2 ** 31;

/** A model file with the one input that data feeds and the one output that losses read. */
export interface RunModel {
  readonly model: Model;
  readonly input: ValueInfo;
  readonly logits: string;
  /** Width of the logits, where the file says it. */
  readonly outputs: number | undefined;
}

export async function readRunModel(path: string, files: Files): Promise<RunModel> {
  const model = await readModel(path, files);
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

/** Only the graph stays in memory: weights are referred to, in this file and in those beside it. */
async function readModel(path: string, files: Files): Promise<Model> {
  const source = await files.open(path);
  if (source.size > largestFile) {
    throw new WhenceError('malformed-file', `An ONNX file is smaller than 2 GB; this one has ${source.size} bytes.`, {
      file: path,
      mend: 'Export the model with external data, as torch.onnx.export does by itself for large models.',
    });
  }
  const bytes = await source.read(0, source.size);
  return withReferences(decodeModel(bytes, path), bytes, files.basename(path));
}

export function defaultFisher(classes: number): FisherKind {
  return classes <= exactFisherClasses ? 'exact' : 'sampled';
}
