import { WhenceError } from '../protocol/errors';
import { broadcastAxes, broadcastDims, positiveAxis, product, range, reducedDims, sameDims } from './dims';
import type { DType } from './dtype';
import { einsumDims } from './einsum';
import { ElementwiseBuilder } from './elementwise';
import type { Attribute, TensorType } from './graph';
import { type ConvolutionGeometry, convDims, convTransposeDims, geometryAttributes } from './window';

/** Emits ONNX nodes whose shapes it knows: the only speller of operators' signatures and of what opsets changed in them. */
export class GraphBuilder extends ElementwiseBuilder {
  /** A builder that starts from nothing. */
  static empty(): GraphBuilder {
    const graph = { name: 'graph', inputs: [], outputs: [], initializers: new Map(), nodes: [] };
    return new GraphBuilder({ file: '', irVersion: 8, producer: '', opsets: new Map([['', 17]]), graph }, new Map());
  }

  zeros(type: TensorType): string {
    return this.expand(this.constant(0, [], type.dtype), type.dims);
  }

  /** Matrix product over the last two axes; the leading ones broadcast. Both operands have rank 2 or more. */
  matmul(a: string, b: string): string {
    const left = this.dims(a);
    const right = this.dims(b);
    if (left.length < 2 || right.length < 2 || left.at(-1) !== right.at(-2)) {
      throw mismatch('MatMul', left, right);
    }
    const dims = [...broadcastDims(left.slice(0, -2), right.slice(0, -2)), left.at(-2)!, right.at(-1)!];
    return this.emit('MatMul', [a, b], { dtype: this.dtype(a), dims });
  }
  /** `alpha * a' b' + bias` of two matrices, each transposed first where so asked. */
  gemm(a: string, b: string, { transA = false, transB = false, alpha = 1, bias = '' } = {}): string {
    const left = this.dims(a);
    const right = this.dims(b);
    const [rows, inner] = transA ? [left[1], left[0]] : left;
    const [outer, columns] = transB ? [right[1], right[0]] : right;
    if (left.length !== 2 || right.length !== 2 || inner !== outer) throw mismatch('Gemm', left, right);
    const attributes: Record<string, Attribute> = {
      transA: { kind: 'int', value: transA ? 1 : 0 },
      transB: { kind: 'int', value: transB ? 1 : 0 },
      alpha: { kind: 'float', value: alpha },
    };
    const inputs = bias === '' ? [a, b] : [a, b, bias];
    return this.emit('Gemm', inputs, { dtype: this.dtype(a), dims: [rows!, columns!] }, attributes);
  }
  einsum(equation: string, operands: readonly string[]): string {
    const dims = einsumDims(
      equation,
      operands.map((operand) => this.dims(operand)),
    );
    const type = { dtype: this.dtype(operands[0]!), dims };
    return this.emit('Einsum', operands, type, { equation: { kind: 'string', value: equation } });
  }

