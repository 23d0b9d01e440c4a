import type { Initializer, Model } from '../onnx/graph';
import { WhenceError } from '../protocol/errors';
import type { Match } from './bind';
import { endsAlike } from './bindNames';
import { elementCount, formatDims, type TensorRef } from './tensor';

/** What binding left over. */
export interface Leftovers {
  readonly model: Model;
  readonly checkpoint: ReadonlyMap<string, TensorRef>;
  /** Matches by shape that are not unique. */
  readonly matches: readonly Match[];
  /** Unbound floating initializers, constants among them. */
  readonly initializers: readonly Initializer[];
  /** Names of initializers that stand where weights do. */
  readonly weights: ReadonlySet<string>;
  /** Unbound floating tensors of the checkpoint that training moves. */
  readonly tensors: readonly TensorRef[];
}

const exportAgain =
  "Export the model again from the last checkpoint: torch.onnx.export(model.eval(), args, 'model.onnx', dynamo=True, optimize=False).";

/** Throws `binding-failed` with the first and most telling reason, unless nothing of weight is left over. */
export function failBinding(leftovers: Leftovers): void {
  const reason =
    misfit(leftovers) ?? folded(leftovers) ?? placeless(leftovers) ?? ambiguity(leftovers) ?? missing(leftovers);
  if (reason) throw reason;
}

/** The first weight that has a tensor of its name, but of another shape. */
function misfit({ model, initializers, tensors, weights }: Leftovers): WhenceError | undefined {
  for (const initializer of initializers) {
    const tensor =
      tensors.find(({ name }) => name === initializer.name) ??
      (weights.has(initializer.name) ? tensors.find(({ name }) => endsAlike(name, initializer.name)) : undefined);
    if (!tensor || formatDims(tensor.dims) === formatDims(initializer.dims)) continue;
    return new WhenceError(
      'binding-failed',
      `The checkpoint's tensor ${tensor.name} has the shape ${formatDims(tensor.dims)}, but ${modelName(model)} wants ${formatDims(initializer.dims)}.`,
      {
        file: tensor.source.path,
        place: `tensor ${tensor.name}`,
        mend: 'Use checkpoints and an ONNX export of the same network.',
      },
    );
  }
  return undefined;
}

/** Tensors for which the graph has no weight of their shape left. */
function placeless({ initializers, weights, tensors, matches }: Leftovers): WhenceError | undefined {
  const placed = new Set(matches.map(({ tensor }) => tensor));
  const lost = tensors.filter((tensor) => !placed.has(tensor));
  if (lost.length === 0) return undefined;
  const open = initializers.filter(({ name }) => weights.has(name));
  const wanted = open.length > 0 ? ` Still without a tensor are the model's ${list(open)}.` : '';
  return new WhenceError('binding-failed', `The model has no weight for ${list(lost)} of the checkpoint.${wanted}`, {
    file: lost[0]!.source.path,
    place: `tensor ${lost[0]!.name}`,
    mend: exportAgain,
  });
}

/** Weights of the graph that the checkpoint has nothing for. */
function missing({ model, checkpoint, initializers, weights }: Leftovers): WhenceError | undefined {
  const open = initializers.filter(({ name }) => weights.has(name));
  if (open.length === 0) return undefined;
  const held = [...checkpoint.values()];
  const content = held.length > 0 ? list(held) : 'nothing';
  return new WhenceError(
    'binding-failed',
    `The checkpoint has no tensor for the model's ${list(open)}. It holds ${content}.`,
    {
      file: held[0]?.source.path ?? model.file,
      place: `initializer ${open[0]!.name}`,
      mend: 'Save the whole model.state_dict() in every checkpoint, and export the same network.',
    },
  );
}

function ambiguity({ model, matches }: Leftovers): WhenceError | undefined {
  const initializer = matches[0]?.initializer;
  if (!initializer) return undefined;
  const own = matches.filter((match) => match.initializer === initializer);
  const ways = own.map(({ tensor, transposed }) => (transposed ? `${tensor.name} transposed` : tensor.name));
  const rivals = matches.filter(({ tensor }) => tensor === own[0]!.tensor).map((match) => match.initializer);
  const message =
    own.length > 1
      ? `The model's weight ${describe(initializer)} could be filled by ${ways.join(' or ')}; its name and values do not tell.`
      : `The checkpoint's tensor ${describe(own[0]!.tensor)} could fill ${list(rivals)}; names and values do not tell.`;
  return new WhenceError('binding-failed', message, {
    file: model.file,
    place: `initializer ${initializer.name}`,
    mend: exportAgain,
  });
}

/** Weights and biases of a normalisation that the exporter multiplied into the layer before it. */
function folded({ model, initializers, weights, tensors, checkpoint }: Leftovers): WhenceError | undefined {
  const places = initializers.filter(({ name }) => weights.has(name)).length;
  const gone = tensors.filter(({ name }) => checkpoint.has(name.replace(/[^.]+$/, 'running_mean')));
  if (gone.length === 0 || tensors.length <= places) return undefined;
  return new WhenceError(
    'binding-failed',
    `The export folded a batch normalisation into the layer before it: the model has no ${list(gone)}.`,
    {
      file: model.file,
      place: `tensor ${gone[0]!.name}`,
      mend: "Export it unfolded: torch.onnx.export(model.eval(), args, 'model.onnx', dynamo=True, optimize=False).",
    },
  );
}

function modelName(model: Model): string {
  return model.file.split(/[\\/]/).at(-1) || 'the model';
}

function describe({ name, dims }: { readonly name: string; readonly dims: readonly number[] }): string {
  return `${name} ${formatDims(dims)}`;
}

function list(items: readonly { readonly name: string; readonly dims: readonly number[] }[]): string {
  const shown = [...items]
    .sort((a, b) => Number(elementCount(b.dims) > 1) - Number(elementCount(a.dims) > 1))
    .slice(0, 4);
  const rest = items.length - shown.length;
  return shown.map(describe).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
