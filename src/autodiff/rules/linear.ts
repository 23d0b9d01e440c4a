import { floatOf, intOf } from '../../onnx/attributes';
import type { GraphBuilder } from '../../onnx/builder';
import { product } from '../../onnx/dims';
import { asNeeded, type GradientRule, type GradientRules } from '../rule';

/** Y = alpha A' B' + beta C, where A' and B' may be transposes and C broadcasts. */
const gemm: GradientRule = (b, node, [g], needs) => {
  const [a, c, bias] = node.inputs as [string, string, string | undefined];
  const alpha = floatOf(node, 'alpha', 1);
  const transA = intOf(node, 'transA', 0) === 1;
  const transB = intOf(node, 'transB', 0) === 1;
  return asNeeded(
    needs,
    () => (transA ? b.gemm(c, g!, { transA: transB, transB: true, alpha }) : b.gemm(g!, c, { transB: !transB, alpha })),
    () => (transB ? b.gemm(g!, a, { transA: true, transB: transA, alpha }) : b.gemm(a, g!, { transA: !transA, alpha })),
    () => b.sumTo(b.scale(g!, floatOf(node, 'beta', 1)), b.dims(bias!)),
  );
};

/** As NumPy's matmul: a vector on the left is a row, one on the right a column; leading axes broadcast. */
const matmul: GradientRule = (b, node, [g], needs) => {
  const [a, c] = node.inputs as [string, string];
  const [left, right] = [b.dims(a), b.dims(c)];
  const matrixA = left.length === 1 ? b.reshape(a, [1, left[0]!]) : a;
  const matrixC = right.length === 1 ? b.reshape(c, [right[0]!, 1]) : c;
  const rows = b.dims(matrixA).at(-2)!;
  const columns = b.dims(matrixC).at(-1)!;
  const leading = b.dims(g!).slice(0, b.dims(g!).length - (left.length > 1 ? 1 : 0) - (right.length > 1 ? 1 : 0));
  const gradient = b.reshape(g!, [...leading, rows, columns]);
  return asNeeded(
    needs,
    () => b.reshape(leftGradient(b, matrixA, matrixC, gradient), left),
    () => b.reshape(rightGradient(b, matrixA, matrixC, gradient), right),
  );
};

function leftGradient(b: GraphBuilder, a: string, c: string, g: string): string {
  if (b.dims(c).length === 2) return b.reshape(b.gemm(flatRows(b, g), c, { transB: true }), b.dims(a));
  return b.sumTo(b.matmul(g, b.transposeLast(c)), b.dims(a));
}

/** Positions of a shared matrix are summed within one product rather than batch by batch. */
function rightGradient(b: GraphBuilder, a: string, c: string, g: string): string {
  if (b.dims(c).length === 2) return b.gemm(flatRows(b, a), flatRows(b, g), { transA: true });
  return b.sumTo(b.matmul(b.transposeLast(a), g), b.dims(c));
}

function flatRows(b: GraphBuilder, value: string): string {
  const dims = b.dims(value);
  return b.reshape(value, [product(dims.slice(0, -1)), dims.at(-1)!]);
}

export const linear: GradientRules = { Gemm: gemm, MatMul: matmul };
