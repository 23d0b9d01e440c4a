import { intOf, stringOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import { product } from '../dims';
import type { Lowering, Lowerings } from './lowering';

/** How far a coordinate may go, and what stands beyond. */
interface Border {
  readonly size: number;
  /** `zeros`, `border` or `reflection`. */
  readonly padding: string;
  /** Whether -1 and 1 are the centres of the first and last pixel, or their outer edges. */
  readonly aligned: boolean;
}

/** A coordinate of the grid, -1 to 1 over the image, in pixels. */
function inPixels(b: GraphBuilder, coordinate: string, { size, aligned }: Border): string {
  const span = aligned ? size - 1 : size;
  return b.add(b.scale(coordinate, span / 2), b.scalar((size - 1) / 2, coordinate));
}

function clamped(b: GraphBuilder, value: string, high: number): string {
  return b.emit('Clip', [value, b.scalar(0, value), b.scalar(high, value)], b.typeOf(value));
}

/** The pixel within the image that stands for one outside of it. */
function withinBorder(b: GraphBuilder, pixel: string, { size, padding, aligned }: Border): string {
  if (padding === 'border') return clamped(b, pixel, size - 1);
  if (padding !== 'reflection') return pixel;
  const low = aligned ? 0 : -0.5;
  const span = aligned ? size - 1 : size;
  if (span === 0) return b.scale(pixel, 0);
  const from = b.sub(pixel, b.scalar(low, pixel));
  const turns = b.floor(b.scale(from, 1 / (2 * span)));
  const around = b.sub(from, b.scale(turns, 2 * span));
  const folded = b.sub(b.scalar(span, pixel), b.abs(b.sub(around, b.scalar(span, pixel))));
  return clamped(b, b.add(folded, b.scalar(low, pixel)), size - 1);
}

/** 1 where a pixel's place is inside, else 0. */
function isInside(b: GraphBuilder, place: string, size: number): string {
  const inside = b.and(b.greaterOrEqual(place, b.scalar(0, place)), b.greaterOrEqual(b.scalar(size - 1, place), place));
  return b.cast(inside, b.dtype(place));
}

/** The pixels at whole places (row, column), 0 outside: image [N, C, H, W], places [N, P], result [N, C, P]. */
function pixelsAt(b: GraphBuilder, image: string, row: string, column: string): string {
  const [batch, channels, height, width] = b.dims(image) as [number, number, number, number];
  const count = b.dims(row)[1]!;
  const place = b.add(b.scale(clamped(b, row, height - 1), width), clamped(b, column, width - 1));
  const index = b.expand(b.unsqueeze(b.cast(place, 'int64'), [1]), [batch, channels, count]);
  const values = b.gatherElements(b.reshape(image, [batch, channels, height * width]), index, 2);
  return b.mul(values, b.unsqueeze(b.mul(isInside(b, row, height), isInside(b, column, width)), [1]));
}

/** Images read at fractional places: of the four pixels around, each by its nearness; or the nearest pixel. */
const gridSample: Lowering = (b, node) => {
  const [image, grid] = node.inputs as [string, string];
  const mode = stringOf(node, 'mode', 'linear');
  if (b.dims(image).length !== 4 || mode.endsWith('cubic')) return null;
  const [batch, channels, height, width] = b.dims(image) as [number, number, number, number];
  const places = b.dims(grid).slice(1, -1);
  const aligned = intOf(node, 'align_corners', 0) === 1;
  const padding = stringOf(node, 'padding_mode', 'zeros');
  const along = (part: number, size: number): string => {
    const border = { size, padding, aligned };
    const coordinate = b.reshape(b.slice(grid, [part], [part + 1], [3]), [batch, product(places)]);
    return withinBorder(b, inPixels(b, coordinate, border), border);
  };
  const [column, row] = [along(0, width), along(1, height)];
  const result = mode === 'nearest' ? nearest(b, image, row, column) : linear(b, image, row, column);
  return [b.reshape(result, [batch, channels, ...places])];
};

function nearest(b: GraphBuilder, image: string, row: string, column: string): string {
  const rounded = (value: string): string => b.emit('Round', [value], b.typeOf(value));
  return pixelsAt(b, image, rounded(row), rounded(column));
}

function linear(b: GraphBuilder, image: string, row: string, column: string): string {
  const one = b.scalar(1, row);
  const [top, left] = [b.floor(row), b.floor(column)];
  const [down, right] = [b.sub(row, top), b.sub(column, left)];
  const corners = [0, 1].flatMap((below) =>
    [0, 1].map((beside) => {
      const share = b.mul(below ? down : b.sub(one, down), beside ? right : b.sub(one, right));
      const pixels = pixelsAt(b, image, below ? b.add(top, one) : top, beside ? b.add(left, one) : left);
      return b.mul(pixels, b.unsqueeze(share, [1]));
    }),
  );
  return corners.reduce((sum, corner) => b.add(sum, corner));
}

/** Each place of an output of the given size, -1 to 1 along every axis, moved by a matrix: theta [N, 2, 3], size NCHW. */
const affineGrid: Lowering = (b, node) => {
  const [theta, size] = node.inputs as [string, string];
  const dims = b.constantOf(size);
  if (dims?.length !== 4) return null;
  const [batch, , height, width] = dims as [number, number, number, number];
  const aligned = intOf(node, 'align_corners', 0) === 1;
  const at = (index: number, length: number): number => {
    if (!aligned) return (2 * index + 1) / length - 1;
    return length === 1 ? 0 : (2 * index) / (length - 1) - 1;
  };
  const base = Array.from({ length: height * width }, (_, place) => [
    at(place % width, width),
    at(Math.floor(place / width), height),
    1,
  ]);
  const places = b.constant(base.flat(), [height * width, 3], b.dtype(theta));
  return [b.reshape(b.matmul(places, b.transposeLast(theta)), [batch, height, width, 2])];
};

export const sampling: Lowerings = { GridSample: gridSample, AffineGrid: affineGrid };
