import type { Model } from '../../onnx/graph';
import { WhenceError } from '../../protocol/errors';
import { elementCount, formatDims, type TensorRef } from '../tensor';
import type { Match } from './byNames';
import { endsAlike, isAdapterPart, isStatistic } from './names';
import type { Search } from './search';

export const reexport =
  "Export the model again from the last checkpoint: torch.onnx.export(model.eval(), args, 'model.onnx', dynamo=True, optimize=False).";

export const unquantized = `Use the model as it was before it was quantized. ${reexport}`;

const byNamesOnly =
  'The model holds the values of none of the checkpoints, so that only plain weights can be bound, by their names.';

/** Throws `binding-failed` with the first and most telling reason where binding by names leaves anything of weight over. */
export function failByNames(search: Search, matches: readonly Match[], left: readonly TensorRef[]): void {
  const reason =
    misfit(search, left) ??
    folded(search, left) ??
    placeless(search, matches, left) ??
    ambiguity(search, matches) ??
    (isAdapter(search) ? undefined : missing(search));
  if (reason) throw reason;
}

/** A checkpoint of adapters alone: what they do not hold are the weights that they adapt, which stay the model's own. */
function isAdapter({ checkpoint }: Search): boolean {
  return [...checkpoint.keys()].some((name) => isAdapterPart(name));
}

/** The first weight that has a tensor of its name, but of another shape. */
function misfit(search: Search, left: readonly TensorRef[]): WhenceError | undefined {
  for (const { initializer } of search.open()) {
    const ref =
      left.find(({ name }) => name === initializer.name) ??
      (search.places.has(initializer.name) ? left.find(({ name }) => endsAlike(name, initializer.name)) : undefined);
    if (!ref || formatDims(ref.dims) === formatDims(initializer.dims)) continue;
    return new WhenceError(
      'binding-failed',
      `The checkpoint's tensor ${ref.name} has the shape ${formatDims(ref.dims)}, but ${modelName(search.model)} wants ${formatDims(initializer.dims)}.`,
      {
        file: ref.source.path,
        place: `tensor ${ref.name}`,
        mend: 'Use checkpoints and an ONNX export of the same network.',
      },
    );
  }
  return undefined;
}

/** A normalisation without a place: the exporter multiplied it into the layer before it, which may have kept its name. */
function folded({ model }: Search, left: readonly TensorRef[]): WhenceError | undefined {
  const statistics = left.filter(({ name }) => /(^|\.)running_(mean|var)$/.test(name));
  if (statistics.length === 0) return undefined;
  const prefixes = new Set(statistics.map(({ name }) => name.replace(/running_(mean|var)$/, '')));
  const gone = left.filter(({ name }) => prefixes.has(name.replace(/[^.]+$/, '')));
  return new WhenceError(
    'binding-failed',
    `The export folded a batch normalisation into the layer before it: the model has no ${list(gone)}. ${byNamesOnly}`,
    { file: model.file, place: `tensor ${gone[0]!.name}`, mend: reexport },
  );
}

/** Tensors for which the graph has no weight of their shape left. */
function placeless(search: Search, matches: readonly Match[], left: readonly TensorRef[]): WhenceError | undefined {
  const placed = new Set(matches.map(({ ref }) => ref));
  const lost = left.filter((ref) => !placed.has(ref) && !isStatistic(ref.name));
  if (lost.length === 0) return undefined;
  const open = openPlaces(search);
  const wanted = open.length > 0 ? ` Still without a tensor are the model's ${list(open)}.` : '';
  return new WhenceError(
    'binding-failed',
    `The model has no weight for ${list(lost)} of the checkpoint.${wanted} ${byNamesOnly}`,
    { file: lost[0]!.source.path, place: `tensor ${lost[0]!.name}`, mend: reexport },
  );
}

/** Weights of the graph that the checkpoint has nothing for. */
function missing(search: Search): WhenceError | undefined {
  const { model, checkpoint } = search;
  const open = openPlaces(search);
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

function ambiguity({ model }: Search, matches: readonly Match[]): WhenceError | undefined {
  const initializer = matches[0]?.weight.initializer;
  if (!initializer) return undefined;
  const own = matches.filter(({ weight }) => weight.initializer === initializer);
  const ways = own.map(({ ref, transposed }) => (transposed ? `${ref.name} transposed` : ref.name));
  const rivals = matches.filter(({ ref }) => ref === own[0]!.ref).map(({ weight }) => weight.initializer);
  const message =
    own.length > 1
      ? `The model's weight ${describe(initializer)} could be filled by ${ways.join(' or ')}; its name and values do not tell.`
      : `The checkpoint's tensor ${describe(own[0]!.ref)} could fill ${list(rivals)}; names and values do not tell.`;
  return new WhenceError('binding-failed', `${message} ${byNamesOnly}`, {
    file: model.file,
    place: `initializer ${initializer.name}`,
    mend: reexport,
  });
}

function openPlaces(search: Search) {
  return search
    .open()
    .map(({ initializer }) => initializer)
    .filter(({ name }) => search.places.has(name));
}

export function modelName(model: Model): string {
  return model.file.split(/[\\/]/).at(-1) || 'the model';
}

function describe({ name, dims }: { readonly name: string; readonly dims: readonly number[] }): string {
  return `${name} ${formatDims(dims)}`;
}

export function list(items: readonly { readonly name: string; readonly dims: readonly number[] }[]): string {
  const shown = [...items]
    .sort((a, b) => Number(elementCount(b.dims) > 1) - Number(elementCount(a.dims) > 1))
    .slice(0, 4);
  const rest = items.length - shown.length;
  return shown.map(describe).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
}
