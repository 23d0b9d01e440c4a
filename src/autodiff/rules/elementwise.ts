import type { GraphBuilder } from '../../onnx/builder';
import { asNeeded, type GradientRule, type GradientRules, unsupportedForm } from '../rule';
import { gate, unary } from './unary';

/** A rule for a broadcasting op of two inputs; each gradient is summed down to its input's shape. */
function binary(
  left: (b: GraphBuilder, a: string, c: string, g: string, y: string) => string,
  right: (b: GraphBuilder, a: string, c: string, g: string, y: string) => string,
): GradientRule {
  return (b, node, [g], needs) => {
    const [a, c] = node.inputs as [string, string];
    const y = node.outputs[0]!;
    return asNeeded(
      needs,
      () => b.sumTo(left(b, a, c, g!, y), b.dims(a)),
      () => b.sumTo(right(b, a, c, g!, y), b.dims(c)),
    );
  };
}

/** Max and Min: what equals the result passes; equals share, as in PyTorch's amax. */
const extremum: GradientRule = (b, node, [g], needs) => {
  const y = node.outputs[0]!;
  const hits = node.inputs.map((input) => b.cast(b.equal(input, y), b.dtype(y)));
  const share = b.div(
    g!,
    hits.reduce((sum, hit) => b.add(sum, hit)),
  );
  return asNeeded(needs, ...node.inputs.map((input, i) => () => b.sumTo(b.mul(share, hits[i]!), b.dims(input))));
};

const pow: GradientRule = (b, node, [g], needs) => {
  const [x, p] = node.inputs as [string, string];
  const y = node.outputs[0]!;
  const exponent = b.constantOf(p);
  const base = (): string => {
    if (exponent?.length === 1 && exponent[0] === 2) return b.mul(g!, b.scale(x, 2));
    const slope = b.mul(b.cast(p, b.dtype(x)), b.pow(x, b.sub(b.cast(p, b.dtype(x)), b.scalar(1, x))));
    return b.sumTo(b.mul(g!, slope), b.dims(x));
  };
  const power = (): string => {
    const safe = b.where(b.greater(x, b.scalar(0, x)), x, b.scalar(1, x));
    return b.cast(b.sumTo(b.mul(g!, b.mul(y, b.log(safe))), b.dims(p)), b.dtype(p));
  };
  return asNeeded(needs, base, power);
};

const clip: GradientRule = (b, node, [g], needs) => {
  const [x, low, high] = node.inputs as [string, string | undefined, string | undefined];
  const inside = (): string => {
    const above = low ? gate(b, b.greaterOrEqual(x, low), g!) : g!;
    return high ? gate(b, b.greaterOrEqual(high, x), above) : above;
  };
  const below = (): string => b.sumTo(gate(b, b.greater(low!, x), g!), []);
  const beyond = (): string => b.sumTo(gate(b, b.greater(x, high!), g!), []);
  return asNeeded(needs, inside, below, beyond);
};

/** The remainder with the dividend's sign, as C's fmod: y = a - trunc(a / c) c. */
const modulus: GradientRule = (b, node, [g], needs) => {
  const [a, c] = node.inputs as [string, string];
  const quotient = (): string => {
    const ratio = b.div(a, c);
    return b.mul(b.sign(ratio), b.floor(b.abs(ratio)));
  };
  return asNeeded(
    needs,
    () => b.sumTo(g!, b.dims(a)),
    () => b.sumTo(b.neg(b.mul(g!, quotient())), b.dims(c)),
  );
};

const dropout: GradientRule = (b, node, [g]) => {
  const training = node.inputs[2];
  if (training && b.constantOf(training)?.[0] !== 0) {
    throw unsupportedForm(b, node, 'it drops at random', 'Export the model in evaluation mode: model.eval().');
  }
  return [g!, null, null];
};

/** Steps are flat wherever they have a slope. */
const flat: GradientRule = (_b, node) => node.inputs.map(() => null);

export const elementwise: GradientRules = {
  Add: binary(
    (_b, _a, _c, g) => g,
    (_b, _a, _c, g) => g,
  ),
  Sub: binary(
    (_b, _a, _c, g) => g,
    (b, _a, _c, g) => b.neg(g),
  ),
  Mul: binary(
    (b, _a, c, g) => b.mul(g, c),
    (b, a, _c, g) => b.mul(g, a),
  ),
  Div: binary(
    (b, _a, c, g) => b.div(g, c),
    (b, _a, c, g, y) => b.neg(b.mul(g, b.div(y, c))),
  ),
  Mod: modulus,
  Pow: pow,
  Max: extremum,
  Min: extremum,
  Sum: (b, node, [g], needs) => asNeeded(needs, ...node.inputs.map((input) => () => b.sumTo(g!, b.dims(input)))),
  Mean: (b, node, [g], needs) => {
    const share = b.scale(g!, 1 / node.inputs.length);
    return asNeeded(needs, ...node.inputs.map((input) => () => b.sumTo(share, b.dims(input))));
  },
  Where: (b, node, [g], needs) => {
    const [condition, x, y] = node.inputs as [string, string, string];
    const zero = b.scalar(0, g!);
    return asNeeded(
      needs,
      () => zero,
      () => b.sumTo(b.where(condition, g!, zero), b.dims(x)),
      () => b.sumTo(b.where(condition, zero, g!), b.dims(y)),
    );
  },
  Neg: unary((b, _x, _y, g) => b.neg(g)),
  Abs: unary((b, x, _y, g) => b.mul(g, b.sign(x))),
  Exp: unary((b, _x, y, g) => b.mul(g, y)),
  Log: unary((b, x, _y, g) => b.div(g, x)),
  Sqrt: unary((b, _x, y, g) => b.div(b.scale(g, 0.5), y)),
  Reciprocal: unary((b, _x, y, g) => b.neg(b.mul(g, b.square(y)))),
  Erf: unary((b, x, _y, g) => b.mul(g, b.scale(b.exp(b.neg(b.square(x))), 2 / Math.sqrt(Math.PI)))),
  Clip: clip,
  Sign: flat,
  Floor: flat,
  Ceil: flat,
  Round: flat,
  EyeLike: flat,
  Hardmax: flat,
  Cast: unary((b, x, _y, g) => b.cast(g, b.dtype(x))),
  CastLike: (b, node, [g]) => [b.cast(g!, b.dtype(node.inputs[0]!)), null],
  Identity: unary((_b, _x, _y, g) => g),
  Dropout: dropout,
};
