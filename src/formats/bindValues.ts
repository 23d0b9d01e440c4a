import { sameDims } from '../onnx/dims';
import type { Initializer } from '../onnx/graph';
import type { Match, ReadInitializer } from './bind';
import { readTensor, type TensorRef, toFloat32 } from './tensor';

/** Values of initializers and tensors, read once each. */
export class BindValues {
  private readonly read = new Map<Initializer | TensorRef, Promise<Float32Array>>();

  constructor(private readonly readInitializer: ReadInitializer) {}

  /** Matches whose values are equal. Constant values (a fresh bias of zeros) tell nothing and are left out. */
  async equalOnes(matches: readonly Match[]): Promise<Match[]> {
    const equal: Match[] = [];
    for (const match of matches) {
      const wanted = await this.ofInitializer(match.initializer);
      if (isConstant(wanted)) continue;
      const columns = match.transposed ? match.tensor.dims[1]! : undefined;
      if (sameValues(wanted, await this.ofTensor(match.tensor), columns)) equal.push(match);
    }
    return equal;
  }

  /** Names of `rest` that hold the very values of a tensor that is bound: tied weights, saved twice. */
  async aliases(rest: readonly TensorRef[], bound: readonly Match[]): Promise<ReadonlySet<string>> {
    const names = new Set<string>();
    for (const tensor of rest) {
      const values = await this.ofTensor(tensor);
      for (const other of isConstant(values) ? [] : bound) {
        const isAlias =
          sameDims(tensor.dims, other.tensor.dims) && sameValues(values, await this.ofTensor(other.tensor));
        if (isAlias) names.add(tensor.name);
      }
    }
    return names;
  }

  private ofInitializer(initializer: Initializer): Promise<Float32Array> {
    return this.once(initializer, async () => toFloat32(await this.readInitializer(initializer)));
  }

  private ofTensor(tensor: TensorRef): Promise<Float32Array> {
    return this.once(tensor, async () => toFloat32(await readTensor(tensor)));
  }

  private once(key: Initializer | TensorRef, read: () => Promise<Float32Array>): Promise<Float32Array> {
    let values = this.read.get(key);
    if (!values) {
      values = read();
      this.read.set(key, values);
    }
    return values;
  }
}

function isConstant(values: Float32Array): boolean {
  return values.every((value) => value === values[0]);
}

/** `columns`: of `b` as [rows, columns], whose transpose is compared. */
function sameValues(a: Float32Array, b: Float32Array, columns?: number): boolean {
  if (a.length !== b.length) return false;
  const rows = columns === undefined ? 1 : b.length / columns;
  for (let index = 0; index < b.length; index++) {
    const at = columns === undefined ? index : (index % columns) * rows + Math.floor(index / columns);
    if (a[at] !== b[index]) return false;
  }
  return true;
}
