import type { Model } from '../onnx/graph';
import { WhenceError } from '../protocol/errors';
import { bindByNames } from './binding/byNames';
import { contradiction, explain, unusedTensors } from './binding/explain';
import type { Binding } from './binding/expression';
import { failByNames } from './binding/failure';
import { type Course, Search, summarize, type Weight } from './binding/search';
import { type ReadInitializer, sameValues, samplePositions, Values } from './binding/values';
import { elementCount, type TensorRef } from './tensor';

export type { Binding } from './binding/expression';

/** The checkpoints of a run in their order, each opened when it is asked for. */
export interface CheckpointSeries {
  readonly length: number;
  tensors(index: number): Promise<ReadonlyMap<string, TensorRef>>;
}

/** How a run's checkpoints fill a model's weights. */
export interface ModelBinding {
  readonly bindings: readonly Binding[];
  /** The checkpoint whose values the graph holds; undefined where it is none of them and names alone tell. */
  readonly exportedFrom: number | undefined;
  /** Floating tensors of the checkpoint that the graph does not use. */
  readonly unused: readonly string[];
}

/** A graph's weights explained by one checkpoint. */
interface Attempt {
  readonly index: number;
  readonly search: Search;
  readonly error: WhenceError | undefined;
}

const mostAttempts = 4;
const mostAnchors = 12;

/**
 * Finds for each weight of the graph what fills it, with the checkpoint that the graph was exported from (the last one, or
 * else that of the most equal values): every weight must then hold the values that its expression gives, bit by bit or, where
 * a normalisation is folded in, up to rounding. Constants of the graph stay unbound.
 *
 * Where the graph was exported from none of the checkpoints, plain weights are bound to the last one by name, by the end of the
 * name, or by a shape that occurs once; what only values could tell (folded, rearranged, cut, joined) is refused.
 * @throws WhenceError `binding-failed` where a weight finds no tensor, a tensor no weight, or either more than one
 */
export async function bindModel(
  model: Model,
  checkpoints: CheckpointSeries,
  readInitializer: ReadInitializer,
): Promise<ModelBinding> {
  const series = openedOnce(checkpoints);
  const values = new Values(readInitializer);
  const weights = await summarize(model, values);
  const course = courseOf(series, values);
  const attempts: Attempt[] = [];
  for await (const index of candidates(series, weights, values)) {
    const search = new Search(model, weights, await series.tensors(index), values, course);
    await explain(search);
    const hasEvidence = [...search.bound.keys()].some((name) => isTelling(name, weights));
    const attempt = { index, search, error: hasEvidence ? await contradiction(search) : noEvidence };
    if (!attempt.error) return complete(attempt, index);
    attempts.push(attempt);
    if (attempts.length >= mostAttempts) break;
  }
  const best = attempts.reduce((a, b) => (b.search.bound.size > a.search.bound.size ? b : a));
  if (best.error !== noEvidence && best.error && (await isFromThere(best, series))) throw best.error;
  const last = attempts[0]!;
  const matches = bindByNames(last.search);
  failByNames(last.search, matches, await unusedTensors(last.search));
  return complete(last, undefined);
}

function openedOnce({ length, tensors }: CheckpointSeries): CheckpointSeries {
  const opened = new Map<number, Promise<ReadonlyMap<string, TensorRef>>>();
  return {
    length,
    tensors(index) {
      const known = opened.get(index) ?? tensors(index);
      opened.set(index, known);
      return known;
    },
  };
}

/** Stands for "nothing speaks for this checkpoint": never thrown. */
const noEvidence = new WhenceError('binding-failed', 'The model holds no values of this checkpoint.');

async function complete({ search }: Attempt, exportedFrom: number | undefined): Promise<ModelBinding> {
  const bindings = search.weights.flatMap(({ initializer: { name } }) => {
    const value = search.bound.get(name);
    return value ? [{ initializer: name, value }] : [];
  });
  return { bindings, exportedFrom, unused: (await unusedTensors(search)).map(({ name }) => name) };
}

/** The last checkpoint, then the others by how many of a few weights they share with the graph, those without any left out. */
async function* candidates(series: CheckpointSeries, weights: readonly Weight[], values: Values) {
  const last = series.length - 1;
  yield last;
  const others: { readonly index: number; readonly equal: number }[] = [];
  for (let index = last - 1; index >= 0; index--) {
    const equal = await sharedValues(await series.tensors(index), weights, values);
    if (equal > 0) others.push({ index, equal });
  }
  for (const { index } of others.sort((a, b) => b.equal - a.equal)) yield index;
}

/** How many of a few weights hold the values of a checkpoint's tensors of their name, by samples; 1 where none has a name. */
async function sharedValues(
  tensors: ReadonlyMap<string, TensorRef>,
  weights: readonly Weight[],
  values: Values,
): Promise<number> {
  const named = weights.flatMap(({ initializer, constant, sample }) => {
    const ref = tensors.get(initializer.name);
    const count = elementCount(initializer.dims);
    return ref && !constant && elementCount(ref.dims) === count ? [{ ref, count, sample }] : [];
  });
  if (named.length === 0) return 1;
  let equal = 0;
  for (const { ref, count, sample } of named.slice(0, mostAnchors)) {
    if (sameValues(await values.at(ref, samplePositions(count)), sample)) equal++;
  }
  return equal;
}

/** Whether a match proves that the graph holds a checkpoint's values: of several numbers, not of one repeated. */
function isTelling(name: string, weights: readonly Weight[]): boolean {
  return weights.some(({ initializer, constant }) => initializer.name === name && !constant);
}

/** Whether values that other checkpoints do not have show the graph to be an export of this one. */
async function isFromThere({ search }: Attempt, series: CheckpointSeries): Promise<boolean> {
  if (series.length === 1) return true;
  for (const name of search.used) if (await search.course.moves(search.checkpoint.get(name)!)) return true;
  return false;
}

/** Compares in full at the first and the last checkpoint, by samples between them. */
function courseOf(series: CheckpointSeries, values: Values): Course {
  const ends = [0, series.length - 1];
  const tied = new Map<string, Promise<boolean>>();
  const compare = async (a: string, b: string): Promise<boolean> => {
    for (let index = 0; index < series.length; index++) {
      const tensors = await series.tensors(index);
      const [left, right] = [tensors.get(a), tensors.get(b)];
      if (!left && !right) continue;
      if (!left || !right || !(await values.areEqual(left, right, ends.includes(index)))) return false;
    }
    return true;
  };
  return {
    length: series.length,
    areTied({ name: a }, { name: b }) {
      const key = [a, b].sort().join('\n');
      const answer = tied.get(key) ?? compare(a, b);
      tied.set(key, answer);
      return answer;
    },
    async moves(ref) {
      for (let index = 0; index < series.length; index++) {
        const there = (await series.tensors(index)).get(ref.name);
        if (there && there !== ref && !(await values.areEqual(ref, there, ends.includes(index)))) return true;
      }
      return false;
    },
  };
}
