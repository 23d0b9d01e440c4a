import { intOf, intsOf } from '../attributes';
import { positiveAxis, product, range } from '../dims';
import type { Lowering, Lowerings } from './lowering';

/** Products of pairs, and of pairs of these: so that a zero among the factors has its own gradient. */
const reduceProd: Lowering = (b, node) => {
  const x = node.inputs[0]!;
  const dims = b.dims(x);
  const given = intsOf(node, 'axes') ?? (node.inputs[1] ? b.constantOf(node.inputs[1]) : []);
  if (!given) return null;
  if (given.length === 0 && intOf(node, 'noop_with_empty_axes', 0) === 1) return [b.identity(x)];
  const all = range(dims.length);
  const axes = given.length === 0 ? all : given.map((axis) => positiveAxis(axis, dims.length));
  const kept = all.filter((axis) => !axes.includes(axis));
  const size = product(axes.map((axis) => dims[axis]!));
  if (size === 0) return null;
  const outer = product(kept.map((axis) => dims[axis]!));
  let factors = b.reshape(b.transpose(x, [...axes, ...kept]), [size, outer]);
  for (let count = size; count > 1; count = Math.ceil(count / 2)) {
    const half = Math.floor(count / 2);
    const products = b.mul(b.slice(factors, [0], [half], [0]), b.slice(factors, [half], [2 * half], [0]));
    factors = count % 2 === 0 ? products : b.concat([products, b.slice(factors, [2 * half], [count], [0])], 0);
  }
  const keeps = intOf(node, 'keepdims', 1) === 1;
  return [
    b.reshape(
      factors,
      keeps ? dims.map((dim, axis) => (axes.includes(axis) ? 1 : dim)) : kept.map((axis) => dims[axis]!),
    ),
  ];
};

export const products: Lowerings = { ReduceProd: reduceProd };
