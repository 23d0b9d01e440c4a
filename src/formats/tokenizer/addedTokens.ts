import { AlignedText } from './alignedText';
import { wordClass } from './characters';
import type { Normalizer } from './normalizer';
import type { Section } from './section';

/** A token that is found in the text itself, before the model sees it. */
interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly isWord: boolean;
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
  readonly isNormalized: boolean;
  readonly isSpecial: boolean;
}

/** A piece of text, or one token that stands for it. */
export interface Piece {
  readonly text: AlignedText;
  readonly id?: number;
}

/** Cuts a text at added tokens. */
export type TokenFinder = (text: AlignedText) => Piece[];

export interface AddedTokens {
  readonly ids: ReadonlyMap<string, number>;
  /** Ids of special tokens, which stand for no text of the user's. */
  readonly special: ReadonlySet<number>;
  /** Finds those that are looked for in the text as it is, and those that are looked for after normalization. */
  readonly beforeNormalization: TokenFinder;
  readonly afterNormalization: TokenFinder;
}

export function readAddedTokens(root: Section, normalize: Normalizer): AddedTokens {
  const tokens = root.has('added_tokens') ? root.objects('added_tokens').map(readToken) : [];
  const normalized = tokens.filter(({ isNormalized }) => isNormalized);
  return {
    ids: new Map(tokens.map(({ content, id }) => [content, id])),
    special: new Set(tokens.flatMap(({ id, isSpecial }) => (isSpecial ? [id] : []))),
    beforeNormalization: tokenFinder(tokens.filter(({ isNormalized }) => !isNormalized)),
    afterNormalization: tokenFinder(
      normalized.map((token) => ({ ...token, content: normalize(new AlignedText(token.content)).text })),
    ),
  };
}

function readToken(section: Section): AddedToken {
  const isSpecial = section.truth('special', false);
  return {
    id: section.id('id'),
    content: section.text('content'),
    isWord: section.truth('single_word', false),
    stripsLeft: section.truth('lstrip', false),
    stripsRight: section.truth('rstrip', false),
    isNormalized: section.truth('normalized', !isSpecial),
    isSpecial,
  };
}

const endsWithWord = new RegExp(`[${wordClass}]$`, 'v');
const startsWithWord = new RegExp(`^[${wordClass}]`, 'v');

/** The leftmost token each time, of several the longest. */
function tokenFinder(tokens: readonly AddedToken[]): TokenFinder {
  const byContent = new Map(tokens.filter(({ content }) => content !== '').map((token) => [token.content, token]));
  if (byContent.size === 0) return (text) => [{ text }];
  const contents = [...byContent.keys()].sort((a, b) => b.length - a.length);
  const pattern = new RegExp(contents.map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|'), 'gu');
  return (text) => {
    const pieces: Piece[] = [];
    let done = 0;
    for (const { 0: content, index } of text.text.matchAll(pattern)) {
      const token = byContent.get(content)!;
      const before = text.text.slice(0, index);
      const after = text.text.slice(index + content.length);
      if (token.isWord && (endsWithWord.test(lastCharacters(before)) || startsWithWord.test(after))) continue;
      const from = token.stripsLeft ? Math.max(done, before.length - spacesAtEnd(before)) : Math.max(done, index);
      const to = index + content.length + (token.stripsRight ? spacesAtStart(after) : 0);
      if (from > done) pieces.push({ text: text.slice(done, from) });
      pieces.push({ text: text.slice(from, to), id: token.id });
      done = to;
    }
    if (done < text.length) pieces.push({ text: text.slice(done, text.length) });
    return pieces;
  };
}

function lastCharacters(text: string): string {
  return text.slice(-2);
}

function spacesAtEnd(text: string): number {
  let count = 0;
  while (count < text.length && isSpace(text[text.length - 1 - count]!)) count++;
  return count;
}

function spacesAtStart(text: string): number {
  let count = 0;
  while (count < text.length && isSpace(text[count]!)) count++;
  return count;
}

function isSpace(character: string): boolean {
  return /\p{White_Space}/u.test(character);
}
