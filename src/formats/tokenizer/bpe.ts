import { bytePieces } from './characters';
import { MergeQueue } from './mergeQueue';
import type { TokenModel, WordTokens } from './model';
import type { Section } from './section';
import { readVocabulary } from './vocabulary';

/** A merge of two tokens: its rank (lower ones come first) and the token that it makes. */
interface Merge {
  readonly rank: number;
  readonly id: number;
}

/** Merges by their pair of ids in one number. */
type Merges = ReadonlyMap<number, Merge>;

const idRange = 2 ** 26;

/** The pieces of a word before they are merged: ids, and where each ends. */
interface Pieces {
  readonly ids: number[];
  readonly starts: number[];
  readonly ends: number[];
}

interface Spelling {
  readonly prefix: string;
  readonly suffix: string;
  readonly unknown: number | undefined;
  readonly fusesUnknown: boolean;
  readonly fallsBack: boolean;
}

/** Byte-pair encoding: characters, merged pair by pair in the order of the learned merges. Dropout is for training alone. */
export function readBpe(section: Section): TokenModel {
  const vocabulary = readVocabulary(section);
  const spelling = readSpelling(section, vocabulary);
  const merges = readMerges(section, vocabulary, spelling.prefix.length);
  const takesWhole = section.truth('ignore_merges', false);
  return {
    vocabulary,
    tokenize(word) {
      const whole = takesWhole ? vocabulary.get(word) : undefined;
      if (whole !== undefined) return { ids: [whole], spans: [[0, word.length]] };
      return merged(spell(word, vocabulary, spelling), merges);
    },
  };
}

function readSpelling(section: Section, vocabulary: ReadonlyMap<string, number>): Spelling {
  const token = section.textIfAny('unk_token');
  const unknown = token === undefined ? undefined : vocabulary.get(token);
  if (token !== undefined && unknown === undefined) {
    throw section.failure('unk_token', `The vocabulary lacks "${token}", the token of what is unknown.`);
  }
  return {
    prefix: section.text('continuing_subword_prefix', ''),
    suffix: section.text('end_of_word_suffix', ''),
    unknown,
    fusesUnknown: section.truth('fuse_unk', false),
    fallsBack: section.truth('byte_fallback', false),
  };
}

/** Merges are texts with one space, or pairs; the second part loses the prefix that continues a word. */
function readMerges(section: Section, vocabulary: ReadonlyMap<string, number>, prefix: number): Merges {
  const merges = new Map<number, Merge>();
  section.list('merges').forEach((merge, rank) => {
    const place = `merges[${rank}]`;
    const pair = typeof merge === 'string' ? merge.split(' ') : merge;
    if (!Array.isArray(pair) || pair.length !== 2 || typeof pair[0] !== 'string' || typeof pair[1] !== 'string') {
      throw section.wrong(place, 'a pair of tokens', merge);
    }
    const [left, right] = pair as [string, string];
    const ids = [left, right, left + right.slice(prefix)].map((token) => {
      const id = vocabulary.get(token);
      if (id === undefined) throw section.failure(place, `The vocabulary lacks "${token}", which a merge names.`);
      if (id >= idRange) throw section.failure('vocab', `The id ${id} is larger than any vocabulary needs.`);
      return id;
    });
    merges.set(ids[0]! * idRange + ids[1]!, { rank, id: ids[2]! });
  });
  return merges;
}

/** The characters of a word as tokens; what is in no vocabulary becomes its bytes, the unknown token, or nothing. */
function spell(word: string, vocabulary: ReadonlyMap<string, number>, spelling: Spelling): Pieces {
  const { prefix, suffix, unknown, fusesUnknown, fallsBack } = spelling;
  const pieces: Pieces = { ids: [], starts: [], ends: [] };
  const add = (id: number, from: number, to: number) => {
    pieces.ids.push(id);
    pieces.starts.push(from);
    pieces.ends.push(to);
  };
  let isUnknown = false;
  let from = 0;
  for (const character of word) {
    const to = from + character.length;
    const text = `${from > 0 ? prefix : ''}${character}${to === word.length ? suffix : ''}`;
    const id = vocabulary.get(text);
    const bytes = id === undefined && fallsBack ? bytePieces(text).map((piece) => vocabulary.get(piece)) : [];
    if (id !== undefined) {
      add(id, from, to);
      isUnknown = false;
    } else if (bytes.length > 0 && bytes.every((byte) => byte !== undefined)) {
      for (const byte of bytes) add(byte, from, to);
    } else if (unknown !== undefined) {
      if (isUnknown && fusesUnknown) pieces.ends[pieces.ends.length - 1] = to;
      else add(unknown, from, to);
      isUnknown = true;
    }
    from = to;
  }
  return pieces;
}

/** Merges the pair of the lowest rank, the leftmost of those, until there is none. */
function merged({ ids, starts, ends }: Pieces, merges: Merges): WordTokens {
  const next = ids.map((_, at) => (at + 1 < ids.length ? at + 1 : -1));
  const previous = ids.map((_, at) => at - 1);
  const queue = new MergeQueue();
  const offer = (at: number) => {
    const right = at < 0 ? -1 : next[at]!;
    const merge = right < 0 ? undefined : merges.get(ids[at]! * idRange + ids[right]!);
    if (merge) queue.push(merge.rank, at, merge.id);
  };
  for (let at = 0; at + 1 < ids.length; at++) offer(at);
  for (let top = queue.pop(); top; top = queue.pop()) {
    const { at, id } = top;
    const right = ids[at] === -1 ? -1 : next[at]!;
    if (right < 0 || merges.get(ids[at]! * idRange + ids[right]!)?.id !== id) continue;
    ids[at] = id;
    ends[at] = Math.max(ends[at]!, ends[right]!);
    ids[right] = -1;
    next[at] = next[right]!;
    if (next[at]! >= 0) previous[next[at]!] = at;
    offer(previous[at]!);
    offer(at);
  }
  const kept = ids.flatMap((id, at) => (id === -1 ? [] : [at]));
  return { ids: kept.map((at) => ids[at]!), spans: kept.map((at) => [starts[at]!, ends[at]!]) };
}
