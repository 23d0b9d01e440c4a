import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { asBytes } from '../../../../src/formats/tokenizer/characters';
import { openTokenizer } from '../../../../src/formats/tokenizer/tokenizer';
import { randomNumbers } from '../../../support/random';
import { sourceOf } from '../files';

/** Laws that hold for any text, on texts that no golden file has. */

const folder = fileURLToPath(new URL('../../../fixtures/tokenizers/', import.meta.url));
const names = readdirSync(`${folder}golden`).map((name) => name.replace('.json', ''));
const open = (name: string) => openTokenizer(sourceOf(new Uint8Array(readFileSync(`${folder}${name}.json`))));

const pools = [
  'abc the ',
  'ÀÉñß',
  '许可 あア',
  '😀👍🏽\u200d',
  ' \n\t\u00a0',
  "'s't.,!",
  '0123½',
  '\u0301\u0323',
  '<|endoftext|>',
  '\ud83d',
];

function* randomTexts(seed: number, count: number): Generator<string> {
  const uniform = randomNumbers(seed);
  const below = (n: number) => Math.floor(((uniform() + 1) / 2) * n);
  for (let text = 0; text < count; text++) {
    let made = '';
    for (let part = below(12); part >= 0; part--) {
      const pool = pools[below(pools.length)]!;
      made += below(3) === 0 ? pool : [...pool][below([...pool].length)]!.repeat(1 + below(4));
    }
    yield made;
  }
}

describe.each(names)('%s', (name) => {
  test('spans lie in the text in order, ids in the vocabulary, and cutting keeps a beginning or an end', async () => {
    const tokenizer = await open(name);
    for (const text of randomTexts(names.indexOf(name), 150)) {
      const { ids, spans, types } = tokenizer.encode(text, { addsSpecial: false });
      expect([spans.length, types.length]).toEqual([ids.length, ids.length]);
      let last = 0;
      spans.forEach(([from, to], index) => {
        // A space that was put before a word is trimmed off the word's first character, as the library does it.
        if (to > from) expect(from).toBeGreaterThanOrEqual(last);
        if (to > from) last = from;
        expect(to).toBeGreaterThanOrEqual(from);
        expect(to).toBeLessThanOrEqual(text.length);
        expect(tokenizer.tokenText(ids[index]!)).not.toBe('');
      });
      const most = Math.ceil(ids.length / 2);
      const cut = { addsSpecial: false, maxLength: most };
      expect(tokenizer.encode(text, cut).ids).toEqual(ids.slice(0, most));
      expect(tokenizer.encode(text, { ...cut, side: 'left' }).ids).toEqual(ids.slice(ids.length - most));
      // What was remembered of its words makes no difference.
      expect(tokenizer.encode(text, { addsSpecial: false }).ids).toEqual(ids);
    }
  });
});

test.each(['gpt2', 'gpt4', 'llama3', 'o200k', 'deepseek', 'quirks'])(
  '%s: tokens spell all bytes of a text',
  async (name) => {
    const tokenizer = await open(name);
    for (const text of randomTexts(7, 200)) {
      // Half of a surrogate pair has no bytes of its own.
      const whole = text.replace(/\p{Cs}/gu, '');
      const { ids } = tokenizer.encode(whole);
      const spelled = ids.map((id) => tokenizer.tokenText(id)).join('');
      const expected = whole.split('<|endoftext|>').map((part) => [...part].map(asBytes).join(''));
      expect(spelled).toBe(expected.join('<|endoftext|>'));
    }
  },
);
