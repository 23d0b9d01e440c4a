import type { TensorRef } from '../tensor';

/**
 * Tensors in the order of a model's parameters, for files that sort theirs by name; undefined where names do not fit.
 * Exported models name a weight as its checkpoint does, perhaps behind the name of a wrapper. A weight that is tied to another
 * has one of the two names there: the one tensor that is missing is the embedding, with which models begin.
 * @param order names of the model's parameters, in its order
 */
export function inOrderOf(
  tensors: ReadonlyMap<string, TensorRef>,
  order: readonly string[],
): ReadonlyMap<string, TensorRef> | undefined {
  const places = new Map([...tensors.keys()].map((name) => [name, order.findIndex((one) => isNamed(one, name))]));
  const missing = [...places.values()].filter((place) => place < 0).length;
  if (missing > 1 || new Set(places.values()).size < places.size) return undefined;
  return new Map([...tensors].sort(([a], [b]) => places.get(a)! - places.get(b)!));
}

function isNamed(parameter: string, tensor: string): boolean {
  return parameter === tensor || parameter.endsWith(`.${tensor}`);
}
