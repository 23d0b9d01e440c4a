import { type AlignedText, remembered } from './alignedText';

/** Changes a text before it is split. */
export type Normalizer = (text: AlignedText) => AlignedText;

/** Letter by letter, as Rust does: a sigma at the end of a word is one like any other. */
export const lowercase: Normalizer = (text) =>
  text.text.toLowerCase() === text.text ? text : text.mapCharacters(lower);

const lower = remembered((character) => character.toLowerCase());

export function stripMarks(marks: RegExp): Normalizer {
  const change = remembered((character) => (marks.test(character) ? '' : undefined));
  return (text) => text.mapCharacters(change);
}

export function inTurn(parts: readonly Normalizer[]): Normalizer {
  return (text) => parts.reduce((done, part) => part(done), text);
}
