import { product, range } from '../../onnx/dims';
import { isMatrix, matrixDims } from './search';
import { samplePositions, untransposed } from './values';

/** What exporters compute of a weight, element by element, where the rest of the expression is constant. */
const functions: readonly (readonly [string, (value: number) => number])[] = [
  ['multiple', (value) => value],
  ['exponential', Math.exp],
  ['inverse exponential', (value) => Math.exp(-value)],
  ['square', (value) => value * value],
  ['square root', (value) => Math.sqrt(Math.abs(value))],
  ['inverse', (value) => 1 / value],
  ['absolute value', Math.abs],
  ['softplus', (value) => Math.log1p(Math.exp(value))],
  ['sigmoid', (value) => 1 / (1 + Math.exp(-value))],
  ['hyperbolic tangent', Math.tanh],
];

const reductions: readonly (readonly [string, (sum: number, value: number) => number])[] = [
  ['sum', (sum, value) => sum + value],
  ['sum of squares', (sum, value) => sum + value * value],
  ['sum of absolute values', (sum, value) => sum + Math.abs(value)],
  ['maximum', (sum, value) => Math.max(sum, value)],
];

const shapes: readonly ((value: number) => number)[] = [
  (value) => value,
  Math.sqrt,
  (value) => 1 / value,
  (value) => 1 / Math.sqrt(value),
];

/** Of the exporter's float32 arithmetic. */
const tolerance = 1e-5;
/** In a few words how `values` were computed from a tensor's `content`; undefined where that is none of the common ways. */
export function relationOf(values: Float32Array, content: Float32Array, dims: readonly number[]): string | undefined {
  if (values.length === content.length) {
    const relation = functionOf(values, content, dims);
    if (relation) return relation;
  }
  if (isPartOf(values, content)) return 'of its values';
  for (const axes of subsets(dims.length)) {
    const kept = dims.filter((_, axis) => !axes.includes(axis));
    if (product(kept) !== values.length) continue;
    for (const [name, add] of reductions) {
      const reduced = reduce(content, dims, axes, add);
      const isShaped = (shape: (value: number) => number): boolean =>
        isMultiple(values, (position) => shape(reduced[position]!));
      if (shapes.some(isShaped)) return `by its ${name}`;
    }
  }
  return undefined;
}

function functionOf(values: Float32Array, content: Float32Array, dims: readonly number[]): string | undefined {
  const [rows, columns] = matrixDims(dims);
  for (const transposed of isMatrix(dims) ? [false, true] : [false]) {
    const at = (position: number): number => content[transposed ? untransposed(position, rows, columns) : position]!;
    const known = functions.find(([, apply]) => isMultiple(values, (position) => apply(at(position))));
    if (known) return `by its ${known[0]}`;
    const offset = values[0]! - at(0);
    if (isMultiple(values, (position) => at(position) + offset, 1)) return 'plus a number';
  }
  return undefined;
}

/** Whether all values are one number times the expected ones (or the number given): of few elements chance would do it. */
function isMultiple(values: Float32Array, expected: (position: number) => number, given?: number): boolean {
  if (values.length < 3) return false;
  const factor = given ?? factorOf(values, expected);
  if (factor === undefined || !Number.isFinite(factor) || factor === 0) return false;
  const agrees = (position: number): boolean => {
    const wanted = factor * expected(position);
    return Math.abs(values[position]! - wanted) <= tolerance * Math.max(Math.abs(wanted), 1e-30);
  };
  return samplePositions(values.length).every(agrees) && values.every((_, position) => agrees(position));
}

function factorOf(values: Float32Array, expected: (position: number) => number): number | undefined {
  const [first] = samplePositions(values.length);
  return first === undefined ? undefined : values[first]! / expected(first);
}

/** All but what stands anywhere: 0, 1, -1, infinities. */
export function ownValues(values: Float32Array): ReadonlySet<number> {
  return new Set(values.filter((value) => Number.isFinite(value) && !Number.isInteger(value)));
}

/** Whether every value of its own is one of the tensor's. */
function isPartOf(values: Float32Array, content: Float32Array): boolean {
  const own = ownValues(values);
  if (own.size < 3) return false;
  return holdsAll(content, new Set([...own].slice(0, 8))) && holdsAll(content, own);
}

function holdsAll(content: Float32Array, wanted: ReadonlySet<number>): boolean {
  const missing = new Set(wanted);
  for (const value of content) if (missing.delete(value) && missing.size === 0) return true;
  return false;
}

function reduce(
  content: Float32Array,
  dims: readonly number[],
  axes: readonly number[],
  add: (sum: number, value: number) => number,
): Float64Array {
  const kept = range(dims.length).filter((axis) => !axes.includes(axis));
  const steps = dims.map((_, axis) =>
    kept.includes(axis) ? product(kept.filter((other) => other > axis).map((other) => dims[other]!)) : 0,
  );
  const sums = new Float64Array(product(kept.map((axis) => dims[axis]!)));
  content.forEach((value, position) => {
    let rest = position;
    let to = 0;
    for (let axis = dims.length - 1; axis >= 0; axis--) {
      to += (rest % dims[axis]!) * steps[axis]!;
      rest = Math.floor(rest / dims[axis]!);
    }
    sums[to] = add(sums[to]!, value);
  });
  return sums;
}

/** Every choice of some, but not all, axes. */
export function subsets(rank: number): readonly (readonly number[])[] {
  return range(2 ** rank - 2).map((code) => range(rank).filter((axis) => (((code + 1) >> axis) & 1) === 1));
}
