import { intOf } from '../onnx/attributes';
import type { GraphBuilder } from '../onnx/builder';
import { product, range } from '../onnx/dims';
import type { Graph, Node } from '../onnx/graph';
import { WhenceError } from '../protocol/errors';
import type { Readers } from './readers';
import { type RowOrder, type Rows, rowsOf } from './rowOrder';
import type { LookupMap, Site, SiteSearch, Use } from './site';
import type { Origin } from './weightOrigin';

/** A wider A takes long to decompose, and one-hot rows of a batch more memory than the network itself. */
const mostRows = 4096;

/** A node that takes rows of a trained table. */
interface Lookup {
  readonly node: string;
  readonly origin: Origin;
  readonly indices: string;
  readonly map: LookupMap;
  readonly rows: number;
  readonly width: number;
  /** Values [..., width] that hold the rows, or sums with them, from the lookup on. */
  readonly outputs: readonly string[];
}

type Origins = ReadonlyMap<string, Origin>;

/** What `probeRowOrders` should be asked about. */
export function lookupRows(search: SiteSearch, origins: Origins): readonly Rows[] {
  return lookups(search, origins).flatMap(({ outputs }) => outputs.map((name) => leadingRows(search, name)));
}

/**
 * Embeddings as sites: tables that are only looked up by Gather, or that are added to (or expanded over) the examples as a whole, as
 * embeddings of positions are. A tied table, which a layer reads too, is that layer's site alone.
 * @throws WhenceError `config-invalid` for a table of too many rows
 */
export function findLookups(search: SiteSearch, origins: Origins, readers: Readers): Site[] {
  const groups = new Map<string, Lookup[]>();
  for (const lookup of lookups(search, origins)) {
    groups.set(lookup.origin.key, [...(groups.get(lookup.origin.key) ?? []), lookup]);
  }
  return [...groups.values()].flatMap((group) => {
    const [{ origin, rows, width }] = group as [Lookup, ...Lookup[]];
    const nodes = group.map(({ node }) => node);
    const alone = origin.tensors.every((tensor) => readers.get(tensor)!.every(({ node }) => nodes.includes(node)));
    const uses = group.flatMap((lookup) => useOf(lookup, search));
    if (!alone || uses.length < group.length) return [];
    if (rows > mostRows) throw tooWide(search, origin, rows);
    const { initializers } = origin;
    const positions = uses.reduce((sum, use) => sum + use.positions, 0);
    const weight = initializers[0]!;
    return [{ weight, initializers, uses, inputs: rows, outputs: width, positions, scaled: false }];
  });
}

function lookups({ model, types }: SiteSearch, origins: Origins): readonly Lookup[] {
  return model.graph.nodes.flatMap((node) => {
    const table = node.inputs.find((input) => origins.has(input));
    const origin = table === undefined ? undefined : origins.get(table);
    const dims = table === undefined ? undefined : types.get(table)?.dims;
    if (!origin || !dims || dims.length < 2 || origin.turned || origin.repeats) return [];
    const whole = node.op === 'Add' || node.op === 'Expand';
    const gathers =
      node.op === 'Gather' && node.inputs[0] === table && dims.length === 2 && intOf(node, 'axis', 0) === 0;
    if (!whole && !gathers) return [];
    const indices = gathers ? node.inputs[1]! : '';
    const lead = gathers ? types.get(indices)!.dims : dims.slice(0, -1);
    const width = dims.at(-1)!;
    const outputs = followed(node, width, model.graph, types);
    const map: LookupMap = { kind: 'lookup', table: table!, indices: lead };
    return [{ node: node.outputs[0]!, origin, indices, map, rows: product(dims.slice(0, -1)), width, outputs }];
  });
}

/** Ops through which a gradient passes as it is, but for what broadcasting sums. */
const passing = new Set(['Add', 'Expand', 'Identity', 'Cast']);

/** The output of a node, and of the sums that it alone goes through. */
function followed(node: Node, width: number, graph: Graph, types: SiteSearch['types']): readonly string[] {
  const [output] = node.outputs as [string];
  if (types.get(output)?.dims.at(-1) !== width) return [];
  const readers = graph.nodes.filter(({ op, inputs }) => inputs.includes(output) && op !== 'Shape');
  const [next] = readers;
  const goesOn = readers.length === 1 && passing.has(next!.op);
  return goesOn && !graph.outputs.some(({ name }) => name === output)
    ? [output, ...followed(next!, width, graph, types)]
    : [output];
}

/** At the first value that has rows of every example. */
function useOf({ indices, map, outputs }: Lookup, search: SiteSearch): readonly Use[] {
  for (const output of outputs) {
    const { positions, order } = rowsOf(search, leadingRows(search, output));
    if (positions === undefined || order === 'mixed') continue;
    return [useAt(indices, map, output, positions, order, search)];
  }
  return [];
}

function useAt(
  activation: string,
  map: LookupMap,
  output: string,
  positions: number,
  order: Exclude<RowOrder, 'mixed'>,
  { tokens }: SiteSearch,
): Use {
  return { activation, output, map, trailing: [], positions, order, masked: positions === tokens };
}

function leadingRows({ types }: SiteSearch, name: string): Rows {
  return { name, rows: product(types.get(name)!.dims.slice(0, -1)) };
}

/**
 * One-hot rows [..., rows], one for every row of the use's output. The row of a padding index is left out: PyTorch's
 * `padding_idx`, which does not train it, leaves one row of zeros, and no other row is ever all zeros.
 */
export function oneHotRows(builder: GraphBuilder, { activation, output }: Use, map: LookupMap, rows: number): string {
  const lead = builder.dims(output).slice(0, -1);
  const indices = activation === '' ? builder.constant(range(rows), map.indices, 'int64') : activation;
  const spread = builder.expand(indices, lead);
  const dims = builder.dims(map.table);
  const table = builder.reshape(map.table, [rows, dims.at(-1)!]);
  const holds = builder.cast(
    builder.greater(builder.reduceMax(builder.abs(table), [1]), builder.scalar(0, table)),
    'float32',
  );
  const one = builder.scalar(1, holds);
  const isPadded = builder.equal(builder.reduceSum(holds, [0]), builder.scalar(rows - 1, holds));
  const counted = builder.where(isPadded, holds, builder.expand(one, [rows]));
  return builder.mul(builder.oneHot(spread, rows, 'float32'), counted);
}

function tooWide({ model }: SiteSearch, { tensors }: Origin, rows: number): WhenceError {
  return new WhenceError(
    'config-invalid',
    `The embedding ${tensors[0]} has ${rows} rows; embeddings of up to ${mostRows} can be attributed to.`,
    { file: model.file, place: `tensor ${tensors[0]}`, mend: 'Leave "embeddings" out of "sites" in whence.json.' },
  );
}
