import type { GraphBuilder } from '../onnx/builder';
import { product, range } from '../onnx/dims';
import type { ConvolutionMap } from './site';

/** Im2col: a column for every place of a convolution's kernel on its input. */
export interface Patches {
  /** A kernel tap each, [images, channels, ...places]. */
  readonly taps: readonly string[];
  readonly images: number;
  readonly channels: number;
  /** Places of the kernel on one image. */
  readonly places: number;
}

/**
 * What each kernel tap of one group meets, by one Slice a tap.
 * @param value [images, channels of all groups, ...spatial]
 * @param output a value with the convolution's output shape
 */
export function patches(builder: GraphBuilder, value: string, map: ConvolutionMap, output: string): Patches {
  const [images, all] = builder.dims(value) as [number, number];
  const channels = all / map.groups;
  const own = groupOf(builder, value, map, channels);
  return { ...shifted(builder, own, map, builder.dims(output).slice(2)), images, channels };
}

/** [images, channels · taps, places], channels before kernel taps (as in F.unfold). */
export function patchColumns(builder: GraphBuilder, { taps, images, channels, places }: Patches): string {
  const columns = taps.map((tap) => builder.reshape(tap, [images, channels, 1, places]));
  return builder.reshape(builder.concat(columns, 2), [images, channels * taps.length, places]);
}

/**
 * Sums over images and places of the products of all pairs of patch elements, `Σ p pᵀ`, with `trailing` after the patch:
 * [channels · taps + trailing, same]. Images come last but one, so that the places of all of them are one long axis and
 * nothing as large as the patches is ever transposed.
 *
 * @param weights [images], 0 or 1
 */
export function patchCovariance(
  builder: GraphBuilder,
  value: string,
  map: ConvolutionMap,
  output: string,
  weights: string,
  trailing: readonly number[],
): string {
  const [images, all] = builder.dims(value) as [number, number];
  const channels = all / map.groups;
  const own = groupOf(builder, value, map, channels);
  const spatial = range(map.kernel.length).map((axis) => axis + 2);
  const counted = builder.mul(own, builder.reshape(weights, [images, 1, ...spatial.map(() => 1)]));
  const swapped = builder.transpose(counted, [1, 0, ...spatial]);
  const { taps, places } = shifted(builder, swapped, map, builder.dims(output).slice(2));
  const rows = taps.map((tap) => builder.reshape(tap, [channels, images * places]));
  if (trailing.length > 0) rows.push(trailingRows(builder, trailing, weights, places));
  const columns = builder.concat(rows, 0);
  const sums = builder.gemm(columns, columns, { transB: true });
  return tapsLast(builder, sums, channels, taps.length, trailing.length);
}

/** [trailing, images · places]: what follows the patches of the images that count. */
function trailingRows(builder: GraphBuilder, trailing: readonly number[], weights: string, places: number): string {
  const [images] = builder.dims(weights) as [number];
  const each = builder.constant(
    trailing.flatMap((value) => new Array<number>(places).fill(value)),
    [trailing.length, 1, places],
  );
  return builder.reshape(builder.mul(builder.reshape(weights, [1, images, 1]), each), [
    trailing.length,
    images * places,
  ]);
}

/** Rows and columns from taps before channels to channels before taps. */
function tapsLast(builder: GraphBuilder, sums: string, channels: number, taps: number, trailing: number): string {
  if (taps === 1 || channels === 1) return sums;
  const order = range(channels).flatMap((channel) => range(taps).map((tap) => tap * channels + channel));
  const all = [...order, ...range(trailing).map((index) => channels * taps + index)];
  const indices = builder.constant(all, [all.length], 'int64');
  return builder.gather(builder.gather(sums, indices, 0), indices, 1);
}

/** The input as each tap sees it; the two leading axes stay as they are. */
function shifted(
  builder: GraphBuilder,
  value: string,
  map: ConvolutionMap,
  spatial: readonly number[],
): Pick<Patches, 'taps' | 'places'> {
  const rank = map.kernel.length;
  const padded = builder.pad(value, [0, 0, ...map.pads.slice(0, rank)], [0, 0, ...map.pads.slice(rank)]);
  const axes = range(rank).map((axis) => axis + 2);
  const taps = kernelIndices(map.kernel).map((tap) => {
    const starts = tap.map((at, axis) => at * map.dilations[axis]!);
    const ends = starts.map((start, axis) => start + (spatial[axis]! - 1) * map.strides[axis]! + 1);
    return builder.slice(padded, starts, ends, axes, map.strides);
  });
  return { taps, places: product(spatial) };
}

/** The channels that a group reads. */
function groupOf(builder: GraphBuilder, value: string, { group, groups }: ConvolutionMap, channels: number): string {
  return groups === 1 ? value : builder.slice(value, [group * channels], [(group + 1) * channels], [1]);
}

/** Every index of a kernel, last axis fastest. */
function kernelIndices(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (all, size) => all.flatMap((index) => range(size).map((at) => [...index, at])),
    [[]],
  );
}
