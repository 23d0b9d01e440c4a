import type { Model, Node } from '../onnx/graph';
import type { ProbedType } from '../onnx/shape';
import type { RowOrder, Rows } from './rowOrder';
import { type Product, products } from './uses';
import { isMove, type Origin, type TrainedWeight, weightOrigins } from './weightOrigin';

/**
 * A weight and all the places where it meets an activation: the unit of EK-FAC. Per example its gradient is `G = Σ_t d_t a_tᵀ`
 * [outputs, inputs] over the positions t of all its uses, with each bias folded in as a trailing element of the activation.
 */
export interface Site {
  /** The weight's initializer, or the first of those that hold it. */
  readonly weight: string;
  /** The first bias's initializer. */
  readonly bias?: string;
  /** Every initializer that the site's gradient is of. */
  readonly initializers: readonly string[];
  readonly uses: readonly Use[];
  /** Width of the activation, a trailing element for each bias included. */
  readonly inputs: number;
  readonly outputs: number;
  /** Positions t per example, of all uses; 1 makes every per-example gradient rank one. */
  readonly positions: number;
  /** Whether a normalisation is folded into the weight, so that gradients must be scaled to be those of the checkpoint's own. */
  readonly scaled: boolean;
}

/** One place where a site's weight meets an activation: a tied or recurrent weight has several. */
export interface Use {
  /** The graph value that the weight multiplies. */
  readonly activation: string;
  /** The graph value whose gradient is the pre-activation gradient. */
  readonly output: string;
  readonly map: LinearMap | ConvolutionMap;
  /**
   * What follows the activation, one element a bias of the site: 1, or 0 for a bias of another use. √2 where two vectors are
   * added up (a recurrent layer's): training moves both, so that their sum moves twice as fast as one would.
   */
  readonly trailing: readonly number[];
  readonly positions: number;
  readonly order: Exclude<RowOrder, 'mixed'>;
  /** Whether its positions are the tokens of a sequence, of which padding does not count. */
  readonly masked: boolean;
}

export interface LinearMap {
  readonly kind: 'linear';
}

/** `group` of `groups`: its channels are one site, since groups share no weight. */
export interface ConvolutionMap {
  readonly kind: 'convolution';
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** Begin of every axis, then end of every axis, as in ONNX. */
  readonly pads: readonly number[];
  readonly group: number;
  readonly groups: number;
}

/** A lowered graph at one batch size, and what is known of it. */
export interface SiteSearch {
  readonly model: Model;
  readonly types: ReadonlyMap<string, ProbedType>;
  readonly batch: number;
  /** Initializers that training moves. */
  readonly trained: ReadonlyMap<string, TrainedWeight>;
  /** Initializers that a normalisation is folded into. */
  readonly scaled?: ReadonlySet<string>;
  /** As `probeRowOrders` finds them; without them only a leading axis of the batch's size says whose rows are whose. */
  readonly rowOrders?: ReadonlyMap<string, RowOrder>;
  /** How many tokens an example has, where some may be padding. */
  readonly tokens?: number | undefined;
}

/** Initializers that hold one tensor each, under its own name. */
export function untied(initializers: Iterable<string>): ReadonlyMap<string, TrainedWeight> {
  return new Map([...initializers].map((name) => [name, { key: name, turned: false, tensors: [name] }]));
}

/** Activations that trained weights multiply: the values whose rows `probeRowOrders` should be asked about. */
export function weightedActivations(search: SiteSearch): readonly Rows[] {
  const origins = weightOrigins(search.model.graph, search.types, search.trained);
  return products(search.model.graph, search.types).flatMap(({ weight, activation, rows }) =>
    origins.has(weight) ? [{ name: activation, rows }] : [],
  );
}

/** A product with a trained weight. */
interface Weighted {
  readonly product: Product;
  readonly origin: Origin;
  readonly bias: Origin | undefined;
  readonly positions: number | undefined;
  readonly order: RowOrder;
}

/**
 * Finds the sites of a graph among its trained weights: Gemm, MatMul (with the Add of its bias), Conv. What is read in any other
 * way, an embedding's lookup apart, is left out, since its gradient is no longer a sum of such products; so is what mixes
 * examples.
 */
export function findSites(search: SiteSearch): Site[] {
  const { graph } = search.model;
  const origins = weightOrigins(graph, search.types, search.trained);
  const all = products(graph, search.types).flatMap((product): Weighted[] => {
    const origin = origins.get(product.weight);
    if (!origin) return [];
    return [{ product, origin, bias: biasOf(product, origins, search), ...rowsOf(product, search) }];
  });
  const readers = readersOf(search, origins);
  const sole = all.filter(({ product, origin }) =>
    origin.tensors.every((tensor) =>
      (readers.get(tensor) ?? []).every((reader) => isCounted(reader, product, origin, all)),
    ),
  );
  const groups = new Map<string, Weighted[]>();
  for (const weighted of sole) groups.set(weighted.origin.key, [...(groups.get(weighted.origin.key) ?? []), weighted]);
  return [...groups.values()].flatMap((group) => sitesOf(group, readers, search));
}

