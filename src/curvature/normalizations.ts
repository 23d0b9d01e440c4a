import { floatOf, intOf } from '../onnx/attributes';
import type { GraphBuilder } from '../onnx/builder';
import { positiveAxis, product, sameDims } from '../onnx/dims';
import type { Readers } from './readers';
import { type Rows, rowsOf } from './rowOrder';
import type { NormalizationMap, Site, SiteSearch, Use } from './site';
import type { Origin } from './weightOrigin';

/** A node, or a Mul and the Add after it, that scales and shifts. */
interface Normalization {
  /** First outputs of the nodes that read the vectors. */
  readonly nodes: readonly string[];
  readonly activation: string;
  readonly output: string;
  readonly map: Omit<NormalizationMap, 'places'>;
}

type Origins = ReadonlyMap<string, Origin>;

/** What `probeRowOrders` should be asked about. */
export function normalizationRows(search: SiteSearch, origins: Origins): readonly Rows[] {
  return normalizations(search, origins).map(({ output, map }) => ({ name: output, rows: map.lead }));
}

/**
 * Trained vectors as sites that no other site holds: what normalisations, or elementwise products and sums, alone read. Each
 * reader is a position of the site.
 */
export function findNormalizations(
  search: SiteSearch,
  origins: Origins,
  readers: Readers,
  others: readonly Site[],
): Site[] {
  const taken = new Set(others.flatMap(({ initializers }) => initializers));
  const groups = new Map<string, Normalization[]>();
  for (const one of normalizations(search, origins)) {
    const key = [one.map.scale, one.map.shift].map((name) => origins.get(name)?.key ?? '').join('\n');
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  return [...groups.values()].flatMap((group) => {
    const [{ map }] = group as [Normalization, ...Normalization[]];
    const own = [map.scale, map.shift].flatMap((name) => origins.get(name) ?? []);
    const nodes = group.flatMap((one) => one.nodes);
    const alone = own.every(({ tensors, initializers }) => {
      if (initializers.some((name) => taken.has(name))) return false;
      return tensors.every((tensor) => readers.get(tensor)!.every(({ node }) => nodes.includes(node)));
    });
    const uses = group.flatMap((one) => useOf(one, search));
    if (!alone || uses.length < group.length) return [];
    const initializers = own.flatMap((origin) => origin.initializers);
    const outputs = own.length * map.width;
    return [
      { weight: initializers[0]!, initializers, uses, inputs: 1, outputs, positions: uses.length, scaled: false },
    ];
  });
}

function useOf({ activation, output, map }: Normalization, search: SiteSearch): readonly Use[] {
  const { positions, order } = rowsOf(search, { name: output, rows: map.lead });
  if (positions === undefined || order === 'mixed') return [];
  const masked = positions === search.tokens;
  return [{ activation, output, map: { ...map, places: positions }, trailing: [], positions: 1, order, masked }];
}

function normalizations(search: SiteSearch, origins: Origins): readonly Normalization[] {
  const { nodes } = search.model.graph;
  const followers = new Set<string>();
  const isVector = (name: string | undefined) => name !== undefined && origins.has(name);
  return nodes.flatMap((node): Normalization[] => {
    const [output] = node.outputs as [string];
    const [x, scale = '', shift = ''] = node.inputs as [string, string?, string?];
    if (node.domain !== '' || followers.has(output) || origins.has(output)) return [];
    if (node.op === 'LayerNormalization' || node.op === 'BatchNormalization') {
      if (!isVector(scale) || (shift !== '' && !isVector(shift))) return [];
      const rank = search.types.get(output)!.dims.length;
      const axis = node.op === 'BatchNormalization' ? 1 : positiveAxis(intOf(node, 'axis', -1), rank);
      const block = blockAt(search, output, scale, axis);
      return [
        {
          nodes: [output],
          activation: x,
          output,
          map: { kind: 'normalization', scale, shift, normal: node, ...block },
        },
      ];
    }
    if (node.op !== 'Mul' && node.op !== 'Add') return [];
    const vector = node.inputs.find(isVector);
    const other = node.inputs.find((input) => input !== vector);
    const block = vector === undefined ? undefined : broadcastBlock(search, output, vector);
    if (vector === undefined || other === undefined || !block) return [];
    const base = { kind: 'normalization', normal: undefined, ...block } as const;
    if (node.op === 'Add')
      return [{ nodes: [output], activation: other, output, map: { ...base, scale: '', shift: vector } }];
    const add = nodes.filter(({ inputs }) => inputs.includes(output));
    const after = add.length === 1 && add[0]!.op === 'Add' ? add[0] : undefined;
    const added = after?.inputs.find(isVector);
    const map = { ...base, scale: vector };
    const alike = added !== undefined && sameDims(search.types.get(added)!.dims, search.types.get(vector)!.dims);
    if (!after || !alike) return [{ nodes: [output], activation: other, output, map: { ...map, shift: '' } }];
    followers.add(after.outputs[0]!);
    const both = [output, after.outputs[0]!];
    return [{ nodes: both, activation: other, output: both[1]!, map: { ...map, shift: added } }];
  });
}

function blockAt({ types }: SiteSearch, output: string, vector: string, axis: number) {
  return { lead: product(types.get(output)!.dims.slice(0, axis)), width: product(types.get(vector)!.dims) };
}

/** Where a vector lies along its output: undefined where it has several axes, or none of its own. */
function broadcastBlock(search: SiteSearch, output: string, vector: string) {
  const { dims } = search.types.get(output)!;
  const own = search.types.get(vector)!.dims;
  const axes = own.flatMap((dim, axis) => (dim === 1 ? [] : [axis + dims.length - own.length]));
  if (axes.length > 1) return undefined;
  return blockAt(search, output, vector, axes[0] ?? dims.length);
}

/** Gradients of the vectors at every place of an example, [batch, places, scale and shift]. */
export function vectorRows(builder: GraphBuilder, use: Use, map: NormalizationMap, gradient: string): string {
  const parts = [
    ...(map.scale === '' ? [] : [byPlace(builder, use, map, builder.mul(gradient, normalized(builder, use, map)))]),
    ...(map.shift === '' ? [] : [byPlace(builder, use, map, gradient)]),
  ];
  return builder.concat(parts, 2);
}

/** `x̂`: the activation, or what the node makes of it but for scale and shift. */
function normalized(builder: GraphBuilder, { activation }: Use, { normal, scale }: NormalizationMap): string {
  if (!normal) return activation;
  if (normal.op === 'LayerNormalization') {
    const ones = builder.expand(builder.scalar(1, activation), builder.dims(scale));
    return builder.emit('LayerNormalization', [activation, ones], builder.typeOf(activation), normal.attributes);
  }
  const [, , , mean, variance] = normal.inputs as [string, string, string, string, string];
  const each = [
    builder.dims(mean)[0]!,
    ...builder
      .dims(activation)
      .slice(2)
      .map(() => 1),
  ];
  const spread = builder.sqrt(builder.add(variance, builder.scalar(floatOf(normal, 'epsilon', 1e-5), variance)));
  return builder.div(builder.sub(activation, builder.reshape(mean, each)), builder.reshape(spread, each));
}

function byPlace(
  builder: GraphBuilder,
  { order }: Use,
  { lead, width, places }: NormalizationMap,
  value: string,
): string {
  const trail = product(builder.dims(value)) / (lead * width);
  const rows = builder.reduceSum(builder.reshape(value, [lead, width, trail]), [2]);
  const batch = lead / places;
  if (order === 'example-major') return builder.reshape(rows, [batch, places, width]);
  return builder.transpose(builder.reshape(rows, [places, batch, width]), [1, 0, 2]);
}
