import { product } from '../../onnx/dims';
import type { TensorRef } from '../tensor';
import { dimsOf, type Expression, reshape, stack, swap } from './expression';
import { expressionOf, isMatrix, matrixDims, positionsIn, type Search, squeezed, type Way } from './search';
import { sameValues, samplePositions, untransposed } from './values';

/** Binds initializers that are a run of rows or columns of a tensor: positions cut to the traced length, a fused weight split. */
export async function bindSlices(search: Search): Promise<void> {
  for (const { initializer, constant } of search.open()) {
    if (constant || search.doubtful.has(initializer.name)) continue;
    const content = await search.values.ofInitializer(initializer);
    const found: { readonly value: Expression; readonly ref: TensorRef }[] = [];
    for (const ref of search.tensors) {
      for (const transposed of ref.dims.length === 2 && isMatrix(ref.dims) ? [false, true] : [false]) {
        const own = reshape(expressionOf({ ref, transposed }), squeezed(dimsOf(expressionOf({ ref, transposed }))));
        const axis = cutAxis(dimsOf(own), squeezed(initializer.dims));
        if (axis === undefined) continue;
        const length = squeezed(initializer.dims)[axis]!;
        const values = await search.valuesOf({ ref, transposed });
        for (const start of startsOf(values, dimsOf(own), axis, length, content)) {
          found.push({ ref, value: { kind: 'slice', of: own, axis, start, length } });
        }
      }
    }
    const [first, ...others] = found;
    if (
      first &&
      (await isOne(
        search,
        first.ref,
        others.map(({ ref }) => ref),
      ))
    )
      search.bind(initializer, first.value);
  }
}

/** The one axis along which `part` is shorter than `whole`. */
function cutAxis(whole: readonly number[], part: readonly number[]): number | undefined {
  if (whole.length !== part.length) return undefined;
  const axes = whole.flatMap((dim, axis) => (dim === part[axis] ? [] : [axis]));
  return axes.length === 1 && whole[axes[0]!]! > part[axes[0]!]! ? axes[0] : undefined;
}

/** Where along `axis` the piece `content` begins in `values`. */
function startsOf(
  values: Float32Array,
  dims: readonly number[],
  axis: number,
  length: number,
  content: Float32Array,
): number[] {
  const inner = product(dims.slice(axis + 1));
  const [run, whole] = [length * inner, dims[axis]! * inner];
  const isAt = (start: number) =>
    content.every((value, index) => value === values[Math.floor(index / run) * whole + start * inner + (index % run)]);
  return Array.from({ length: dims[axis]! - length + 1 }, (_, start) => start).filter(isAt);
}

/** Whether a piece was found once, or several times in tensors that are one and the same at every checkpoint. */
async function isOne(search: Search, ref: TensorRef, others: readonly TensorRef[]): Promise<boolean> {
  for (const other of others) if (other === ref || !(await search.course.areTied(ref, other))) return false;
  return true;
}

/** Binds initializers that are several tensors one after another: fused projections, stacked layers. */
export async function bindJoined(search: Search): Promise<void> {
  for (const { initializer, constant } of search.open()) {
    const { name, dims } = initializer;
    if (constant || dims.length === 0 || search.doubtful.has(name)) continue;
    const content = await search.values.ofInitializer(initializer);
    const rest = product(dims.slice(1));
    const rows = await joinedRows(search, content, rest);
    if (rows) {
      search.bind(initializer, rows);
      continue;
    }
    if (dims.length !== 2 || !isMatrix(dims)) continue;
    const [height, width] = matrixDims(dims);
    const swapped = content.map((_, position) => content[untransposed(position, height, width)]!);
    const columns = await joinedRows(search, swapped, height);
    if (columns) search.bind(initializer, swap(columns));
  }
}

/** Tensors whose rows of `width` elements make up `content`, two or more; undefined where they don't or more than one do. */
async function joinedRows(search: Search, content: Float32Array, width: number): Promise<Expression | undefined> {
  const candidates = search.tensors.flatMap((ref): Way[] => {
    const count = product(ref.dims);
    if (count >= content.length || count % width !== 0) return [];
    const way = { ref, transposed: false };
    return isMatrix(ref.dims) && ref.dims[0] === width ? [way, { ref, transposed: true }] : [way];
  });
  const parts: Expression[] = [];
  for (let from = 0; from < content.length; ) {
    const way = await wayAt(search, candidates, content, from, parts);
    if (!way) return undefined;
    const count = product(way.ref.dims);
    parts.push(reshape(expressionOf(way), [count / width, width]));
    from += count;
  }
  return stack(parts);
}

async function wayAt(
  search: Search,
  candidates: readonly Way[],
  content: Float32Array,
  from: number,
  parts: readonly Expression[],
): Promise<Way | undefined> {
  const found: Way[] = [];
  for (const way of candidates) {
    const count = product(way.ref.dims);
    const positions = samplePositions(count);
    if (from + count > content.length) continue;
    const sample = await search.values.at(way.ref, positionsIn(way.ref, way.transposed, positions));
    if (positions.some((position, index) => content[from + position] !== sample[index])) continue;
    if (sameValues(await search.valuesOf(way), content.subarray(from, from + count))) found.push(way);
  }
  const fresh = found.filter(({ ref }) => !search.used.has(ref.name) && !parts.some((part) => readsOf(part, ref)));
  const [only, second] = fresh.length > 0 ? fresh : found;
  return second ? undefined : only;
}

function readsOf(part: Expression, ref: TensorRef): boolean {
  if (part.kind === 'tensor') return part.name === ref.name;
  return part.kind !== 'concat' && part.of !== undefined && readsOf(part.of, ref);
}
