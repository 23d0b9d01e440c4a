import { intOf } from '../../onnx/attributes';
import { product } from '../../onnx/dims';
import type { Node } from '../../onnx/graph';
import type { TensorRef } from '../tensor';
import { channelOfRun, foldBias, foldScale, type ReadValues } from './apply';
import { type Expression, type Normalization, reshape, tensor } from './expression';
import { addedVector } from './names';
import { expressionOf, hasDims, isMatrix, positionsIn, type Search, type Way, type Weight } from './search';

/** In the order of how common they are; PyTorch's own default first. */
const epsilons = [1e-5, 1e-3, 1e-6, 1e-4, 1e-12, 0];
/** Of the exporter's float32 arithmetic, relative to the terms of each element. */
const tolerance = 2e-6;

/** A layer with its output channels along `axis` of its weight. */
interface Layer {
  readonly weight: string;
  readonly bias: string | undefined;
  readonly axis: number;
  readonly groups: number;
}

/** A weight, found to be `way` times the scale of `normalization`. */
interface Fold {
  readonly way: Way;
  readonly normalization: Normalization;
  readonly error: number;
}

/**
 * Binds layers that an exporter multiplied a following batch normalisation into: `W' = W · s`, `b' = (b - mean) · s + shift`
 * with `s = gain / √(variance + ε)`. The weight, the normalisation and its ε are those that give the graph's values.
 */
export async function bindFolded(search: Search): Promise<void> {
  const normalizations = normalizationsOf(search);
  if (normalizations.length === 0) return;
  for (const node of search.model.graph.nodes) {
    const layer = layerOf(node, search);
    const weight = search.openWeight(layer?.weight);
    const bias = search.openWeight(layer?.bias);
    if (!layer || !weight || !bias || weight.constant) continue;
    const fold = await findFold(search, layer, weight, normalizations);
    const own = fold && (await ownBias(search, bias, fold));
    if (!fold || !own) continue;
    const { axis, groups } = layer;
    const { normalization } = fold;
    search.bind(weight.initializer, {
      kind: 'folded-weight',
      of: reshape(expressionOf(fold.way), weight.initializer.dims),
      axis,
      groups,
      normalization,
    });
    search.bind(bias.initializer, { kind: 'folded-bias', of: own.expression, normalization });
  }
}

function layerOf(node: Node, search: Search): Layer | undefined {
  const [, weight = '', bias] = node.inputs;
  if (node.domain !== '') return undefined;
  if (node.op === 'Conv') return { weight, bias, axis: 0, groups: 1 };
  if (node.op === 'ConvTranspose') return { weight, bias, axis: 1, groups: intOf(node, 'group', 1) };
  if (node.op === 'Gemm') return { weight, bias, axis: intOf(node, 'transB', 0) === 1 ? 0 : 1, groups: 1 };
  if (node.op === 'MatMul') return { weight, bias: addedVector(search.model, node.outputs[0]!), axis: 1, groups: 1 };
  return undefined;
}

/** Every batch normalisation of the checkpoint, by its running statistics; ε is still to be found. */
function normalizationsOf({ tensors, checkpoint }: Search): Normalization[] {
  return tensors.flatMap(({ name: mean, dims }) => {
    const prefix = mean.endsWith('running_mean') ? mean.slice(0, -'running_mean'.length) : undefined;
    const variance = `${prefix}running_var`;
    const channels = product(dims);
    const has = (name: string) => product(checkpoint.get(name)?.dims ?? [0]) === channels;
    if (prefix === undefined || dims.length !== 1 || !has(variance)) return [];
    const [weight, bias] = [`${prefix}weight`, `${prefix}bias`];
    return [
      {
        name: prefix.replace(/\.$/, ''),
        ...(has(weight) ? { weight } : {}),
        ...(has(bias) ? { bias } : {}),
        mean,
        variance,
        channels,
        epsilon: epsilons[0]!,
      },
    ];
  });
}

/** The one pair of a weight and a normalisation that gives the values; undefined where none or several do. */
async function findFold(
  search: Search,
  { axis, groups }: Layer,
  { initializer }: Weight,
  normalizations: readonly Normalization[],
): Promise<Fold | undefined> {
  const { dims } = initializer;
  const content = await search.values.ofInitializer(initializer);
  const inner = product(dims.slice(axis + 1));
  const channelOfRow = channelOfRun(dims, axis, groups);
  const channelOf = (position: number) => channelOfRow(Math.floor(position / inner));
  const channels = dims[axis]! * groups;
  const fitting = normalizations.filter((one) => one.channels === channels && isFree(one, search));
  const folds: Fold[] = [];
  for (const way of waysFor(search, initializer.name, dims)) {
    const pairs = pairsOf(dims, axis, groups);
    const stored = await search.values.at(way.ref, positionsIn(way.ref, way.transposed, pairs.flat()));
    const isScaled = pairs.every(([a, b], index) => {
      const [left, right] = [content[a]! * stored[2 * index + 1]!, content[b]! * stored[2 * index]!];
      return Math.abs(left - right) <= 10 * tolerance * (Math.abs(left) + Math.abs(right));
    });
    if (!isScaled) continue;
    const values = await search.valuesOf(way);
    for (const normalization of fitting) {
      const best = await bestEpsilon(search, normalization, values, content, channelOf);
      if (best) folds.push({ way, ...best });
    }
    // The weight of the name that gives the values is the one; others are looked at where it does not.
    if (folds.length > 0 && way.ref.name === initializer.name) break;
  }
  return folds.length === 1 ? folds[0] : undefined;
}

