import type { GraphBuilder } from '../onnx/builder';
import type { ConvolutionMap, Site } from './site';

/** Per-example gradients of a site with one position are rank one: `G = d aᵀ`. */
export function isRankOne(site: Site): boolean {
  return site.positions === 1;
}

/**
 * The site's activation, one row a position, with a trailing 1 where there is a bias: [batch, inputs] for one position,
 * else [batch, positions, inputs]. A convolution's rows are its patches, channels before kernel taps (as in F.unfold).
 */
export function siteActivation(builder: GraphBuilder, site: Site): string {
  const batch = batchOf(builder, site.activation, site);
  const width = site.bias === undefined ? site.inputs : site.inputs - 1;
  const rows = site.map.kind === 'linear' ? site.activation : patches(builder, site.activation, site.map, site.output);
  const lead = isRankOne(site) ? [batch] : [batch, site.positions];
  const activation = builder.reshape(rows, [...lead, width]);
  if (site.bias === undefined) return activation;
  const size = lead.reduce((product, n) => product * n, 1);
  const ones = builder.constant(new Float32Array(size).fill(1), [...lead, 1]);
  return builder.concat([activation, ones], lead.length);
}

/** Examples in a value whose rows may be positions folded into the first dimension. */
function batchOf(builder: GraphBuilder, value: string, site: Site): number {
  const dims = builder.dims(value);
  return site.map.kind === 'linear' && dims.length === 2 ? dims[0]! / site.positions : dims[0]!;
}

/** A gradient of the site's output in the layout of `siteActivation`: [batch, outputs] or [batch, positions, outputs]. */
export function siteGradient(builder: GraphBuilder, site: Site, gradient: string): string {
  const batch = batchOf(builder, gradient, site);
  if (site.map.kind === 'linear') {
    return builder.reshape(gradient, isRankOne(site) ? [batch, site.outputs] : [batch, site.positions, site.outputs]);
  }
  const { group, groups } = site.map;
  const own = groups === 1 ? gradient : channels(builder, gradient, group * site.outputs, site.outputs);
  if (isRankOne(site)) return builder.reshape(own, [batch, site.outputs]);
  return builder.transpose(builder.reshape(own, [batch, site.outputs, site.positions]), [0, 2, 1]);
}

/** Im2col by one Slice a kernel tap: [batch, positions, channels · taps]. */
function patches(builder: GraphBuilder, value: string, map: ConvolutionMap, output: string): string {
  const [batch, allChannels] = builder.dims(value) as [number, number];
  const spatial = builder.dims(output).slice(2);
  const positions = spatial.reduce((product, n) => product * n, 1);
  const width = allChannels / map.groups;
  const own = map.groups === 1 ? value : channels(builder, value, map.group * width, width);
  const rank = map.kernel.length;
  const padded = map.pads.some((pad) => pad > 0)
    ? builder.pad(own, [0, 0, ...map.pads.slice(0, rank)], [0, 0, ...map.pads.slice(rank)])
    : own;
  const axes = map.kernel.map((_, axis) => axis + 2);
  const columns = taps(map.kernel).map((tap) => {
    const starts = tap.map((at, axis) => at * map.dilations[axis]!);
    const ends = starts.map((start, axis) => start + (spatial[axis]! - 1) * map.strides[axis]! + 1);
    return builder.reshape(builder.slice(padded, starts, ends, axes, map.strides), [batch, width, 1, positions]);
  });
  const stacked = columns.length === 1 ? columns[0]! : builder.concat(columns, 2);
  return builder.transpose(builder.reshape(stacked, [batch, width * columns.length, positions]), [0, 2, 1]);
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
