import type { FisherKind } from '../../curvature/fisher';
import type { Files } from '../../formats/bytes';
import { decodeModel } from '../../onnx/decode';
import type { Model, ValueInfo } from '../../onnx/graph';
import { withReferences } from '../../onnx/references';
import { WhenceError } from '../../protocol/errors';
import type { LossKind } from '../../protocol/model';

/** The exact Fisher costs one backward pass a class: up to here that is cheap, and it has no sampling noise. */
const exactFisherClasses = 20;
/** Protocol buffers, which ONNX files are, hold no more. */
const largestFile = 2 ** 31;

/** A model file with the inputs that data feed and the one output that losses read. */
export interface RunModel {
  readonly model: Model;
  readonly inputs: readonly ValueInfo[];
  readonly logits: string;
  /** Width of the logits, where the file says it. */
  readonly outputs: number | undefined;
}

export async function readRunModel(path: string, files: Files): Promise<RunModel> {
  const model = await readModel(path, files);
  const { inputs, outputs, initializers } = model.graph;
  const fed = inputs.filter(({ name }) => !initializers.has(name));
  const mend = 'Export the model so that it takes a batch of examples and returns logits.';
  if (fed.length === 0) throw new WhenceError('shape-mismatch', 'The model has no input.', { file: path, mend });
  const output = outputs.find(({ name }) => name === 'logits') ?? outputs[0];
  if (!output) throw new WhenceError('malformed-file', 'The model has no output.', { file: path, mend });
  const width = output.dims?.at(-1);
  return { model, inputs: fed, logits: output.name, outputs: typeof width === 'number' ? width : undefined };
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

/** Tokens are too many for the exact one; of a custom loss nothing but its gradients is known. */
export function defaultFisher(loss: LossKind, perToken: boolean, classes: number): FisherKind {
  if (loss === 'custom') return 'empirical';
  return !perToken && classes <= exactFisherClasses ? 'exact' : 'sampled';
}
