import type { TensorRef } from '../tensor';
import { endsAlike, isStatistic } from './names';
import { expressionOf, hasDims, isMatrix, type Search, type Way, type Weight } from './search';

/** An initializer and a tensor that can belong together as far as shapes go. */
export interface Match extends Way {
  readonly weight: Weight;
}

/**
 * Binds what values do not tell by the name, by the end of the name, or by a shape that occurs once on both sides.
 * Returns the matches by shape that are left because they are not unique.
 */
export function bindByNames(search: Search): readonly Match[] {
  const names = new Set(search.weights.map(({ initializer }) => initializer.name));
  const open = () => {
    const left = search.left();
    return search.open().flatMap((weight) => left.flatMap((ref) => matchShapes(weight, ref)));
  };
  settle(open().filter(isNamed((name, other) => name === other)), search);
  settle(open().filter(isNamed(endsAlike)), search);
  // A tensor whose name stands in both, with different shapes, is a misfit and no candidate for another place.
  const byShape = () =>
    open().filter(
      ({ weight: { initializer }, ref }) =>
        search.places.has(initializer.name) &&
        !search.checkpoint.has(initializer.name) &&
        !names.has(ref.name) &&
        !isStatistic(ref.name),
    );
  // Each pair that is settled may leave the next shape unique.
  while (settle(byShape(), search));
  return byShape();
}

function matchShapes(weight: Weight, ref: TensorRef): Match[] {
  const { dims } = weight.initializer;
  const turned = ref.dims.length === 2 && isMatrix(ref.dims) ? [false, true] : [false];
  return turned
    .map((transposed) => ({ weight, ref, transposed }))
    .filter((match) => dims.length === ref.dims.length && hasDims(match, dims));
}

/** Exporters rename what they transpose: what kept its name kept its rows. */
function isNamed(test: (name: string, other: string) => boolean): (match: Match) => boolean {
  return ({ weight, ref, transposed }) => !transposed && test(weight.initializer.name, ref.name);
}

/** Binds the matches that are the only one of their initializer and of their tensor; whether there were any. */
function settle(matches: readonly Match[], search: Search): boolean {
  const ofWeight = countBy(matches, ({ weight }) => weight);
  const ofTensor = countBy(matches, ({ ref }) => ref);
  const unique = matches.filter(({ weight, ref }) => ofWeight.get(weight) === 1 && ofTensor.get(ref) === 1);
  for (const match of unique) search.bind(match.weight.initializer, expressionOf(match));
  return unique.length > 0;
}

function countBy<T, K>(items: readonly T[], key: (item: T) => K): ReadonlyMap<K, number> {
  const counts = new Map<K, number>();
  for (const item of items) counts.set(key(item), (counts.get(key(item)) ?? 0) + 1);
  return counts;
}
