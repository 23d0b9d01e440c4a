import { characterAt } from './alignedText';
import { fromOniguruma } from './oniguruma';
import type { Section } from './section';

/** Finds parts of a text: [start, end) of each match, in order and apart. */
export type Finder = (text: string) => readonly (readonly [number, number])[];

/** What becomes of the matches that a text is split at. */
export type SplitBehavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

const behaviors: readonly SplitBehavior[] = [
  'Removed',
  'Isolated',
  'MergedWithPrevious',
  'MergedWithNext',
  'Contiguous',
];

export function readBehavior(section: Section, absent?: SplitBehavior): SplitBehavior {
  const text = section.text('behavior', absent);
  const found = behaviors.find((one) => one.toLowerCase() === text.toLowerCase().replaceAll('_', ''));
  if (found) return found;
  throw section.wrong('behavior', `one of ${behaviors.join(', ')}`);
}

/** The pattern of a `Split` or `Replace`: `{ "String": ... }` or `{ "Regex": ... }`. */
export function readFinder(section: Section): Finder {
  const pattern = section.object('pattern');
  if (pattern.has('String')) return textFinder(pattern.text('String'));
  return patternFinder(pattern.text('Regex'), (message) =>
    pattern.failure('Regex', `The regular expression cannot be used: ${message}.`, 'unsupported-format'),
  );
}

function patternFinder(pattern: string, failure: (message: string) => Error): Finder {
  let compiled: RegExp;
  try {
    compiled = fromOniguruma(pattern);
  } catch (error) {
    throw failure(error instanceof Error ? error.message : String(error));
  }
  return regexFinder(compiled);
}

/** All matches of an expression with the flag `g`. */
export function regexFinder(pattern: RegExp): Finder {
  return (text) => Array.from(text.matchAll(pattern), ({ 0: found, index }) => [index, index + found.length] as const);
}

export function textFinder(wanted: string): Finder {
  return (text) => {
    const found: [number, number][] = [];
    if (wanted === '') return found;
    for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
      found.push([at, at + wanted.length]);
    }
    return found;
  };
}

/** Each character (code point) of a kind is a match. */
export function characterFinder(isMatch: (character: string) => boolean): Finder {
  const known = new Map<string, boolean>();
  return (text) => {
    const found: [number, number][] = [];
    for (let at = 0; at < text.length; ) {
      const character = characterAt(text, at);
      let matches = known.get(character);
      if (matches === undefined) {
        matches = isMatch(character);
        known.set(character, matches);
      }
      if (matches) found.push([at, at + character.length]);
      at += character.length;
    }
    return found;
  };
}

/** [start, end) of the parts of a text after splitting; `invert` takes what lies between matches for the matches. */
export function splitSpans(text: string, find: Finder, behavior: SplitBehavior, invert = false): [number, number][] {
  const parts: { from: number; to: number; isMatch: boolean }[] = [];
  let done = 0;
  for (const [from, to] of find(text)) {
    if (from > done) parts.push({ from: done, to: from, isMatch: invert });
    parts.push({ from, to, isMatch: !invert });
    done = to;
  }
  if (done < text.length) parts.push({ from: done, to: text.length, isMatch: invert });
  const spans: [number, number][] = [];
  const isNext = behavior === 'MergedWithNext';
  let previous = false;
  for (const { from, to, isMatch } of isNext ? parts.reverse() : parts) {
    const last = spans.at(-1);
    const joins =
      last !== undefined &&
      (behavior === 'Contiguous' ? isMatch === previous : behavior.startsWith('Merged') && isMatch && !previous);
    previous = isMatch;
    if (behavior === 'Removed' && isMatch) continue;
    if (joins && isNext) last[0] = from;
    else if (joins) last[1] = to;
    else spans.push([from, to]);
  }
  if (isNext) spans.reverse();
  return spans.filter(([from, to]) => from < to);
}
