import { intOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { positiveAxis, product, range } from '../dims';
import type { Lowering, Lowerings } from './lowering';

/** A matrix of as many rows and columns is as much as is written into a graph. */
const longest = 2048;

/**
 * The discrete Fourier transform as products with the matrices of cosines and sines: `X_k = Σ_n x_n exp(∓2πi k n / L)`,
 * the inverse divided by L. The last axis holds real parts, or real and imaginary ones; `onesided` keeps the first half.
 */
const dft: Lowering = (b, node) => {
  const [x, stated, axisInput] = node.inputs as [string, string | undefined, string | undefined];
  const dims = b.dims(x);
  const rank = dims.length;
  const axis = axisInput ? b.constantOf(axisInput)?.[0] : intOf(node, 'axis', b.opset < 20 ? 1 : -2);
  const length = stated ? b.constantOf(stated)?.[0] : axis === undefined ? undefined : dims[positiveAxis(axis, rank)];
  if (axis === undefined || length === undefined || length > longest) return null;
  const inverse = intOf(node, 'inverse', 0) === 1;
  const half = intOf(node, 'onesided', 0) === 1;
  if (inverse && half) return null;

  const at = positiveAxis(axis, rank);
  const used = Math.min(length, dims[at]!);
  const others = range(rank - 1).filter((other) => other !== at);
  const lead = others.map((other) => dims[other]!);
  const reached = half ? Math.floor(length / 2) + 1 : length;
  const matrix = (wave: (angle: number) => number): string => {
    const scale = inverse ? 1 / length : 1;
    const values = range(used * reached).map((index) => {
      const turns = (Math.floor(index / reached) * (index % reached)) % length;
      return wave((2 * Math.PI * turns) / length) * scale;
    });
    return b.constant(values, [used, reached], b.dtype(x));
  };
  const rows = (part: number): string => {
    const one = b.reshape(b.slice(x, [part], [part + 1], [rank - 1]), dims.slice(0, -1));
    const last = b.transpose(b.slice(one, [0], [used], [at]), [...others, at]);
    return b.reshape(last, [product(lead), used]);
  };
  const [cosines, sines] = [matrix(Math.cos), matrix((angle) => (inverse ? Math.sin(angle) : -Math.sin(angle)))];
  const real = rows(0);
  const imaginary = dims.at(-1) === 2 ? rows(1) : null;
  const parts = [
    plus(b, b.matmul(real, cosines), imaginary && b.neg(b.matmul(imaginary, sines))),
    plus(b, b.matmul(real, sines), imaginary && b.matmul(imaginary, cosines)),
  ];
  const back = range(rank - 1).map((other) => (other === at ? others.length : others.indexOf(other)));
  const placed = parts.map((part) => b.unsqueeze(b.transpose(b.reshape(part, [...lead, reached]), back), [rank - 1]));
  return [b.concat(placed, rank - 1)];
};

function plus(b: GraphBuilder, a: string, c: string | null): string {
  return c === null ? a : b.add(a, c);
}

export const fourier: Lowerings = { DFT: dft };
