import { type CharacterMap, remembered } from './alignedText';

/** Character classes of the tokenizers library, which follow Unicode; JavaScript's own \s and \w do not. */
export const whitespace = /^\p{White_Space}$/u;
export const markNonspacing = /^\p{Mn}$/u;
export const mark = /^\p{M}$/u;
export const numeric = /^\p{N}$/u;
/** ASCII's symbols count as punctuation. */
export const punctuation = /^[\p{P}!-/:-@[-`{-~]$/u;
export const ideograph =
  /^[\u4e00-\u9fff\u3400-\u4dbf\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\uf900-\ufaff\u{2f800}-\u{2fa1f}]$/u;

/** The inside of a class for \w. */
export const wordClass = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';

/** The visible character that stands for each byte in byte-level vocabularies (GPT-2's table). */
export const byteCharacters: readonly string[] = (() => {
  let next = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isVisible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    return String.fromCharCode(isVisible ? byte : next++);
  });
})();

const encoder = new TextEncoder();

/** A character's bytes as those characters. */
export const asBytes: CharacterMap = remembered((character) =>
  Array.from(encoder.encode(character), (byte) => byteCharacters[byte]!).join(''),
);

/** How byte-fallback vocabularies spell the bytes of a text: `<0xE2>`. */
export function bytePieces(text: string): string[] {
  return Array.from(encoder.encode(text), (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
}
