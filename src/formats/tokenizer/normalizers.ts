import { characterAt, remembered, TextEdit } from './alignedText';
import { bertNormalizer } from './bertNormalizer';
import { asBytes, mark, whitespace } from './characters';
import { inTurn, lowercase, type Normalizer, stripMarks } from './normalizer';
import { precompiledNormalizer } from './precompiled';
import type { Section } from './section';
import { readFinder } from './split';
import { unicodeForm } from './unicodeForm';

/** The normalizers by their names in `tokenizer.json`. */
const normalizers: Readonly<Record<string, (section: Section) => Normalizer>> = {
  Sequence: (section) => inTurn(section.objects('normalizers').map(readNormalizer)),
  NFC: () => unicodeForm('NFC'),
  NFD: () => unicodeForm('NFD'),
  NFKC: () => unicodeForm('NFKC'),
  NFKD: () => unicodeForm('NFKD'),
  Lowercase: () => lowercase,
  StripAccents: () => stripMarks(mark),
  Strip: (section) => strip(section.truth('strip_left', true), section.truth('strip_right', true)),
  Replace: replace,
  Prepend: (section) => {
    const prefix = section.text('prepend');
    return prefix === '' ? (text) => text : (text) => text.withPrefix(prefix);
  },
  ByteLevel: () => (text) => text.mapCharacters(asBytes),
  Nmt: () => {
    const change = remembered(nmt);
    return (text) => text.mapCharacters(change);
  },
  BertNormalizer: bertNormalizer,
  Precompiled: precompiledNormalizer,
};

/** @throws WhenceError `unsupported-format` for a kind that is not known, `malformed-file` where its settings are wrong */
export function readNormalizer(section: Section): Normalizer {
  const { type } = section;
  const read = Object.hasOwn(normalizers, type) ? normalizers[type] : undefined;
  if (read) return read(section);
  throw section.failure('type', `The tokenizer's normalizer ${type} is not known.`, 'unsupported-format');
}

function strip(left: boolean, right: boolean): Normalizer {
  return (text) => {
    let from = 0;
    let to = text.length;
    while (left && from < to && whitespace.test(text.text[from]!)) from++;
    while (right && to > from && whitespace.test(text.text[to - 1]!)) to--;
    return text.slice(from, to);
  };
}

/** What stands for a match has the span of the match's last character. */
function replace(section: Section): Normalizer {
  const find = readFinder(section);
  const content = section.text('content');
  return (text) => {
    const edit = new TextEdit(text);
    for (const [from, to] of find(text.text)) {
      if (to > from) edit.replace(from, to, content, lastCharacter(text.text, from, to), to);
    }
    return edit.finish();
  };
}

function lastCharacter(text: string, from: number, to: number): number {
  return to - from > 1 && characterAt(text, to - 2).length === 2 ? to - 2 : to - 1;
}

/** The controls and spaces that the NMT normalization of SentencePiece drops or makes spaces of. */
function nmt(character: string): string | undefined {
  const code = character.codePointAt(0)!;
  const isPlain = /[\t\n\f\r]/.test(character);
  if (!isPlain && code > 0 && (code < 0x20 || code === 0x7f || code === 0x8f || code === 0x9f)) return '';
  return isPlain || /[\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/.test(character) ? ' ' : undefined;
}
