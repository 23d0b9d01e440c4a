import { product, sameDims } from '../../onnx/dims';
import { isFloat } from '../../onnx/dtype';
import type { Initializer, Model } from '../../onnx/graph';
import { elementCount, type TensorRef } from '../tensor';
import { type Expression, reshape, swap, tensor, tensorsOf } from './expression';
import { endsAlike, weightNames } from './names';
import { isConstant, sameValues, samplePositions, untransposed, type Values } from './values';

/** An initializer and what one look at its values tells. */
export interface Weight {
  readonly initializer: Initializer;
  /** All values are one number (a fresh bias): values do not tell which tensor it is. */
  readonly constant: boolean;
  /** Its elements at `samplePositions`. */
  readonly sample: Float32Array;
}

/** A tensor as it is stored, or as a matrix [first, rest] with rows and columns swapped. */
export interface Way {
  readonly ref: TensorRef;
  readonly transposed: boolean;
}

/** What only the other checkpoints of a run tell. */
export interface Course {
  /** How many checkpoints there are. */
  readonly length: number;
  /** Whether two tensors hold the same values at every checkpoint of the run. */
  areTied(a: TensorRef, b: TensorRef): Promise<boolean>;
  /** Whether a tensor holds other values at another checkpoint. */
  moves(ref: TensorRef): Promise<boolean>;
}

/** Floating initializers of a model with what their values tell. Each is read once. */
export async function summarize(model: Model, values: Values): Promise<Weight[]> {
  const weights: Weight[] = [];
  for (const initializer of model.graph.initializers.values()) {
    if (!isFloat(initializer.dtype) || elementCount(initializer.dims) === 0) continue;
    const content = await values.ofInitializer(initializer);
    const sample = Float32Array.from(samplePositions(content.length), (position) => content[position]!);
    weights.push({ initializer, constant: isConstant(sample) && isConstant(content), sample });
  }
  return weights;
}

/** The state of explaining a graph's weights by one checkpoint: what is bound so far, and to what. */
export class Search {
  readonly bound = new Map<string, Expression>();
  /** Names of tensors that fill something. */
  readonly used = new Set<string>();
  /** Initializers in a weight's place that no training moves (the zero biases of a layer without any). */
  readonly fixed = new Set<string>();
  /** The ways to fill initializers that several tensors could fill. */
  readonly doubtful = new Map<string, readonly Way[]>();
  /** Initializers that stand where weights do. */
  readonly places: ReadonlySet<string>;
  /** The checkpoint's floating tensors. */
  readonly tensors: readonly TensorRef[];
  private index: Promise<ReadonlyMap<string, readonly Way[]>> | undefined;

  constructor(
    readonly model: Model,
    readonly weights: readonly Weight[],
    readonly checkpoint: ReadonlyMap<string, TensorRef>,
    readonly values: Values,
    readonly course: Course,
  ) {
    this.places = weightNames(model);
    this.tensors = [...checkpoint.values()].filter(({ dtype, dims }) => isFloat(dtype) && elementCount(dims) > 0);
  }

  bind({ name, dims }: Initializer, value: Expression): void {
    this.bound.set(name, reshape(value, dims));
    for (const used of tensorsOf(value)) this.used.add(used);
  }

  /** Initializers without a tensor. */
  open(): Weight[] {
    return this.weights.filter(({ initializer: { name } }) => !this.bound.has(name) && !this.fixed.has(name));
  }

  /** The open initializer of that name. */
  openWeight(name: string | undefined): Weight | undefined {
    return this.open().find(({ initializer }) => initializer.name === name);
  }

  /** Tensors that fill nothing yet. */
  left(): TensorRef[] {
    return this.tensors.filter(({ name }) => !this.used.has(name));
  }

  /** Ways in which a tensor, whatever its shape, holds an initializer's very values. */
  async waysOf({ initializer, sample }: Weight): Promise<Way[]> {
    this.index ??= this.makeIndex();
    const content = await this.values.ofInitializer(initializer);
    const ways: Way[] = [];
    for (const way of (await this.index).get(keyOf(content.length, sample)) ?? []) {
      if (sameValues(content, await this.valuesOf(way))) ways.push(way);
    }
    return ways;
  }

  /**
   * Of several ways to the same values the one that is meant: that of the name, or any where all are one and the same tensor
   * at every checkpoint. Undefined where that does not tell.
   */
  async choose(ways: readonly Way[], name: string): Promise<Way | undefined> {
    const plain = ways.filter(({ transposed }) => !transposed);
    const named =
      plain.find(({ ref }) => ref.name === name) ?? onlyOne(plain.filter(({ ref }) => endsAlike(ref.name, name)));
    if (named) return named;
    const [first] = ways;
    // A symmetric matrix equals its own transpose: its values do not tell which way round it is.
    if (!first || ways.some(({ transposed }) => transposed !== first.transposed)) return undefined;
    for (const { ref } of ways.slice(1)) if (!(await this.course.areTied(first.ref, ref))) return undefined;
    return first;
  }

  async valuesOf({ ref, transposed }: Way): Promise<Float32Array> {
    const values = await this.values.ofTensor(ref);
    if (!transposed) return values;
    const [rows, columns] = matrixDims(ref.dims);
    return values.map((_, position) => values[untransposed(position, rows, columns)]!);
  }

  private async makeIndex(): Promise<ReadonlyMap<string, readonly Way[]>> {
    const counts = new Set(this.weights.map(({ initializer }) => elementCount(initializer.dims)));
    const index = new Map<string, Way[]>();
    for (const ref of this.tensors) {
      const count = elementCount(ref.dims);
      if (!counts.has(count)) continue;
      for (const transposed of isMatrix(ref.dims) ? [false, true] : [false]) {
        const sample = await this.values.at(ref, positionsIn(ref, transposed, samplePositions(count)));
        const key = keyOf(count, sample);
        const ways = index.get(key);
        if (ways) ways.push({ ref, transposed });
        else index.set(key, [{ ref, transposed }]);
      }
    }
    return index;
  }
}

export function expressionOf({ ref, transposed }: Way): Expression {
  const own = tensor(ref.name, ref.dims);
  return transposed ? swap(own) : own;
}

/** The stored tensor's positions of some of a way's. */
export function positionsIn(ref: TensorRef, transposed: boolean, positions: readonly number[]): readonly number[] {
  if (!transposed) return positions;
  const [rows, columns] = matrixDims(ref.dims);
  return positions.map((position) => untransposed(position, rows, columns));
}

/** [first, rest]. */
export function matrixDims(dims: readonly number[]): readonly [number, number] {
  return [dims[0] ?? 1, product(dims.slice(1))];
}

/** Whether swapping [first, rest] changes anything. */
export function isMatrix(dims: readonly number[]): boolean {
  const [rows, columns] = matrixDims(dims);
  return rows > 1 && columns > 1;
}

/** Whether a way has an initializer's shape, but for axes of one element. */
export function hasDims({ ref, transposed }: Way, dims: readonly number[]): boolean {
  const own = transposed ? [...matrixDims(ref.dims)].reverse() : ref.dims;
  return sameDims(squeezed(own), squeezed(dims));
}

export function squeezed(dims: readonly number[]): readonly number[] {
  return dims.filter((dim) => dim !== 1);
}

export function onlyOne<T>(items: readonly T[]): T | undefined {
  return items.length === 1 ? items[0] : undefined;
}

function keyOf(count: number, sample: Float32Array): string {
  return `${count}:${sample.join()}`;
}
