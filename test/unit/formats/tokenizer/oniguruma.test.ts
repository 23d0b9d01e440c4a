import { describe, expect, test } from 'vitest';
import { fromOniguruma } from '../../../../src/formats/tokenizer/oniguruma';

/** What Oniguruma itself matches is in the golden files (`quirks`, `gpt4`, `o200k`); here is each construct by itself. */

const matches = (pattern: string, text: string) =>
  Array.from(text.matchAll(fromOniguruma(pattern)), ([found]) => found);

test.each([
  ['a possessive part gives nothing back', 'a++ab|b', 'aaab', ['b']],
  ['an atomic group gives nothing back', '(?>a|ab)c|b', 'abc', ['b']],
  ['an interval with a plus repeats it', '\\d{1,3}+', '12345', ['12345']],
  ['an interval may lack its beginning', 'a{,2}b', 'aaab', ['aab']],
  ['a dot stops at line feeds alone', '.+', 'a\rb\nc', ['a\rb', 'c']],
  ['anchors are those of lines', '^a$', 'a\nb\na', ['a', 'a']],
  ['anchors of the whole text', '\\Aa|a\\z', 'aba', ['a', 'a']],
  ['case does not count in a group', "'(?i:S|ll)", "'s 'LL 'x", ["'s", "'LL"]],
  ['case does not count from an option on', 'a(?i)b|c', 'aB aC', ['aB', 'aC']],
  ['the long s is an s', '(?i:s)', 'ſ', ['ſ']],
  ['classes hold classes and their intersections', '[a-z&&[^aeiou]]+', 'abcde', ['bcd']],
  ['POSIX classes', '[[:digit:][:space:]]+', 'a1 2b', ['1 2']],
  ['a hyphen at the end of a class is one', '[a-]+', 'a-b', ['a-']],
  ['a bracket at the beginning of a class is one', '[]a]+', 'a]b', ['a]']],
  ['properties by short and long names, and inverted', '\\p{Lu}\\p{greek}\\p{^L}', 'Aα1', ['Aα1']],
  ['code points', '\\x41\\x{1F600}\\u0042', 'A😀B', ['A😀B']],
  ['comments and named groups', '(?#no)(?<x>a)b', 'ab', ['ab']],
  ['characters that JavaScript would take for syntax', '&&~~!!', '&&~~!!', ['&&~~!!']],
])('%s', (_, pattern, text, expected) => {
  expect(matches(pattern, text)).toEqual(expected);
});

describe('refuses, with the reason', () => {
  test.each([
    ['(a', 'closing parenthesis is missing'],
    ['a)', 'parenthesis too many'],
    ['(?<!a', 'parenthesis'],
    ['*a', 'nothing can be repeated'],
    ['a\\', 'ends where more should follow'],
    ['[a', 'ends where more should follow'],
    ['\\p{Klingon}', '\\p{Klingon} is no property'],
    ['[[:klingon:]]', 'is no class'],
    ['\\1', '\\1 is not understood'],
    ['\\g<x>', '\\g is not understood'],
    ['\\X', '\\X is not understood'],
    ['(?~a)', '(?~a is not understood'],
    ['(?x)a b', '(?x)'],
    ['(a+)+b', 'exponential'],
    ['(?:a|b*)*c', 'exponential'],
    ['((a{1,5}){2,})*', 'exponential'],
    [`${'('.repeat(200)}a${')'.repeat(200)}`, 'nested too deep'],
    [`${'['.repeat(200)}a${']'.repeat(200)}`, 'nested too deep'],
    ['a'.repeat(30_000), 'longer than'],
  ])('%s', (pattern, reason) => {
    expect(() => fromOniguruma(pattern)).toThrow(reason);
  });
});
