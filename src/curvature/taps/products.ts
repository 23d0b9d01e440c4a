import type { GraphBuilder } from '../../onnx/builder';

/** `aᵀ b` of two matrices with the same rows, in one Gemm. */
export function transposedTimes(builder: GraphBuilder, a: string, b: string): string {
  const dims = [builder.dims(a)[1]!, builder.dims(b)[1]!];
  return builder.emit('Gemm', [a, b], { ...builder.typeOf(a), dims }, { transA: { kind: 'int', value: 1 } });
}

/** `a bᵀ` of two matrices with the same columns, in one Gemm. */
export function timesTransposed(builder: GraphBuilder, a: string, b: string): string {
  const dims = [builder.dims(a)[0]!, builder.dims(b)[0]!];
  return builder.emit('Gemm', [a, b], { ...builder.typeOf(a), dims }, { transB: { kind: 'int', value: 1 } });
}

/** All axes but the last as one: [..., width] to [rows, width]. */
export function asRows(builder: GraphBuilder, value: string): string {
  const dims = builder.dims(value);
  const rows = dims.slice(0, -1).reduce((product, n) => product * n, 1);
  return builder.reshape(value, [rows, dims.at(-1)!]);
}