/** What reads a tensor: a node through an origin. */
interface Reader {
  readonly node: string;
  readonly op: string;
  readonly origin: Origin;
}

function readersOf(
  { model }: SiteSearch,
  origins: ReadonlyMap<string, Origin>,
): ReadonlyMap<string, readonly Reader[]> {
  const readers = new Map<string, Reader[]>();
  const read = (value: string, node: string, op: string) => {
    const origin = origins.get(value);
    for (const tensor of origin?.tensors ?? []) {
      readers.set(tensor, [...(readers.get(tensor) ?? []), { node, op, origin: origin! }]);
    }
  };
  for (const node of model.graph.nodes) {
    if (isMove(node, origins)) continue;
    node.inputs.forEach((input, index) => {
      if (!readsOnlyType(node, index)) read(input, node.outputs[0]!, node.op);
    });
  }
  for (const { name } of model.graph.outputs) read(name, '', '');
  return readers;
}

/** Exporters ask weights for their shapes and dtypes, which no gradient goes through. */
function readsOnlyType({ op }: Node, input: number): boolean {
  return op === 'Shape' || op === 'Size' || (op === 'CastLike' && input === 1);
}

/** Whether a reader of a tensor is a lookup, another use of the same matrix, or a use of another part of the tensor. */
function isCounted({ node, op, origin }: Reader, product: Product, own: Origin, all: readonly Weighted[]): boolean {
  if (op === 'Gather' || node === product.output) return true;
  if (origin.key !== own.key) return isOtherPart(origin, own);
  return (
    origin.turned === own.turned && all.some((other) => other.product.output === node && other.origin.key === own.key)
  );
}

/** Different cuts of a tensor are taken to be disjoint, as those of packed projections are. */
function isOtherPart(a: Origin, b: Origin): boolean {
  return a.key !== b.key && a.part === true && b.part === true;
}

function rowsOf({ activation, rows, spread }: Product, { model, types, batch, rowOrders }: SiteSearch) {
  const dims = types.get(activation)!.dims;
  const positions = rows % batch === 0 ? (rows / batch) * spread : undefined;
  const probed = rowOrders?.get(activation);
  if (probed) return { positions, order: probed };
  if (batch === 1 || rows === batch || dims[0] === batch) return { positions, order: 'example-major' as const };
  const maker = model.graph.nodes.find(({ outputs }) => outputs.includes(activation));
  const before = maker?.op === 'Reshape' ? types.get(maker.inputs[0]!)?.dims : undefined;
  const folded = dims.length === 2 && before?.[0] === batch && before.at(-1) === dims[1];
  return { positions, order: folded ? ('example-major' as const) : ('mixed' as const) };
}

/** The trained vector that a product's bias is, with one element for each output. */
function biasOf({ bias, outputs, maps }: Product, origins: ReadonlyMap<string, Origin>, { types }: SiteSearch) {
  const dims = bias === '' ? undefined : types.get(bias)?.dims;
  return dims?.length === 1 && dims[0] === outputs * maps.length ? origins.get(bias) : undefined;
}

/** The uses of one weight as sites: one, or one for each group of a convolution. */
function sitesOf(
  group: readonly Weighted[],
  readers: ReadonlyMap<string, readonly Reader[]>,
  { scaled, tokens }: SiteSearch,
): Site[] {
  const [first] = group as [Weighted, ...Weighted[]];
  if (group.some(({ positions, order }) => positions === undefined || order === 'mixed')) return [];
  const biases = biasesOf(group, readers);
  const initializers = distinct(group.flatMap(({ origin }) => origin.initializers));
  return first.product.maps.map((_, index) => {
    const uses = group.map(({ product, positions, order, bias }): Use => {
      const { activation, output, maps } = product;
      const trailing = biases.map(({ key, terms }) => (bias?.key === key ? Math.sqrt(terms) : 0));
      const rows = { positions: positions!, order: order as Use['order'], masked: positions === tokens };
      return { activation, output, map: maps[index]!, trailing, ...rows };
    });
    return {
      weight: initializers[0]!,
      ...(biases[0] ? { bias: biases[0].initializers[0]! } : {}),
      initializers: distinct([...initializers, ...biases.flatMap((bias) => bias.initializers)]),
      uses,
      inputs: first.product.width + biases.length,
      outputs: first.product.outputs,
      positions: uses.reduce((sum, use) => sum + use.positions, 0),
      scaled: initializers.some((name) => scaled?.has(name)),
    };
  });
}

/** The biases that uses of one weight add, as far as nothing else reads them. */
function biasesOf(group: readonly Weighted[], readers: ReadonlyMap<string, readonly Reader[]>): readonly Origin[] {
  const found = new Map(group.flatMap(({ bias }) => (bias ? [[bias.key, bias] as const] : [])));
  return [...found.values()].filter((bias) => {
    const nodes = group.flatMap((one) => (one.bias?.key === bias.key ? [one.product.biased] : []));
    return bias.tensors.every((tensor) =>
      readers.get(tensor)!.every(({ node, origin }) => nodes.includes(node) || isOtherPart(origin, bias)),
    );
  });
}

function distinct(names: readonly string[]): readonly string[] {
  return [...new Set(names)];
}
