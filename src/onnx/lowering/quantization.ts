import { intOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { positiveAxis } from '../dims';
import type { Lowering, Lowerings } from './lowering';

/** y = (x - zero point) scale, for the whole tensor, along one axis or in blocks of one. */
const dequantizeLinear: Lowering = (b, node) => {
  const [x, scale, zero] = node.inputs as [string, string, string | undefined];
  const block = intOf(node, 'block_size', 0);
  const dtype = b.dtype(scale);
  const spread = (value: string): string => alongAxis(b, value, b.dims(x), intOf(node, 'axis', 1), block);
  const numbers = b.cast(x, dtype);
  const centred = zero ? b.sub(numbers, spread(b.cast(zero, dtype))) : numbers;
  return [b.mul(centred, spread(scale))];
};

/** `value` in a shape that broadcasts to `dims`. */
function alongAxis(b: GraphBuilder, value: string, dims: readonly number[], axis: number, block: number): string {
  const from = b.dims(value);
  if (from.length === 0 || (from.length === 1 && from[0] === 1)) return b.reshape(value, []);
  const at = positiveAxis(axis, dims.length);
  if (block === 0) {
    return b.reshape(
      value,
      dims.map((dim, other) => (other === at ? dim : 1)),
    );
  }
  const repeated = b.expand(b.unsqueeze(value, [at + 1]), [...from.slice(0, at + 1), block, ...from.slice(at + 1)]);
  const whole = b.reshape(
    repeated,
    from.map((dim, other) => (other === at ? dim * block : dim)),
  );
  return b.slice(whole, [0], [dims[at]!], [at]);
}

export const quantization: Lowerings = { DequantizeLinear: dequantizeLinear };
