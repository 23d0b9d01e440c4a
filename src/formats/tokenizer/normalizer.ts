import type { AlignedText } from './alignedText';

/** Changes a text before it is split. */
export type Normalizer = (text: AlignedText) => AlignedText;

/** Letter by letter, as Rust does: a sigma at the end of a word is one like any other. */
export const lowercase: Normalizer = (text) =>
  text.text.toLowerCase() === text.text ? text : text.mapCharacters((character) => character.toLowerCase());

export function stripMarks(marks: RegExp): Normalizer {
  return (text) => text.mapCharacters((character) => (marks.test(character) ? '' : undefined));
}

export function inTurn(parts: readonly Normalizer[]): Normalizer {
  return (text) => parts.reduce((done, part) => part(done), text);
}
