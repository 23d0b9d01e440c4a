import { WhenceError } from '../../../protocol/errors';
import { attributesOf, isDict, memberOf, PickleObject, type PickleValue } from '../../pickle/values';
import { isTensor } from './tensor';

/** The weights within whatever was saved, and where they were. */
export interface FoundWeights {
  /** By their names, in the order in which the file has them. */
  readonly tensors: ReadonlyMap<string, PickleObject>;
  /** Keys that led there, `model` or `state.model`; empty where the file is the state dict itself. */
  readonly place: string;
  /** Places of other weights that were passed over. */
  readonly alternatives: readonly string[];
}

/** Keys of weights, the likeliest first. Averages come after what training moved: they lag behind it. */
const modelKeys = [
  /^(model|state_dict|model_state_dict|model_state|model_dict|params?|parameters|weights?|net(work)?|module|classifier)(_state(_dict)?)?$/i,
  /^(state|checkpoint|ckpt)$/i,
  /^(generator|discriminator|encoder|decoder|backbone|head|student|policy|actor|critic|[gd]_?net|net_?[gd])/i,
  /ema|average|swa|shadow|teacher|target/i,
];
const averageRank = 3;
const partRank = 2;

/** Keys of what is no weight though it holds tensors. */
const otherKeys =
  /optim|sched|scaler|rng|random|loops?$|callbacks?|hyper_?param|hparams|config|args|history|losses|metrics|sampler|loader|moments|exp_avg/i;

/** State dicts lie a few keys deep; modules nest deeper. */
const deepest = 64;
const mostVisited = 500_000;

/** Finds the state dict in what a file holds; undefined where there is none. */
export function findWeights(value: PickleValue, path: string): FoundWeights | undefined {
  return new Finder(path).find(value, '', 0);
}

/** Counts what it visits: dicts that hold each other many times over are small in a file and endless to walk. */
class Finder {
  private visited = 0;

  constructor(private readonly path: string) {}

  find(value: PickleValue, place: string, depth: number): FoundWeights | undefined {
    this.visit(place);
    if (depth > 4 || isOptimizerState(value)) return undefined;
    if (isModule(value)) return this.stateDict(value, place, []);
    const entries = entriesOf(value);
    if (!entries) return undefined;
    const ranked = [...entries]
      .flatMap(([key, inner]) => {
        const rank = rankOf(key);
        return typeof key !== 'string' || rank === undefined || isTensor(inner) ? [] : [{ key, inner, rank }];
      })
      .sort((a, b) => a.rank - b.rank);
    const known = ranked.filter(({ key }) => modelKeys.some((pattern) => pattern.test(key)));
    const inside = (those: typeof ranked) =>
      those.flatMap(({ key, inner, rank }) => {
        const found = this.find(inner, place === '' ? key : `${place}.${key}`, depth + 1);
        return found ? [{ ...found, rank }] : [];
      });
    const fromKnown = inside(known);
    if (fromKnown.some(({ rank }) => rank < partRank)) return choose(fromKnown);
    const direct = [...entries].some(([key, inner]) => typeof key === 'string' && isWeight(inner));
    if (direct) return this.stateDict(value, place, []);
    return choose([...fromKnown, ...inside(ranked.filter((one) => !known.includes(one)))]);
  }

  private stateDict(value: PickleValue, place: string, alternatives: readonly string[]): FoundWeights | undefined {
    const tensors = new Map<string, PickleObject>();
    this.flatten(value, '', 0, tensors);
    return tensors.size > 0 ? { tensors, place, alternatives } : undefined;
  }

  private visit(place: string, depth = 0): void {
    if (++this.visited <= mostVisited && depth <= deepest) return;
    throw new WhenceError('malformed-file', 'The dicts in the file hold each other without end.', {
      file: this.path,
      place: place === '' ? 'the outermost dict' : `key ${place.slice(0, 200)}`,
      mend: 'Save model.state_dict() alone.',
    });
  }

