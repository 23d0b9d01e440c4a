import { characterAt } from './alignedText';
import { bytePieces } from './characters';
import type { TokenModel, WordTokens } from './model';
import type { Section } from './section';
import { checkSize } from './vocabulary';

/** What an unknown character costs beside the least likely piece, in nats. */
const unknownPenalty = 10;

/** The best way to the end of some place of the word. */
interface Step {
  readonly score: number;
  readonly from: number;
  readonly isUnknown: boolean;
}

/**
 * The likeliest sequence of pieces (SentencePiece's unigram language model), found by Viterbi's algorithm; neighbouring
 * unknown characters are one token.
 */
export function readUnigram(section: Section): TokenModel {
  const { vocabulary, scores } = readPieces(section);
  const unknown = section.has('unk_id') ? section.id('unk_id') : undefined;
  if (unknown !== undefined && unknown >= scores.length) throw section.wrong('unk_id', 'the place of a piece');
  const fallsBack = section.truth('byte_fallback', false);
  const ends = pieceEnds(vocabulary);
  const unknownScore =
    scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - unknownPenalty;

  const bestSteps = (word: string): (Step | undefined)[] => {
    const steps: (Step | undefined)[] = new Array(word.length + 1).fill(undefined);
    for (let from = 0; from < word.length; ) {
      const score = steps[from]?.score ?? 0;
      const width = characterAt(word, from).length;
      let isKnown = false;
      const offer = (to: number, own: number, isUnknown: boolean) => {
        const best = steps[to];
        if (!best || score + own > best.score) steps[to] = { score: score + own, from, isUnknown };
      };
      for (const [to, id] of ends(word, from)) {
        offer(to, scores[id]!, id === unknown);
        isKnown ||= to === from + width;
      }
      if (!isKnown) {
        if (unknown === undefined) {
          throw section.failure('unk_id', 'A character is unknown, and the tokenizer has no piece for such.');
        }
        offer(from + width, unknownScore, true);
      }
      from += width;
    }
    return steps;
  };

  return {
    vocabulary,
    tokenize(word): WordTokens {
      const pieces = path(bestSteps(word), word.length);
      const ids: number[] = [];
      const spans: [number, number][] = [];
      for (const [from, to] of pieces) {
        const text = word.slice(from, to);
        const id = vocabulary.get(text);
        const bytes = id === undefined && fallsBack ? bytePieces(text).map((piece) => vocabulary.get(piece)) : [];
        const own = bytes.length > 0 && bytes.every((byte) => byte !== undefined) ? bytes : [id ?? unknown!];
        for (const one of own) {
          ids.push(one);
          spans.push([from, to]);
        }
      }
      return { ids, spans };
    },
  };
}

function path(steps: readonly (Step | undefined)[], length: number): [number, number][] {
  const pieces: [number, number][] = [];
  let wasUnknown = false;
  for (let to = length; to > 0; ) {
    const { from, isUnknown } = steps[to]!;
    if (isUnknown && wasUnknown) pieces[pieces.length - 1]![0] = from;
    else pieces.push([from, to]);
    wasUnknown = isUnknown;
    to = from;
  }
  return pieces.reverse();
}

function readPieces(section: Section): { vocabulary: Map<string, number>; scores: Float64Array } {
  const pieces = section.list('vocab');
  checkSize(section, pieces.length);
  const vocabulary = new Map<string, number>();
  const scores = new Float64Array(pieces.length);
  pieces.forEach((piece, id) => {
    const [text, score] = Array.isArray(piece) ? piece : [];
    if (typeof text !== 'string' || typeof score !== 'number' || !Number.isFinite(score)) {
      throw section.wrong(`vocab[${id}]`, 'a piece with its score', piece);
    }
    vocabulary.set(text, id);
    scores[id] = score;
  });
  return { vocabulary, scores };
}

/** For a place in a word all pieces that begin there: where each ends, and its id, shortest first. A trie of UTF-16 units. */
function pieceEnds(vocabulary: ReadonlyMap<string, number>): (word: string, from: number) => [number, number][] {
  const children = new Map<number, number>();
  const ids: number[] = [-1];
  for (const [piece, id] of vocabulary) {
    let node = 0;
    for (let unit = 0; unit < piece.length; unit++) {
      const key = node * 0x10000 + piece.charCodeAt(unit);
      let child = children.get(key);
      if (child === undefined) {
        child = ids.length;
        children.set(key, child);
        ids.push(-1);
      }
      node = child;
    }
    if (node > 0) ids[node] = id;
  }
  return (word, from) => {
    const found: [number, number][] = [];
    let node: number | undefined = 0;
    for (let unit = from; unit < word.length; unit++) {
      node = children.get(node * 0x10000 + word.charCodeAt(unit));
      if (node === undefined) break;
      if (ids[node]! >= 0) found.push([unit + 1, ids[node]!]);
    }
    return found;
  };
}
