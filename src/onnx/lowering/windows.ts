import { intsOf } from '../attributes';
import { product, range } from '../dims';
import type { Lowering, Lowerings } from './lowering';

/**
 * Columns [N, C · block, places] added up where they overlap: a transposed convolution whose every filter has a single one.
 */
const col2Im: Lowering = (b, node) => {
  const [columns, imageShape, blockShape] = node.inputs as [string, string, string];
  const [image, block] = [b.constantOf(imageShape), b.constantOf(blockShape)];
  if (!image || !block) return null;
  const ones = image.map(() => 1);
  const strides = intsOf(node, 'strides') ?? ones;
  const dilations = intsOf(node, 'dilations') ?? ones;
  const pads = intsOf(node, 'pads') ?? [...image, ...image].map(() => 0);
  const begins = pads.slice(0, image.length);
  const reach = block.map((length, axis) => dilations[axis]! * (length - 1) + 1);
  const places = image.map((length, axis) =>
    Math.floor((length + begins[axis]! + pads[axis + image.length]! - reach[axis]!) / strides[axis]! + 1),
  );
  // What no block reaches at the far end is padded there afterwards.
  const rests = image.map((length, axis) => {
    const covered = (places[axis]! - 1) * strides[axis]! + reach[axis]! - begins[axis]!;
    return { cut: Math.max(0, covered - length), missing: Math.max(0, length - covered) };
  });
  const [batch, rows] = b.dims(columns) as [number, number];
  const size = product(block);
  const channels = rows / size;
  const filters = range(size * size).map((index) => (index % size === Math.floor(index / size) ? 1 : 0));
  const weight = b.constant(filters, [size, 1, ...block], b.dtype(columns));
  const ends = rests.map(({ cut }) => cut);
  const geometry = { strides, dilations, begins, ends, groups: 1 };
  const stacked = b.reshape(columns, [batch * channels, size, ...places]);
  const spread = b.convTranspose(
    stacked,
    weight,
    geometry,
    image.map(() => 0),
  );
  const whole = b.pad(spread, [0, 0, ...image.map(() => 0)], [0, 0, ...rests.map(({ missing }) => missing)]);
  return [b.reshape(whole, [batch, channels, ...image])];
};

export const windows: Lowerings = { Col2Im: col2Im };
