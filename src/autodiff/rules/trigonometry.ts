import type { GraphBuilder } from '../../onnx/builder';
import type { GradientRules } from '../rule';
import { unary } from './unary';

function apply(b: GraphBuilder, op: string, value: string): string {
  return b.emit(op, [value], b.typeOf(value));
}

/** The constant 1 less, or more, the square of `value`. */
function oneWithSquare(b: GraphBuilder, value: string, sign: 1 | -1): string {
  return b.add(b.scale(b.square(value), sign), b.scalar(1, value));
}

export const trigonometry: GradientRules = {
  Sin: unary((b, x, _y, g) => b.mul(g, apply(b, 'Cos', x))),
  Cos: unary((b, x, _y, g) => b.neg(b.mul(g, apply(b, 'Sin', x)))),
  Tan: unary((b, _x, y, g) => b.mul(g, oneWithSquare(b, y, 1))),
  Asin: unary((b, x, _y, g) => b.div(g, b.sqrt(oneWithSquare(b, x, -1)))),
  Acos: unary((b, x, _y, g) => b.neg(b.div(g, b.sqrt(oneWithSquare(b, x, -1))))),
  Atan: unary((b, x, _y, g) => b.div(g, oneWithSquare(b, x, 1))),
  Sinh: unary((b, x, _y, g) => b.mul(g, apply(b, 'Cosh', x))),
  Cosh: unary((b, x, _y, g) => b.mul(g, apply(b, 'Sinh', x))),
  Asinh: unary((b, x, _y, g) => b.div(g, b.sqrt(oneWithSquare(b, x, 1)))),
  Acosh: unary((b, x, _y, g) => b.div(g, b.sqrt(b.sub(b.square(x), b.scalar(1, x))))),
  Atanh: unary((b, x, _y, g) => b.div(g, oneWithSquare(b, x, -1))),
};
