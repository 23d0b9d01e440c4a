import { product, sameDims } from '../../onnx/dims';
import type { TensorRef } from '../tensor';
import { permute } from './apply';
import { type Expression, tensor } from './expression';
import { endsAlike } from './names';
import { expressionOf, hasDims, isMatrix, onlyOne, type Search, squeezed, type Way } from './search';
import { sameValues, samplePositions } from './values';

/** Binds initializers to tensors that hold the very same values: as they are, in another shape, transposed. */
export async function bindEqual(search: Search): Promise<void> {
  for (const weight of search.open()) {
    if (weight.constant) continue;
    const { initializer } = weight;
    const ways = await search.waysOf(weight);
    const way = await search.choose(ways, initializer.name);
    if (way) search.bind(initializer, expressionOf(way));
    else if (ways.length > 0) search.doubtful.set(initializer.name, ways);
  }
}

/** Binds initializers whose values are those of a tensor of rank 3 to 5 with its axes in another order, in whatever shape. */
export async function bindPermuted(search: Search): Promise<void> {
  for (const { initializer, constant } of search.open()) {
    const { name, dims } = initializer;
    if (constant || search.doubtful.has(name)) continue;
    const content = await search.values.ofInitializer(initializer);
    const found: Expression[] = [];
    for (const ref of search.tensors) {
      const rank = ref.dims.length;
      if (rank < 3 || rank > 5 || product(ref.dims) !== product(dims)) continue;
      const values = await search.values.ofTensor(ref);
      const perm = permutations(rank).find(
        (order) => mayBe(values, ref.dims, order, content) && sameValues(permute(values, ref.dims, order), content),
      );
      if (perm) found.push({ kind: 'transpose', of: tensor(ref.name, ref.dims), perm });
    }
    const value = onlyOne(found);
    if (value) search.bind(initializer, value);
  }
}

/** Binds initializers that are a tensor, of the same shape and used nowhere else, plus 1: the scale of some norms. */
export async function bindShifted(search: Search): Promise<void> {
  for (const { initializer, constant } of search.open()) {
    if (constant || search.doubtful.has(initializer.name)) continue;
    const content = await search.values.ofInitializer(initializer);
    const found: TensorRef[] = [];
    for (const ref of search.left().filter((one) => sameDims(squeezed(one.dims), squeezed(initializer.dims)))) {
      const values = await search.values.ofTensor(ref);
      if (content.every((value, position) => value === Math.fround(values[position]! + 1))) found.push(ref);
    }
    const ref = onlyOne(found);
    if (ref) search.bind(initializer, { kind: 'shifted', of: tensor(ref.name, ref.dims), by: 1 });
  }
}

/** Whether a few elements agree, without permuting all of them. */
function mayBe(values: Float32Array, dims: readonly number[], perm: readonly number[], content: Float32Array): boolean {
  const strides = dims.map((_, axis) => product(dims.slice(axis + 1)));
  return samplePositions(content.length).every((position) => {
    let rest = position;
    let from = 0;
    for (const axis of [...perm].reverse()) {
      from += (rest % dims[axis]!) * strides[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    return values[from] === content[position];
  });
}

/**
 * Binds initializers of one repeated number, as of a fresh bias: by their name, by the end of it, or to the only tensor of
 * that number and shape that is left.
 */
export async function bindConstants(search: Search): Promise<void> {
  const open = search.open().filter(({ constant }) => constant);
  const fits = new Map<string, Way[]>();
  for (const { initializer, sample } of open) {
    const ways: Way[] = [];
    for (const ref of search.left()) {
      const turned = isMatrix(ref.dims) ? [false, true] : [false];
      const own = turned.map((transposed) => ({ ref, transposed })).filter((way) => hasDims(way, initializer.dims));
      if (own.length === 0 || (await search.values.at(ref, [0]))[0] !== sample[0]) continue;
      const values = await search.values.ofTensor(ref);
      if (values.every((value) => value === sample[0])) ways.push(...own);
    }
    fits.set(initializer.name, ways);
  }
  const settle = (choose: (name: string, ways: readonly Way[]) => Way | undefined) => {
    for (const { initializer } of open) {
      if (search.bound.has(initializer.name)) continue;
      const free = fits.get(initializer.name)!.filter(({ ref }) => !search.used.has(ref.name));
      const way = choose(initializer.name, free);
      if (way) search.bind(initializer, expressionOf(way));
    }
  };
  const alike = (test: (name: string, other: string) => boolean) => (name: string, ways: readonly Way[]) =>
    onlyOne(ways.filter(({ ref, transposed }) => !transposed && test(name, ref.name)));
  settle(alike((name, other) => name === other));
  settle(alike(endsAlike));
  const wanted = open.filter(({ initializer: { name } }) => search.places.has(name) && !search.bound.has(name));
  settle((name, ways) => {
    const [way, second] = ways;
    const rivals = wanted.filter(({ initializer }) => fits.get(initializer.name)!.some(({ ref }) => ref === way?.ref));
    return way && !second && rivals.length === 1 && rivals[0]!.initializer.name === name ? way : undefined;
  });
}

function permutations(length: number): readonly (readonly number[])[] {
  if (length === 0) return [[]];
  return permutations(length - 1).flatMap((shorter) =>
    Array.from({ length }, (_, at) => [...shorter.slice(0, at), length - 1, ...shorter.slice(at)]),
  );
}
