import { WhenceError } from '../../protocol/errors';
import { elementCount, type TensorRef } from '../tensor';
import { partlyComputed } from './derived';
import { bindConstants, bindEqual, bindPermuted, bindShifted } from './equal';
import { list, modelName, reexport, unquantized } from './failure';
import { bindFolded } from './fold';
import { isStatistic } from './names';
import { bindJoined, bindSlices } from './pieces';
import { bindRecurrent } from './recurrent';
import { bindRows } from './rows';
import type { Search, Weight } from './search';
import { isConstant } from './values';

/** The ways in which exporters rearrange weights, each of which may explain what those before it left over. */
const stages = [
  bindEqual,
  bindRecurrent,
  bindFolded,
  bindPermuted,
  bindSlices,
  bindRows,
  bindJoined,
  bindShifted,
  bindConstants,
];

/** Explains a graph's weights by the values of one checkpoint, as far as they go. */
export async function explain(search: Search): Promise<void> {
  for (const stage of stages) await stage(search);
}

/**
 * What speaks against the graph being an export of this checkpoint whose every tensor has been found; undefined where nothing
 * does. To be asked when `explain` is through.
 */
export async function contradiction(search: Search): Promise<WhenceError | undefined> {
  return (
    (await quantized(search)) ??
    (await unexplained(search)) ??
    (await merged(search)) ??
    (await leftOut(search)) ??
    (await lost(search)) ??
    (await partlyComputed(search))
  );
}

/** Tensors that fill nothing, and are no second name of one that does. */
export async function unusedTensors(search: Search): Promise<TensorRef[]> {
  const unused: TensorRef[] = [];
  for (const ref of search.left()) {
    let isAlias = false;
    for (const twin of await twinsOf(search, ref)) isAlias ||= await search.course.areTied(ref, twin);
    if (!isAlias) unused.push(ref);
  }
  return unused;
}

/** Weights that the graph holds as integers of 8 bits or fewer, which only approximate the checkpoint's. */
async function quantized(search: Search): Promise<WhenceError | undefined> {
  const { model } = search;
  const { nodes, initializers } = model.graph;
  const sizes = nodes.flatMap(({ op, inputs }) => {
    const stored = op === 'DequantizeLinear' ? initializers.get(inputs[0]!) : undefined;
    return stored && elementCount(stored.dims) > 1 ? [elementCount(stored.dims)] : [];
  });
  if (sizes.length === 0) return undefined;
  const rounded = (await unusedTensors(search)).filter(({ dims }) => sizes.includes(elementCount(dims)));
  if (rounded.length === 0) return undefined;
  return new WhenceError(
    'binding-failed',
    `The model ${modelName(model)} is quantized: of ${list(rounded)} it holds whole numbers that stand for values nearby.`,
    { file: model.file, place: `tensor ${rounded[0]!.name}`, mend: unquantized },
  );
}

/** A weight, or what is named as a tensor is, whose values are none of the checkpoint's. */
async function unexplained(search: Search): Promise<WhenceError | undefined> {
  const { model, checkpoint, doubtful, places, tensors } = search;
  const counts = new Set(tensors.map(({ dims }) => elementCount(dims)));
  const left = search.left();
  for (const weight of search.open()) {
    const { name, dims } = weight.initializer;
    // A table that no tensor has the size of, when every tensor has its place, is a constant of the network.
    const isWeight = places.has(name) && (left.length > 0 || counts.has(elementCount(dims)));
    if (!checkpoint.has(name) && !(isWeight && (!weight.constant || (await isRepeated(search, weight))))) continue;
    const ways = doubtful.get(name)?.map(({ ref, transposed }) => (transposed ? `${ref.name} transposed` : ref.name));
    const unused = (await unusedTensors(search)).filter(({ name: own }) => !isStatistic(own));
    const source = unused.length > 0 ? `, perhaps from ${list(unused)}` : '';
    const what = ways
      ? `could be filled by ${ways.join(' or ')}; its name and values do not tell`
      : `holds none of the values of the checkpoint that it was exported from: the exporter computed them${source}`;
    return new WhenceError('binding-failed', `The model's weight ${name} [${dims.join(', ')}] ${what}.`, {
      file: model.file,
      place: `initializer ${name}`,
      mend: reexport,
    });
  }
  return undefined;
}

/** Whether a tensor that fills nothing repeats a weight's one number: the ones and zeros of a layer without any do not. */
async function isRepeated({ values, ...search }: Search, { initializer, sample }: Weight): Promise<boolean> {
  const count = elementCount(initializer.dims);
  for (const ref of search.tensors) {
    if (search.used.has(ref.name) || elementCount(ref.dims) !== count) continue;
    if ((await values.ofTensor(ref)).every((value) => value === sample[0])) return true;
  }
  return false;
}

/** Tensors that only were equal when the graph was exported, so that it holds one initializer for both. */
async function merged(search: Search): Promise<WhenceError | undefined> {
  for (const ref of search.left()) {
    const twins = await twinsOf(search, ref);
    if (twins.length === 0) continue;
    let isAlias = false;
    for (const twin of twins) isAlias ||= await search.course.areTied(ref, twin);
    if (isAlias) continue;
    const { model } = search;
    return new WhenceError(
      'binding-failed',
      `The export merged ${ref.name} with ${twins[0]!.name}: their values were equal then, but are not at every checkpoint.`,
      { file: model.file, place: `tensor ${ref.name}`, mend: reexport },
    );
  }
  return undefined;
}

/** Tensors of one repeated number, which changed nothing where the graph was exported (a bias of zero), but do elsewhere. */
async function leftOut(search: Search): Promise<WhenceError | undefined> {
  const { model, values, course } = search;
  for (const ref of await unusedTensors(search)) {
    const content = await values.ofTensor(ref);
    if (!isConstant(content) || !(await course.moves(ref))) continue;
    return new WhenceError(
      'binding-failed',
      `The export left out ${ref.name}, whose values were all ${content[0]} then, but are not at every checkpoint.`,
      { file: model.file, place: `tensor ${ref.name}`, mend: reexport },
    );
  }
  return undefined;
}

/**
 * Tensors that something computed in the graph may have been made of. Exporters keep what they compute as initializers; what a
 * Constant node holds was a constant of the program, unless it shows where it came from (`partlyComputed`).
 */
async function lost(search: Search): Promise<WhenceError | undefined> {
  const unused = await unusedTensors(search);
  const { model } = search;
  const tables = search.open().some(({ initializer, constant }) => elementCount(initializer.dims) > 1 && !constant);
  const numbers = search.open().length > 0;
  const gone = unused.filter(({ dims }) => tables || (numbers && elementCount(dims) === 1));
  if (gone.length === 0) return undefined;
  return new WhenceError(
    'binding-failed',
    `The model ${modelName(model)} has no weight for ${list(gone)} of the checkpoint, but constants that may have been computed from it.`,
    { file: gone[0]!.source.path, place: `tensor ${gone[0]!.name}`, mend: reexport },
  );
}

/** Tensors of the same values that fill something. */
async function twinsOf({ tensors, used, values }: Search, ref: TensorRef): Promise<TensorRef[]> {
  const twins: TensorRef[] = [];
  for (const other of tensors) {
    if (!used.has(other.name) || other.dims.join() !== ref.dims.join()) continue;
    if (await values.areEqual(ref, other, true)) twins.push(other);
  }
  return twins;
}
