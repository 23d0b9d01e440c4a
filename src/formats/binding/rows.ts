import type { TensorRef } from '../tensor';
import { dimsOf, type Expression, reshape, swap } from './expression';
import { expressionOf, isMatrix, matrixDims, type Search, type Way } from './search';

/**
 * Binds initializers made of rows or columns of a tensor in any order, each as often as it was taken: a table of relative
 * positions that the exporter has looked up for every pair, single rows of an embedding, channels picked by a list.
 */
export async function bindRows(search: Search): Promise<void> {
  for (const { initializer, constant } of search.open()) {
    if (constant || search.doubtful.has(initializer.name)) continue;
    const content = await search.values.ofInitializer(initializer);
    const found: { readonly value: Expression; readonly ref: TensorRef }[] = [];
    for (const ref of search.tensors) {
      for (const transposed of isMatrix(ref.dims) ? [false, true] : [false]) {
        const value = await lookup(search, { ref, transposed }, content);
        if (value) found.push({ ref, value });
      }
    }
    const [first, ...others] = found;
    if (first && (await areOne(search, first.ref, others))) search.bind(initializer, first.value);
  }
}

/** A way's rows laid one below another, or side by side, that make up `content`. */
async function lookup(search: Search, way: Way, content: Float32Array): Promise<Expression | undefined> {
  const own = expressionOf(way);
  const [height, width] = matrixDims(dimsOf(own));
  const count = content.length / width;
  if (!Number.isInteger(count) || (way.transposed && width === 1) || content.length < 2) return undefined;
  const places = placesOf(await search.valuesOf(way), height, width);
  const below = placesIn(places, count, width, (row, column) => content[row * width + column]!);
  const beside =
    below ??
    (count > 1 && width > 1 && placesIn(places, count, width, (row, column) => content[column * count + row]!));
  if (!beside) return undefined;
  const picked = pick(reshape(own, [height, width]), beside);
  return below ? picked : swap(picked);
}

/** Rows by their values; null stands at values that several rows share, which therefore do not tell. */
function placesOf(values: Float32Array, height: number, width: number): ReadonlyMap<string, number | null> {
  const places = new Map<string, number | null>();
  for (let row = 0; row < height; row++) {
    const key = values.subarray(row * width, (row + 1) * width).join();
    places.set(key, places.has(key) ? null : row);
  }
  return places;
}

function placesIn(
  places: ReadonlyMap<string, number | null>,
  count: number,
  width: number,
  at: (row: number, column: number) => number,
): readonly number[] | undefined {
  const rows: number[] = [];
  for (let row = 0; row < count; row++) {
    const place = places.get(Float32Array.from({ length: width }, (_, column) => at(row, column)).join());
    if (place === undefined || place === null) return undefined;
    rows.push(place);
  }
  return rows;
}

function pick(of: Expression, rows: readonly number[]): Expression {
  const [start] = rows as [number];
  const isRun = rows.every((row, index) => row === start + index);
  if (isRun && rows.length === dimsOf(of)[0]) return of;
  return isRun ? { kind: 'slice', of, axis: 0, start, length: rows.length } : { kind: 'rows', of, rows };
}

/** Whether all that was found reads tensors that are one and the same at every checkpoint. */
async function areOne(
  search: Search,
  ref: TensorRef,
  others: readonly { readonly ref: TensorRef }[],
): Promise<boolean> {
  for (const { ref: other } of others) {
    if (other === ref || !(await search.course.areTied(ref, other))) return false;
  }
  return true;
}