  /** All tensors below a dict or module by their dotted names. */
  private flatten(value: PickleValue, prefix: string, depth: number, into: Map<string, PickleObject>): void {
    this.visit(prefix, depth);
    const named = (key: PickleValue) => (prefix === '' ? String(key) : `${prefix}.${String(key)}`);
    for (const [key, inner] of isModule(value) ? moduleEntries(value) : (entriesOf(value) ?? [])) {
      if (typeof key !== 'string' && typeof key !== 'number') continue;
      if (isTensor(inner)) into.set(named(key), inner);
      else if (isModule(inner) || entriesOf(inner)) this.flatten(inner, named(key), depth + 1, into);
    }
  }
}

/** What torch's optimizers give as their state_dict. */
export function isOptimizerState(value: PickleValue | undefined): boolean {
  return isDict(value) && Array.isArray(value.get('param_groups')) && value.has('state');
}

type Ranked = FoundWeights & { readonly rank: number };

/** The best of several, or all that are parts of one model, each under its key. */
function choose(found: readonly Ranked[]): FoundWeights | undefined {
  const [first, ...others] = [...found].sort((a, b) => a.rank - b.rank);
  if (!first) return undefined;
  const parts = found.filter(({ rank }) => rank === first.rank);
  const alternatives = [
    ...found.flatMap((one) => one.alternatives),
    ...others.filter((one) => !(first.rank === partRank && parts.includes(one))).map(({ place }) => place),
  ];
  if (first.rank !== partRank || parts.length === 1) return { ...first, alternatives };
  const tensors = new Map<string, PickleObject>();
  for (const part of parts) {
    const key = part.place.slice(part.place.lastIndexOf('.') + 1);
    for (const [name, tensor] of part.tensors) tensors.set(`${key}.${name}`, tensor);
  }
  return { tensors, place: parts.map(({ place }) => place).join(' and '), alternatives };
}

function rankOf(key: PickleValue): number | undefined {
  if (typeof key !== 'string' || otherKeys.test(key)) return undefined;
  const average = /(^|_)ema|average|swa|shadow|teacher/i.test(key);
  if (average) return averageRank;
  const rank = modelKeys.findIndex((pattern) => pattern.test(key));
  return rank < 0 ? partRank : rank;
}

/** A tensor that may be a weight: a loss or a step is saved as a tensor without axes. */
function isWeight(value: PickleValue): boolean {
  if (!isTensor(value)) return false;
  const size = value.args[2];
  return !(Array.isArray(size) && size.length === 0);
}

function entriesOf(value: PickleValue): ReadonlyMap<PickleValue, PickleValue> | undefined {
  if (isDict(value)) return value;
  const entries = value instanceof PickleObject ? value.entries : undefined;
  return isTensor(value) ? undefined : entries;
}

/** A module saved whole keeps its tensors among its attributes, in three dicts; one of TorchScript is its attributes. */
function isModule(value: PickleValue): value is PickleObject {
  if (!(value instanceof PickleObject)) return false;
  if (isScripted(value)) return true;
  return isDict(memberOf(value, '_parameters')) && isDict(memberOf(value, '_modules'));
}

function isScripted({ type }: PickleObject): boolean {
  return type.startsWith('__torch__.');
}

/** What a module's state_dict() would hold, in its order. */
function* moduleEntries(module: PickleObject): Iterable<[PickleValue, PickleValue]> {
  const attributes = attributesOf(module);
  if (isScripted(module)) yield* attributes ?? [];
  const left = attributes?.get('_non_persistent_buffers_set');
  for (const kind of ['_parameters', '_buffers', '_modules']) {
    const entries = attributes?.get(kind);
    if (!isDict(entries)) continue;
    for (const [key, value] of entries) {
      if (!(kind === '_buffers' && left instanceof Set && left.has(key))) yield [key, value];
    }
  }
}
