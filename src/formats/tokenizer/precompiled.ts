import { TextEdit } from './alignedText';
import type { Normalizer } from './normalizer';
import type { Section } from './section';

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** Longer graphemes are looked up character by character, as the library does. */
const longestGrapheme = 6;

/**
 * SentencePiece's table of replacements: a double-array trie over UTF-8 bytes (Darts), whose values are offsets of
 * NUL-terminated texts.
 */
export function precompiledNormalizer(section: Section): Normalizer {
  const table = rememberedTable(readTable(section));
  const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
  const isPlain = Array.from({ length: 0x7f - 0x20 }, (_, code) => table(String.fromCharCode(0x20 + code))).every(
    (found) => found === undefined,
  );
  return (text) => {
    if (isPlain && /^[ -~]*$/.test(text.text)) return text;
    const edit = new TextEdit(text);
    for (const { segment, index } of segmenter.segment(text.text)) {
      const found = isShort(segment) ? table(segment) : undefined;
      if (found !== undefined) {
        replace(edit, segment, index, found);
        continue;
      }
      let from = index;
      for (const character of segment) {
        const own = table(character);
        if (own !== undefined) replace(edit, character, from, own);
        from += character.length;
      }
    }
    return edit.finish();
  };
}

function isShort(segment: string): boolean {
  return segment.length < longestGrapheme && encoder.encode(segment).length < longestGrapheme;
}

/** The same table, which looks up each text once. */
function rememberedTable(table: (text: string) => string | undefined): (text: string) => string | undefined {
  const known = new Map<string, string | undefined>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined || known.has(text)) return found;
    const own = table(text);
    known.set(text, own);
    return own;
  };
}

/** Characters go one for one; what there is more of has the span of the last. */
function replace(edit: TextEdit, old: string, from: number, next: string): void {
  const olds = [...old];
  edit.replace(from, from + old.length, '', from, from + 1);
  let at = from;
  [...next].forEach((character, index) => {
    if (index > 0 && index < olds.length) at += olds[index - 1]!.length;
    edit.put(character, at, at + olds[Math.min(index, olds.length - 1)]!.length);
  });
}

/** What stands for a text, by its shortest beginning that the trie holds. */
function readTable(section: Section): (text: string) => string | undefined {
  const key = 'precompiled_charsmap';
  const bytes = fromBase64(section.text(key));
  const view = bytes && new DataView(bytes.buffer);
  const trieBytes = view && bytes.length >= 4 ? view.getUint32(0, true) : -1;
  if (!view || trieBytes < 4 || trieBytes % 4 !== 0 || 4 + trieBytes > bytes.length) {
    throw section.wrong(key, 'a table of SentencePiece in base64');
  }
  const units = Uint32Array.from({ length: trieBytes / 4 }, (_, unit) => view.getUint32(4 + 4 * unit, true));
  const texts = bytes.subarray(4 + trieBytes);
  const offset = (unit: number) => (unit >>> 10) << ((unit & 0x200) >>> 6);
  return (text) => {
    let node = offset(units[0]!);
    for (const byte of encoder.encode(text)) {
      if (byte === 0) return undefined;
      node ^= byte;
      const unit = units[node];
      if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
      node ^= offset(unit);
      if ((unit & 0x100) === 0) continue;
      const start = (units[node] ?? 0) & 0x7fffffff;
      const end = texts.indexOf(0, start);
      return decoder.decode(texts.subarray(start, end < 0 ? undefined : end));
    }
    return undefined;
  };
}

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  const digits = text.replace(/=+$/, '');
  const bytes = new Uint8Array(Math.floor((digits.length * 3) / 4));
  let bits = 0;
  let held = 0;
  let length = 0;
  for (const digit of digits) {
    const value = alphabet.indexOf(digit);
    if (value < 0) return undefined;
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    bytes[length++] = (bits >> held) & 0xff;
  }
  return bytes;
}