  transpose(value: string, perm: readonly number[]): string {
    if (perm.every((from, to) => from === to)) return value;
    const dims = perm.map((axis) => this.dims(value)[axis]!);
    return this.emit('Transpose', [value], { dtype: this.dtype(value), dims }, { perm: ints(perm) });
  }
  /** Swaps the last two axes. */
  transposeLast(value: string): string {
    const rank = this.dims(value).length;
    return this.transpose(value, [...range(rank - 2), rank - 1, rank - 2]);
  }
  reshape(value: string, dims: readonly number[]): string {
    const from = this.dims(value);
    if (sameDims(from, dims)) return value;
    if (product(from) !== product(dims)) throw mismatch('Reshape', from, dims);
    const attributes: Record<string, Attribute> = dims.includes(0) ? { allowzero: { kind: 'int', value: 1 } } : {};
    return this.emit('Reshape', [value, this.#int64(dims)], { dtype: this.dtype(value), dims }, attributes);
  }
  unsqueeze(value: string, axes: readonly number[]): string {
    const rank = this.dims(value).length + axes.length;
    const added = new Set(axes.map((axis) => positiveAxis(axis, rank)));
    const rest = [...this.dims(value)];
    const dims = range(rank).map((axis) => (added.has(axis) ? 1 : rest.shift()!));
    return this.emit('Unsqueeze', [value, this.#int64(axes)], { dtype: this.dtype(value), dims });
  }
  squeeze(value: string, axes: readonly number[]): string {
    const dims = reducedDims(this.dims(value), axes, false);
    return this.emit('Squeeze', [value, this.#int64(axes)], { dtype: this.dtype(value), dims });
  }
  expand(value: string, dims: readonly number[]): string {
    if (sameDims(this.dims(value), dims)) return value;
    if (!sameDims(broadcastDims(this.dims(value), dims), dims)) throw mismatch('Expand', this.dims(value), dims);
    return this.emit('Expand', [value, this.#int64(dims)], { dtype: this.dtype(value), dims });
  }
  concat(values: readonly string[], axis: number): string {
    const [first] = values;
    if (values.length === 1) return first!;
    const rank = this.dims(first!).length;
    const at = positiveAxis(axis, rank);
    const length = values.reduce((sum, value) => sum + this.dims(value)[at]!, 0);
    const dims = this.dims(first!).map((dim, index) => (index === at ? length : dim));
    return this.emit('Concat', values, { dtype: this.dtype(first!), dims }, { axis: { kind: 'int', value: at } });
  }
  /** Parts of the given lengths along `axis`; one part is the value itself. */
  split(value: string, lengths: readonly number[], axis: number): readonly string[] {
    if (lengths.length === 1) return [value];
    const at = positiveAxis(axis, this.dims(value).length);
    const types = lengths.map((length) => ({
      dtype: this.dtype(value),
      dims: this.dims(value).map((dim, index) => (index === at ? length : dim)),
    }));
    return this.emitMany('Split', [value, this.#int64(lengths)], types, { axis: { kind: 'int', value: at } });
  }
  /** Half-open ranges with positive steps; ends are cut at the axis' length. */
  slice(
    value: string,
    starts: readonly number[],
    ends: readonly number[],
    axes: readonly number[] = range(starts.length),
    steps: readonly number[] = starts.map(() => 1),
  ): string {
    const dims = [...this.dims(value)];
    axes.forEach((axis, index) => {
      const at = positiveAxis(axis, dims.length);
      const [start, end] = [starts[index]!, ends[index]!].map((bound) =>
        Math.min(Math.max(bound < 0 ? bound + dims[at]! : bound, 0), dims[at]!),
      ) as [number, number];
      dims[at] = Math.max(0, Math.ceil((end - start) / steps[index]!));
    });
    if (sameDims(dims, this.dims(value))) return value;
    const inputs = [value, this.#int64(starts), this.#int64(ends), this.#int64(axes), this.#int64(steps)];
    return this.emit('Slice', inputs, { dtype: this.dtype(value), dims });
  }
  /** Adds `begins[i]` and `ends[i]` elements around axis i; one entry for each axis. */
  pad(value: string, begins: readonly number[], ends: readonly number[], filler = 0): string {
    if ([...begins, ...ends].every((length) => length === 0)) return value;
    const dims = this.dims(value).map((dim, axis) => dim + begins[axis]! + ends[axis]!);
    const inputs = [value, this.#int64([...begins, ...ends]), this.scalar(filler, value)];
    return this.emit('Pad', inputs, { dtype: this.dtype(value), dims });
  }

  reduceSum(value: string, axes: readonly number[], keep = false): string {
    return this.#reduce('ReduceSum', value, axes, keep);
  }
  reduceMean(value: string, axes: readonly number[], keep = false): string {
    return this.#reduce('ReduceMean', value, axes, keep);
  }
  reduceMax(value: string, axes: readonly number[], keep = false): string {
    return this.#reduce('ReduceMax', value, axes, keep);
  }
  /** Undoes a broadcast: sums over the axes along which something of shape `dims` was stretched to `value`'s shape. */
  sumTo(value: string, dims: readonly number[]): string {
    const axes = broadcastAxes(this.dims(value), dims);
    return this.reshape(this.reduceSum(value, axes, true), dims);
  }
  softmax(value: string, axis = -1): string {
    return this.emit('Softmax', [value], this.typeOf(value), { axis: { kind: 'int', value: axis } });
  }
  logSoftmax(value: string, axis = -1): string {
    return this.emit('LogSoftmax', [value], this.typeOf(value), { axis: { kind: 'int', value: axis } });
  }
  /** Index of the largest element along `axis`, the first of equals. int64. */
  argMax(value: string, axis: number, keep = false): string {
    const dims = reducedDims(this.dims(value), [axis], keep);
    const attributes: Record<string, Attribute> = {
      axis: { kind: 'int', value: axis },
      keepdims: { kind: 'int', value: keep ? 1 : 0 },
    };
    return this.emit('ArgMax', [value], { dtype: 'int64', dims }, attributes);
  }

  /** Whole slices of `value` at `indices` along `axis`. */
  gather(value: string, indices: string, axis: number): string {
    const from = this.dims(value);
    const at = positiveAxis(axis, from.length);
    const dims = [...from.slice(0, at), ...this.dims(indices), ...from.slice(at + 1)];
    return this.emit(
      'Gather',
      [value, indices],
      { dtype: this.dtype(value), dims },
      { axis: { kind: 'int', value: at } },
    );
  }
  gatherElements(value: string, indices: string, axis: number): string {
    const type = { dtype: this.dtype(value), dims: this.dims(indices) };
    return this.emit('GatherElements', [value, indices], type, { axis: { kind: 'int', value: axis } });
  }
  /** `data` with `updates` written, or added, at `indices` along `axis`. */
  scatterElements(data: string, indices: string, updates: string, axis: number, reduction: 'none' | 'add'): string {
    if (reduction === 'add' && this.dtype(data) === 'float16') {
      // onnxruntime's kernel adds no half-precision numbers.
      const [wide, added] = [this.cast(data, 'float32'), this.cast(updates, 'float32')];
      return this.cast(this.scatterElements(wide, indices, added, axis, reduction), 'float16');
    }
    const attributes: Record<string, Attribute> = {
      axis: { kind: 'int', value: axis },
      reduction: { kind: 'string', value: reduction },
    };
    return this.emit('ScatterElements', [data, indices, updates], this.typeOf(data), attributes);
  }
  /** Running sums along `axis`; `exclusive` ones leave out the element itself, `reverse` ones begin at the end. */
  cumSum(value: string, axis: number, { reverse = false, exclusive = false } = {}): string {
    const attributes: Record<string, Attribute> = {
      reverse: { kind: 'int', value: reverse ? 1 : 0 },
      exclusive: { kind: 'int', value: exclusive ? 1 : 0 },
    };
    return this.emit('CumSum', [value, this.constant(axis, [], 'int64')], this.typeOf(value), attributes);
  }
  /** 1 where the last, added axis equals the index, else 0. By comparison: onnxruntime's OneHot lacks most type combinations. */
  oneHot(indices: string, depth: number, dtype: DType): string {
    return this.cast(this.oneHotMask(indices, depth), dtype);
  }
  /** As `oneHot`, of bool. */
  oneHotMask(indices: string, depth: number): string {
    const classes = this.constant(range(depth), [depth], 'int32');
    return this.equal(this.unsqueeze(this.cast(indices, 'int32'), [-1]), classes);
  }

  /** @param bias null for none */
  conv(value: string, weight: string, bias: string | null, geometry: ConvolutionGeometry): string {
    const dims = convDims(this.dims(value), this.dims(weight), geometry);
    const inputs = bias === null ? [value, weight] : [value, weight, bias];
    return this.emit('Conv', inputs, { dtype: this.dtype(value), dims }, geometryAttributes(geometry));
  }
  /** @param weight [channels of `value`, channels out / groups, ...kernel], as Conv's weight for the opposite direction */
  convTranspose(
    value: string,
    weight: string,
    geometry: ConvolutionGeometry,
    outputPadding: readonly number[],
  ): string {
    const dims = convTransposeDims(this.dims(value), this.dims(weight), geometry, outputPadding);
    const attributes = { ...geometryAttributes(geometry), output_padding: ints(outputPadding) };
    return this.emit('ConvTranspose', [value, weight], { dtype: this.dtype(value), dims }, attributes);
  }

  /** Axes moved from an attribute to an input: ReduceSum's at opset 13, the others' at 18. */
  #reduce(op: string, value: string, axes: readonly number[], keep: boolean): string {
    if (axes.length === 0) return value;
    const type = { dtype: this.dtype(value), dims: reducedDims(this.dims(value), axes, keep) };
    const keepdims: Attribute = { kind: 'int', value: keep ? 1 : 0 };
    if (op === 'ReduceSum' || this.opset >= 18) return this.emit(op, [value, this.#int64(axes)], type, { keepdims });
    return this.emit(op, [value], type, { keepdims, axes: ints(axes) });
  }

  #int64(values: readonly number[]): string {
    return this.constant(values, [values.length], 'int64');
  }
}

function ints(value: readonly number[]): Attribute {
  return { kind: 'ints', value };
}

function mismatch(op: string, a: readonly number[], b: readonly number[]): WhenceError {
  return new WhenceError('shape-mismatch', `${op} cannot take the shapes [${a.join(', ')}] and [${b.join(', ')}].`);
}
