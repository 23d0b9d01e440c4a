import { intOf } from '../onnx/attributes';
import type { Model, Node } from '../onnx/graph';
import type { ProbedType } from '../onnx/shape';
import { findLookups, lookupRows } from './lookups';
import { findNormalizations, normalizationRows } from './normalizations';
import { isOtherPart, type Reader, type Readers, readersOf } from './readers';
import { type RowOrder, type Rows, rowsOf } from './rowOrder';
import { type Product, products } from './uses';
import { type Origin, type TrainedWeight, weightOrigins } from './weightOrigin';

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
  /** The graph value that the weight multiplies, or by which it is looked up; '' where all rows of a table are taken in order. */
  readonly activation: string;
  /** The graph value whose gradient is the pre-activation gradient. */
  readonly output: string;
  readonly map: LinearMap | ConvolutionMap | LookupMap | NormalizationMap;
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

/** An embedding's table: the activation is the one-hot form of a row's index. */
export interface LookupMap {
  readonly kind: 'lookup';
  /** The graph value [..., outputs] that holds the table. */
  readonly table: string;
  /** Dimensions of the indices, which broadcast to the leading ones of the output. */
  readonly indices: readonly number[];
}

/**
 * Vectors that scale and shift: the activation is the number 1 and the gradient one row an example, `Σ_t d_t ∘ x̂_t` before
 * `Σ_t d_t`, so that the site's S is the whole Fisher of both.
 */
export interface NormalizationMap {
  readonly kind: 'normalization';
  /** Graph values of the vectors, '' where there is none. */
  readonly scale: string;
  readonly shift: string;
  /** How `x̂` comes from the activation: as it is, or by the statistics of a node without its scale and shift. */
  readonly normal: Node | undefined;
  /** The output as [lead, width, trail]: the vectors lie along `width`. */
  readonly lead: number;
  readonly width: number;
  /** How much of `lead` is one example's. */
  readonly places: number;
}

/** Parameters that are sites by option only. */
export const optionalSites = ['embeddings', 'normalizations'] as const;
export type OptionalSites = (typeof optionalSites)[number];

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
  readonly optional?: ReadonlySet<OptionalSites>;
}

/** Initializers that hold one tensor each, under its own name. */
export function untied(initializers: Iterable<string>): ReadonlyMap<string, TrainedWeight> {
  return new Map([...initializers].map((name) => [name, { key: name, turned: false, tensors: [name] }]));
}

/** The values whose rows `probeRowOrders` should be asked about: activations of trained weights, and what optional sites read. */
export function weightedActivations(search: SiteSearch): readonly Rows[] {
  const { model, types, trained, optional } = search;
  const origins = weightOrigins(model.graph, types, trained);
  return [
    ...products(model.graph, types).flatMap(({ weight, activation, rows }) =>
      origins.has(weight) ? [{ name: activation, rows }] : [],
    ),
    ...(optional?.has('embeddings') ? lookupRows(search, origins) : []),
    ...(optional?.has('normalizations') ? normalizationRows(search, origins) : []),
  ];
}

/** A product with a trained weight. */
interface Weighted {
  readonly product: Product;
  readonly origin: Origin;
  readonly bias: Origin | undefined;
  /** Whether the matrix lies as [inputs, outputs] in its tensors. */
  readonly turned: boolean;
  readonly positions: number | undefined;
  readonly order: RowOrder;
}

/**
 * Finds the sites of a graph among its trained weights: Gemm, MatMul (with the Add of its bias), Conv, and by option embeddings
 * and normalisations. What is read in any other way, an embedding's lookup apart, is left out, since its gradient is no longer a
 * sum of such products; so is what mixes examples.
 * @throws WhenceError `config-invalid` for an embedding of more rows than a site can have
 */
export function findSites(search: SiteSearch): Site[] {
  const { graph } = search.model;
  const origins = weightOrigins(graph, search.types, search.trained);
  const all = products(graph, search.types).flatMap((product): Weighted[] => {
    const origin = origins.get(product.weight);
    if (!origin || origin.repeats) return [];
    const { positions, order } = rowsOf(search, { name: product.activation, rows: product.rows });
    return [
      {
        product,
        origin,
        bias: biasOf(product, origins, search),
        turned: origin.turned !== (intOf(product.node, 'transB', 0) === 0),
        positions: positions && positions * product.spread,
        order,
      },
    ];
  });
  const readers = readersOf(graph, origins);
  const sole = all.filter((one) =>
    one.origin.tensors.every((tensor) => (readers.get(tensor) ?? []).every((reader) => isCounted(reader, one, all))),
  );
  const groups = new Map<string, Weighted[]>();
  for (const weighted of sole) groups.set(weighted.origin.key, [...(groups.get(weighted.origin.key) ?? []), weighted]);
  const sites = [...groups.values()].flatMap((group) => sitesOf(group, readers, search));
  if (search.optional?.has('embeddings')) sites.push(...findLookups(search, origins, readers));
  if (search.optional?.has('normalizations')) sites.push(...findNormalizations(search, origins, readers, sites));
  return sites;
}

/** Whether a reader of a tensor is a lookup, another use of the same matrix, or a use of another part of the tensor. */
function isCounted({ node, op, origin }: Reader, own: Weighted, all: readonly Weighted[]): boolean {
  if (op === 'Gather' || node === own.product.output) return true;
  if (origin.key !== own.origin.key) return isOtherPart(origin, own.origin);
  return all.some(
    (other) => other.product.output === node && other.origin.key === origin.key && other.turned === own.turned,
  );
}

/** The trained vector that a product's bias is, with one element for each output. */
function biasOf({ bias, outputs, maps }: Product, origins: ReadonlyMap<string, Origin>, { types }: SiteSearch) {
  const dims = bias === '' ? undefined : types.get(bias)?.dims;
  return dims?.length === 1 && dims[0] === outputs * maps.length ? origins.get(bias) : undefined;
}

/** The uses of one weight as sites: one, or one for each group of a convolution. */
function sitesOf(group: readonly Weighted[], readers: Readers, { scaled, tokens }: SiteSearch): Site[] {
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
function biasesOf(group: readonly Weighted[], readers: Readers): readonly Origin[] {
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
