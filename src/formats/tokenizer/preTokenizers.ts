import type { AlignedText } from './alignedText';
import { asBytes, numeric, punctuation, whitespace, wordClass } from './characters';
import { fromOniguruma } from './oniguruma';
import type { Section } from './section';
import {
  characterFinder,
  type Finder,
  readBehavior,
  readFinder,
  regexFinder,
  type SplitBehavior,
  splitSpans,
  textFinder,
} from './split';

/** Cuts a piece of text into smaller ones, and may change them. */
export type PreTokenizer = (piece: AlignedText) => readonly AlignedText[];

const preTokenizers: Readonly<Record<string, (section: Section) => PreTokenizer>> = {
  Sequence: (section) => {
    const parts = section.objects('pretokenizers').map(readPreTokenizer);
    return (piece) => parts.reduce<readonly AlignedText[]>((pieces, part) => pieces.flatMap(part), [piece]);
  },
  ByteLevel: byteLevel,
  Metaspace: metaspace,
  Whitespace: () =>
    splitter(regexFinder(new RegExp(`[${wordClass}]+|[^${wordClass}\\p{White_Space}]+`, 'gv')), 'Removed', true),
  WhitespaceSplit: () => splitter(spaces, 'Removed'),
  BertPreTokenizer: () => (piece) => splitter(spaces, 'Removed')(piece).flatMap(splitter(marks, 'Isolated')),
  Punctuation: (section) => splitter(marks, readBehavior(section, 'Isolated')),
  Digits: (section) => splitter(digits, section.truth('individual_digits', false) ? 'Isolated' : 'Contiguous'),
  CharDelimiterSplit: (section) => splitter(textFinder(section.text('delimiter')), 'Removed'),
  Split: (section) => splitter(readFinder(section), readBehavior(section), section.truth('invert', false)),
  FixedLength: (section) => {
    const length = section.id('length', 5);
    if (length === 0) throw section.wrong('length', 'a length from 1');
    return splitter(regexFinder(new RegExp(`[\\s\\S]{1,${length}}`, 'gu')), 'Isolated');
  },
};

const spaces = characterFinder((character) => whitespace.test(character));
const marks = characterFinder((character) => punctuation.test(character));
const digits = characterFinder((character) => numeric.test(character));

/** @throws WhenceError `unsupported-format` for a kind that is not known or a pattern that JavaScript cannot express */
export function readPreTokenizer(section: Section): PreTokenizer {
  const { type } = section;
  const read = Object.hasOwn(preTokenizers, type) ? preTokenizers[type] : undefined;
  if (read) return read(section);
  throw section.failure('type', `The tokenizer's pre-tokenizer ${type} is not known.`, 'unsupported-format');
}

function splitter(find: Finder, behavior: SplitBehavior, invert = false): PreTokenizer {
  return (piece) => splitSpans(piece.text, find, behavior, invert).map(([from, to]) => piece.slice(from, to));
}

/** GPT-2's words, each with the space before it. */
const gpt2Words = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

function byteLevel(section: Section): PreTokenizer {
  const addsSpace = section.truth('add_prefix_space', true);
  const split = section.truth('use_regex', true)
    ? splitter(regexFinder(fromOniguruma(gpt2Words)), 'Isolated')
    : (piece: AlignedText) => [piece];
  return (piece) => {
    const spaced = addsSpace && !piece.text.startsWith(' ') ? piece.withPrefix(' ') : piece;
    return split(spaced).map((part) => part.mapCharacters(asBytes));
  };
}

/** SentencePiece's words: spaces become a visible sign at the beginning of the word after them. */
function metaspace(section: Section): PreTokenizer {
  const sign = section.text('replacement', '▁');
  const scheme = section.text('prepend_scheme', section.truth('add_prefix_space', true) ? 'always' : 'never');
  if (!['always', 'first', 'never'].includes(scheme)) {
    throw section.wrong('prepend_scheme', 'one of always, first, never');
  }
  const split = section.truth('split', true)
    ? splitter(textFinder(sign), 'MergedWithNext')
    : (piece: AlignedText) => [piece];
  return (piece) => {
    const isFirst = piece.length > 0 && piece.start(0) === 0;
    const signed = piece.mapCharacters((character) => (character === ' ' ? sign : character));
    const isWanted = scheme === 'always' || (scheme === 'first' && isFirst);
    return split(isWanted && !signed.text.startsWith(sign) ? signed.withPrefix(sign) : signed);
  };
}