/** Tensors of the layer's shape that fill nothing yet, that of its name first. */
function waysFor(search: Search, name: string, dims: readonly number[]): Way[] {
  return search
    .left()
    .flatMap((ref) =>
      (dims.length === 2 && isMatrix(ref.dims) ? [false, true] : [false]).map((transposed) => ({ ref, transposed })),
    )
    .filter((way) => hasDims(way, dims))
    .sort((a, b) => Number(b.ref.name === name) - Number(a.ref.name === name));
}

function isFree({ mean }: Normalization, search: Search): boolean {
  return !search.used.has(mean);
}

/** Pairs of flat positions, both of a pair in one channel: values that one scale relates. */
function pairsOf(dims: readonly number[], axis: number, groups: number): readonly (readonly [number, number])[] {
  const inner = product(dims.slice(axis + 1));
  const rows = axis === 0 ? 1 : dims[0]! / groups;
  return [0, Math.floor(dims[axis]! / 2), dims[axis]! - 1].map((channel) => {
    const first = channel * inner;
    return [first, first + (rows - 1) * dims[axis]! * inner + inner - 1] as const;
  });
}

async function bestEpsilon(
  search: Search,
  normalization: Normalization,
  values: Float32Array,
  content: Float32Array,
  channelOf: (position: number) => number,
): Promise<{ readonly normalization: Normalization; readonly error: number } | undefined> {
  let best: { readonly normalization: Normalization; readonly error: number } | undefined;
  for (const epsilon of epsilons) {
    const candidate = { ...normalization, epsilon };
    const scale = await foldScale(candidate, readerOf(search));
    let error = 0;
    for (let position = 0; position < content.length && error <= tolerance; position++) {
      const expected = values[position]! * scale[channelOf(position)]!;
      const difference = Math.abs(content[position]! - expected);
      // Written so that NaN is a difference too.
      if (!(difference <= error * Math.abs(expected)))
        error = expected === 0 ? Number.POSITIVE_INFINITY : difference / Math.abs(expected);
    }
    if (error <= tolerance && (!best || error < best.error / 2)) best = { normalization: candidate, error };
  }
  return best;
}

/** The layer's own bias, or none, whichever gives the folded one; undefined where neither does. */
async function ownBias(
  search: Search,
  bias: Weight,
  { way, normalization }: Fold,
): Promise<{ readonly expression: Expression | undefined } | undefined> {
  const content = await search.values.ofInitializer(bias.initializer);
  const sibling = search.checkpoint.get(way.ref.name.replace(/weight$/, 'bias'));
  const candidates =
    sibling && sibling !== way.ref && product(sibling.dims) === normalization.channels ? [sibling] : [];
  for (const own of [...candidates, undefined]) {
    const expected = await foldBias(own && (await search.values.ofTensor(own)), normalization, readerOf(search));
    const terms = await biasTerms(search, own, normalization);
    const fits =
      content.length === expected.length &&
      content.every((value, channel) => Math.abs(value - expected[channel]!) <= 2 * tolerance * terms[channel]!);
    if (fits) return { expression: own && tensor(own.name, own.dims) };
  }
  return undefined;
}

/** Sizes of the terms that a folded bias sums, which bound its rounding error. */
async function biasTerms(
  search: Search,
  own: TensorRef | undefined,
  normalization: Normalization,
): Promise<Float64Array> {
  const read = readerOf(search);
  const { mean, bias, channels } = normalization;
  const scale = await foldScale(normalization, read);
  const center = await read(mean, [channels]);
  const shift = bias === undefined ? undefined : await read(bias, [channels]);
  const values = own && (await search.values.ofTensor(own));
  return scale.map(
    (factor, channel) =>
      (Math.abs(values?.[channel] ?? 0) + Math.abs(center[channel]!)) * Math.abs(factor) +
      Math.abs(shift?.[channel] ?? 0),
  );
}

function readerOf({ checkpoint, values }: Search): ReadValues {
  return (name) => values.ofTensor(checkpoint.get(name)!);
}
