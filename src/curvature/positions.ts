import type { GraphBuilder } from '../onnx/builder';
import { range } from '../onnx/dims';
import type { ConvolutionMap, Site, Use } from './site';

/** Names of the graph inputs that positions read beside the model's own values. */
export const positionInputs = {
  /** float32 [batch, tokens]: 1 for a token, 0 for padding. */
  mask: 'whence/mask',
  /** float32 [outputs of all groups]: the scale of the normalisation that is folded into a weight. */
  scale: (weight: string) => `whence/scale/${weight}`,
} as const;

/** Per-example gradients of a site with one position are rank one: `G = d aᵀ`. */
export function isRankOne(site: Site): boolean {
  return site.positions === 1;
}

/**
 * The site's activations, one row a position, with a trailing element for each bias: [batch, inputs] for one position,
 * else [batch, positions, inputs], the uses one after another. A convolution's rows are its patches, channels before kernel
 * taps (as in F.unfold). Rows of padding are 0.
 */
export function siteActivation(builder: GraphBuilder, site: Site): string {
  const parts = site.uses.map((use) => {
    const value = use.map.kind === 'linear' ? use.activation : patches(builder, use.activation, use.map, use.output);
    const rows = byExample(builder, value, use, site.inputs - use.trailing.length);
    return masked(builder, withTrailing(builder, rows, use.trailing), use);
  });
  return together(builder, site, parts);
}

/**
 * Gradients of the site's outputs in the layout of `siteActivation`: [batch, outputs] or [batch, positions, outputs].
 * @param gradients by the graph value that they are of
 */
export function siteGradient(builder: GraphBuilder, site: Site, gradients: ReadonlyMap<string, string>): string {
  const parts = site.uses.map((use) => {
    const gradient = gradients.get(use.output)!;
    const value = use.map.kind === 'linear' ? gradient : channelsLast(builder, gradient, use.map, site.outputs);
    return masked(builder, scaled(builder, byExample(builder, value, use, site.outputs), site, use), use);
  });
  return together(builder, site, parts);
}

/** Rows as [batch, positions, width], whichever way they lie. */
function byExample(builder: GraphBuilder, value: string, { map, positions, order }: Use, width: number): string {
  const lead = builder.dims(value).slice(0, -1);
  const batch = lead.reduce((product, n) => product * n, 1) / positions;
  if (order === 'example-major') return builder.reshape(value, [batch, positions, width]);
  // Every image of a convolution has positions of its own, which stay together.
  const inner = map.kind === 'linear' ? 1 : lead[1]!;
  const steps = builder.reshape(value, [positions / inner, batch, inner, width]);
  return builder.reshape(builder.transpose(steps, [1, 0, 2, 3]), [batch, positions, width]);
}

function withTrailing(builder: GraphBuilder, rows: string, trailing: readonly number[]): string {
  if (trailing.length === 0) return rows;
  const [batch, positions] = builder.dims(rows) as [number, number, number];
  const all = Float32Array.from(
    { length: batch * positions * trailing.length },
    (_, at) => trailing[at % trailing.length]!,
  );
  return builder.concat([rows, builder.constant(all, [batch, positions, trailing.length])], 2);
}

function masked(builder: GraphBuilder, rows: string, use: Use): string {
  return use.masked ? builder.mul(rows, builder.unsqueeze(positionInputs.mask, [2])) : rows;
}

/** Gradients in the coordinates of the weight as the checkpoint holds it: `∂/∂W = diag(s) ∂/∂(diag(s) W)`. */
function scaled(builder: GraphBuilder, rows: string, site: Site, { map }: Use): string {
  if (!site.scaled) return rows;
  const scale = positionInputs.scale(site.weight);
  const from = map.kind === 'linear' ? 0 : map.group * site.outputs;
  return builder.mul(rows, builder.slice(scale, [from], [from + site.outputs], [0]));
}

function together(builder: GraphBuilder, site: Site, parts: readonly string[]): string {
  const rows = builder.concat(parts, 1);
  const [batch, , width] = builder.dims(rows) as [number, number, number];
  return isRankOne(site) ? builder.reshape(rows, [batch, width]) : rows;
}

/** A group's channels of a convolution's output as [images, positions, outputs]. */
function channelsLast(
  builder: GraphBuilder,
  value: string,
  { group, groups }: ConvolutionMap,
  outputs: number,
): string {
  const own = groups === 1 ? value : channels(builder, value, group * outputs, outputs);
  const [images, , ...spatial] = builder.dims(own) as [number, number, ...number[]];
  const positions = spatial.reduce((product, n) => product * n, 1);
  return builder.transpose(builder.reshape(own, [images, outputs, positions]), [0, 2, 1]);
}

/** Im2col by one Slice a kernel tap: [images, positions, channels · taps]. */
function patches(builder: GraphBuilder, value: string, map: ConvolutionMap, output: string): string {
  const [images, allChannels] = builder.dims(value) as [number, number];
  const spatial = builder.dims(output).slice(2);
  const positions = spatial.reduce((product, n) => product * n, 1);
  const width = allChannels / map.groups;
  const own = map.groups === 1 ? value : channels(builder, value, map.group * width, width);
  const rank = map.kernel.length;
  const padded = map.pads.some((pad) => pad > 0)
    ? builder.pad(own, [0, 0, ...map.pads.slice(0, rank)], [0, 0, ...map.pads.slice(rank)])
    : own;
  const axes = range(rank).map((axis) => axis + 2);
  const columns = taps(map.kernel).map((tap) => {
    const starts = tap.map((at, axis) => at * map.dilations[axis]!);
    const ends = starts.map((start, axis) => start + (spatial[axis]! - 1) * map.strides[axis]! + 1);
    return builder.reshape(builder.slice(padded, starts, ends, axes, map.strides), [images, width, 1, positions]);
  });
  const stacked = builder.concat(columns, 2);
  return builder.transpose(builder.reshape(stacked, [images, width * columns.length, positions]), [0, 2, 1]);
}

function channels(builder: GraphBuilder, value: string, from: number, count: number): string {
  return builder.slice(value, [from], [from + count], [1]);
}

/** Every index of a kernel, last axis fastest. */
function taps(kernel: readonly number[]): number[][] {
  return kernel.reduce<number[][]>(
    (all, size) => all.flatMap((tap) => Array.from({ length: size }, (_, at) => [...tap, at])),
    [[]],
  );
}
