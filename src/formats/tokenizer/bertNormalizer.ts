import { remembered } from './alignedText';
import { ideograph, markNonspacing, whitespace } from './characters';
import { inTurn, lowercase, type Normalizer, stripMarks } from './normalizer';
import type { Section } from './section';
import { unicodeForm } from './unicodeForm';

const control = /^[\p{Cc}\p{Cf}\p{Cn}\p{Co}]$/u;

/** BERT's cleaning: no controls, plain spaces, ideographs apart, no accents where lower case is wanted. */
export function bertNormalizer(section: Section): Normalizer {
  const isLower = section.truth('lowercase', true);
  const parts: Normalizer[] = [];
  if (section.truth('clean_text', true)) parts.push(characterwise(clean));
  if (section.truth('handle_chinese_chars', true)) {
    parts.push(characterwise((one) => (ideograph.test(one) ? ` ${one} ` : undefined)));
  }
  if (section.has('strip_accents') ? section.truth('strip_accents') : isLower) {
    parts.push(unicodeForm('NFD'), stripMarks(markNonspacing));
  }
  if (isLower) parts.push(lowercase);
  return inTurn(parts);
}

function characterwise(change: (character: string) => string | undefined): Normalizer {
  const map = remembered(change);
  return (text) => text.mapCharacters(map);
}

function clean(character: string): string | undefined {
  if (character === '\t' || character === '\n' || character === '\r') return ' ';
  if (character === '\0' || character === '\ufffd' || control.test(character)) return '';
  return whitespace.test(character) ? ' ' : undefined;
}
