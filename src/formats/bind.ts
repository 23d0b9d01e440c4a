import { sameDims } from '../onnx/dims';
import { isFloat } from '../onnx/dtype';
import type { Initializer, Model } from '../onnx/graph';
import type { Tensor } from '../onnx/runtime';
import { failBinding } from './bindFailure';
import { endsAlike, isStatistic, weightNames } from './bindNames';
import { BindValues } from './bindValues';
import type { TensorRef } from './tensor';

/** Which checkpoint tensor fills an initializer; `transposed`: with rows and columns swapped. */
export interface Binding {
  readonly initializer: string;
  readonly tensor: string;
  readonly transposed: boolean;
}

/** An initializer's values, wherever the model keeps them. */
export type ReadInitializer = (initializer: Initializer) => Promise<Tensor>;

/** An initializer and a tensor that can belong together as far as shapes go. */
export interface Match {
  readonly initializer: Initializer;
  readonly tensor: TensorRef;
  readonly transposed: boolean;
}

/**
 * Finds for each weight of the graph its tensor in a checkpoint: by equal values where the graph was exported from this
 * very checkpoint, else by name, by the end of the name, or by a shape that occurs once. Initializers that are in no
 * checkpoint (constants) stay unbound. Nothing is guessed: `binding-failed` where a tensor of the checkpoint finds no
 * place, a weight of the graph no tensor, or either more than one.
 */
export async function bindWeights(
  model: Model,
  checkpoint: ReadonlyMap<string, TensorRef>,
  readInitializer: ReadInitializer,
): Promise<Binding[]> {
  const initializers = [...model.graph.initializers.values()].filter(({ dtype }) => isFloat(dtype));
  const tensors = [...checkpoint.values()].filter(({ dtype }) => isFloat(dtype));
  const matches = initializers.flatMap((initializer) => tensors.flatMap((tensor) => matchShapes(initializer, tensor)));
  const values = new BindValues(readInitializer);
  const bound = new Map<string, Match>();
  const taken = new Set<string>();
  const bind = (match: Match) => {
    bound.set(match.initializer.name, match);
    taken.add(match.tensor.name);
  };
  const open = () =>
    matches.filter(({ initializer, tensor }) => !bound.has(initializer.name) && !taken.has(tensor.name));

  for (const [, group] of groupBy(await values.equalOnes(matches), ({ initializer }) => initializer.name)) {
    const match = chooseEqual(group, taken);
    if (match) bind(match);
  }
  settle(open().filter(isSameName), bind);
  settle(open().filter(isSameEnd), bind);
  const weights = weightNames(model);
  const names = new Set(initializers.map(({ name }) => name));
  // A tensor whose name stands in both, with different shapes, is a misfit and no candidate for another place.
  const byShape = () =>
    open().filter(
      ({ initializer, tensor }) =>
        weights.has(initializer.name) &&
        !checkpoint.has(initializer.name) &&
        !names.has(tensor.name) &&
        !isStatistic(tensor.name),
    );
  // Each pair that is settled may leave the next shape unique.
  while (settle(byShape(), bind));

  const aliases = await values.aliases(
    tensors.filter(({ name }) => !taken.has(name)),
    [...bound.values()],
  );
  failBinding({
    model,
    matches: byShape(),
    initializers: initializers.filter(({ name }) => !bound.has(name)),
    weights,
    tensors: tensors.filter(({ name }) => !taken.has(name) && !aliases.has(name) && !isStatistic(name)),
    checkpoint,
  });
  return initializers.flatMap(({ name }) => {
    const match = bound.get(name);
    return match ? [{ initializer: name, tensor: match.tensor.name, transposed: match.transposed }] : [];
  });
}

function matchShapes(initializer: Initializer, tensor: TensorRef): Match[] {
  const matches: Match[] = [];
  if (sameDims(initializer.dims, tensor.dims)) matches.push({ initializer, tensor, transposed: false });
  if (tensor.dims.length === 2 && sameDims(initializer.dims, [...tensor.dims].reverse())) {
    matches.push({ initializer, tensor, transposed: true });
  }
  return matches;
}

/** Of several tensors with an initializer's values, the one of its name; tied copies are all alike, so the first will do. */
function chooseEqual(group: readonly Match[], taken: ReadonlySet<string>): Match | undefined {
  const named = group.filter(isSameName);
  const candidates = named.length > 0 ? named : group;
  // A symmetric matrix equals its own transpose: its values do not tell which way round it is.
  if (candidates.some(({ transposed }) => transposed !== candidates[0]!.transposed)) return undefined;
  return candidates.find(({ tensor }) => !taken.has(tensor.name)) ?? candidates[0];
}

/** Binds the matches that are the only one of their initializer and of their tensor; whether there were any. */
function settle(matches: readonly Match[], bind: (match: Match) => void): boolean {
  const ofInitializer = groupBy(matches, ({ initializer }) => initializer.name);
  const ofTensor = groupBy(matches, ({ tensor }) => tensor.name);
  const unique = matches.filter(
    ({ initializer, tensor }) =>
      ofInitializer.get(initializer.name)!.length === 1 && ofTensor.get(tensor.name)!.length === 1,
  );
  for (const match of unique) bind(match);
  return unique.length > 0;
}

/** Exporters rename what they transpose: what kept its name kept its rows. */
function isSameName({ initializer, tensor, transposed }: Match): boolean {
  return !transposed && initializer.name === tensor.name;
}

function isSameEnd({ initializer, tensor, transposed }: Match): boolean {
  return !transposed && endsAlike(initializer.name, tensor.name);
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group) group.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}
