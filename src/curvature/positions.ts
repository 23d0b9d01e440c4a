import type { GraphBuilder } from '../onnx/builder';
import { product } from '../onnx/dims';
import { oneHotRows } from './lookups';
import { vectorRows } from './normalizations';
import { patchColumns, patchCovariance, patches } from './patches';
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
  return together(
    builder,
    site,
    site.uses.map((use) => useActivation(builder, site, use)),
  );
}

function useActivation(builder: GraphBuilder, site: Site, use: Use): string {
  const { activation, map, output, trailing } = use;
  const width = site.inputs - trailing.length;
  if (map.kind === 'normalization')
    return builder.constant(new Float32Array(map.lead / map.places).fill(1), [map.lead / map.places, 1, 1]);
  if (map.kind === 'lookup') {
    return masked(builder, byExample(builder, oneHotRows(builder, use, map, width), use, width), use);
  }
  if (map.kind === 'linear') {
    return masked(builder, withTrailing(builder, byExample(builder, activation, use, width), trailing, 2), use);
  }
  // Transposed last, where a product takes it up.
  const columns = withTrailing(builder, patchColumns(builder, patches(builder, activation, map, output)), trailing, 1);
  return masked(builder, byExample(builder, builder.transpose(columns, [0, 2, 1]), use, site.inputs), use);
}

/** `Σ_i w_i Σ_t a_t a_tᵀ` [inputs, inputs] of one use over a batch, for weights [batch] of 0 or 1. */
export function useActivationCovariance(builder: GraphBuilder, site: Site, use: Use, weights: string): string {
  const { activation, map, output, trailing, masked } = use;
  const [batch] = builder.dims(weights) as [number];
  if (map.kind === 'convolution' && !masked && builder.dims(activation)[0] === batch) {
    return patchCovariance(builder, activation, map, output, weights, trailing);
  }
  const rows = useActivation(builder, site, use);
  const counted = builder.mul(rows, builder.reshape(weights, [batch, 1, 1]));
  const flat = [batch * use.positions, site.inputs];
  return builder.gemm(builder.reshape(counted, flat), builder.reshape(rows, flat), { transA: true });
}

/**
 * Gradients of the site's outputs in the layout of `siteActivation`: [batch, outputs] or [batch, positions, outputs].
 * @param gradients by the graph value that they are of
 */
export function siteGradient(builder: GraphBuilder, site: Site, gradients: ReadonlyMap<string, string>): string {
  return together(
    builder,
    site,
    site.uses.map((use) => useGradient(builder, site, use, gradients.get(use.output)!)),
  );
}

function useGradient(builder: GraphBuilder, site: Site, use: Use, gradient: string): string {
  if (use.map.kind === 'normalization') {
    return builder.reduceSum(masked(builder, vectorRows(builder, use, use.map, gradient), use), [1], true);
  }
  const value = use.map.kind === 'convolution' ? channelsLast(builder, gradient, use.map, site.outputs) : gradient;
  return masked(builder, scaled(builder, byExample(builder, value, use, site.outputs), site, use), use);
}

/** `Σ_i Σ_t d_t d_tᵀ` [outputs, outputs] of one use over a batch. */
export function useGradientCovariance(builder: GraphBuilder, site: Site, use: Use, gradient: string): string {
  if (use.map.kind === 'convolution' && !use.masked && !site.scaled) {
    // Moving whole images is cheaper than putting channels last.
    const columns = channelColumns(builder, gradient, use.map, site.outputs);
    const [images, , places] = builder.dims(columns) as [number, number, number];
    const flat = builder.reshape(builder.transpose(columns, [1, 0, 2]), [site.outputs, images * places]);
    return builder.gemm(flat, flat, { transB: true });
  }
  const rows = useGradient(builder, site, use, gradient);
  const flat = builder.reshape(rows, [product(builder.dims(rows).slice(0, -1)), site.outputs]);
  return builder.gemm(flat, flat, { transA: true });
}

/** Rows as [batch, positions, width], whichever way they lie. */
function byExample(builder: GraphBuilder, value: string, { map, positions, order }: Use, width: number): string {
  const lead = builder.dims(value).slice(0, -1);
  const batch = product(lead) / positions;
  if (order === 'example-major') return builder.reshape(value, [batch, positions, width]);
  // Every image of a convolution has positions of its own, which stay together.
  const inner = map.kind === 'convolution' ? lead[1]! : 1;
  const steps = builder.reshape(value, [positions / inner, batch, inner, width]);
  return builder.reshape(builder.transpose(steps, [1, 0, 2, 3]), [batch, positions, width]);
}

/** The trailing elements after those along `axis` of [batch, positions, width] or [batch, width, positions]. */
function withTrailing(builder: GraphBuilder, rows: string, trailing: readonly number[], axis: 1 | 2): string {
  if (trailing.length === 0) return rows;
  const [batch, second, third] = builder.dims(rows) as [number, number, number];
  const dims = axis === 1 ? [batch, trailing.length, third] : [batch, second, trailing.length];
  const each = axis === 1 ? third : 1;
  const all = Float32Array.from(
    { length: product(dims) },
    (_, at) => trailing[Math.floor(at / each) % trailing.length]!,
  );
  return builder.concat([rows, builder.constant(all, dims)], axis);
}

function masked(builder: GraphBuilder, rows: string, use: Use): string {
  return use.masked ? builder.mul(rows, builder.unsqueeze(positionInputs.mask, [2])) : rows;
}

/** Gradients in the coordinates of the weight as the checkpoint holds it: `∂/∂W = diag(s) ∂/∂(diag(s) W)`. */
function scaled(builder: GraphBuilder, rows: string, site: Site, { map }: Use): string {
  if (!site.scaled) return rows;
  const scale = positionInputs.scale(site.weight);
  const from = map.kind === 'convolution' ? map.group * site.outputs : 0;
  return builder.mul(rows, builder.slice(scale, [from], [from + site.outputs], [0]));
}

function together(builder: GraphBuilder, site: Site, parts: readonly string[]): string {
  const rows = builder.concat(parts, 1);
  const [batch, , width] = builder.dims(rows) as [number, number, number];
  return isRankOne(site) ? builder.reshape(rows, [batch, width]) : rows;
}

/** A group's channels of a convolution's output as [images, positions, outputs]. */
function channelsLast(builder: GraphBuilder, value: string, map: ConvolutionMap, outputs: number): string {
  return builder.transpose(channelColumns(builder, value, map, outputs), [0, 2, 1]);
}

/** The same as [images, outputs, positions]. */
function channelColumns(
  builder: GraphBuilder,
  value: string,
  { group, groups }: ConvolutionMap,
  outputs: number,
): string {
  const own = groups === 1 ? value : builder.slice(value, [group * outputs], [(group + 1) * outputs], [1]);
  const [images, , ...spatial] = builder.dims(own) as [number, number, ...number[]];
  return builder.reshape(own, [images, outputs, product(spatial)]);
}
