import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openTokenizer } from '../../../../src/formats/tokenizer/tokenizer';
import { WhenceError } from '../../../../src/protocol/errors';
import { randomNumbers } from '../../../support/random';
import { failureOf, sourceOf } from '../files';

const folder = fileURLToPath(new URL('../../../fixtures/tokenizers/', import.meta.url));
const names = readdirSync(`${folder}golden`).map((name) => name.replace('.json', ''));
const textOf = (name: string) => readFileSync(`${folder}${name}.json`, 'utf8');
const path = '/run/tokenizer.json';
const openText = (text: string) => openTokenizer(sourceOf(text, path));

type Json = Record<string, unknown>;
const word = { type: 'WordLevel', vocab: { a: 0, '<unk>': 1 }, unk_token: '<unk>' };
const open = (parts: Json) => openText(JSON.stringify({ model: word, ...parts }));

describe('says what is wrong, in which file and where', () => {
  test.each<[string, Json, string, string]>([
    ['no model', { model: null }, 'model', 'it has no model'],
    ['a model of another type', { model: 5 }, 'model', 'has 5 where an object should stand'],
    ['an unknown model', { model: { type: 'Future', vocab: {} } }, 'model.type', 'model Future is not known'],
    ['an unknown normalizer', { normalizer: { type: 'constructor' } }, 'normalizer.type', 'normalizer constructor'],
    [
      'an unknown part of a sequence',
      { pre_tokenizer: { type: 'Sequence', pretokenizers: [{ type: 'Digits' }, { type: 'UnicodeScripts' }] } },
      'pre_tokenizer.pretokenizers[1].type',
      'pre-tokenizer UnicodeScripts is not known',
    ],
    ['an id that is none', { model: { ...word, vocab: { a: -1 } } }, 'model.vocab.a', 'has -1 where an id'],
    ['no vocabulary', { model: { ...word, vocab: {} } }, 'model.vocab', 'empty'],
    [
      'a merge of unknown tokens',
      { model: { type: 'BPE', vocab: { a: 0 }, merges: ['a b'] } },
      'model.merges[0]',
      'lacks "b"',
    ],
    [
      'a merge of one',
      { model: { type: 'BPE', vocab: { a: 0 }, merges: ['a'] } },
      'model.merges[0]',
      'a pair of tokens',
    ],
    [
      'a piece without a score',
      { model: { type: 'Unigram', vocab: [['a', 0], ['b']] } },
      'model.vocab[1]',
      'a piece with its score',
    ],
    [
      'an unknown piece out of range',
      { model: { type: 'Unigram', vocab: [['a', 0]], unk_id: 7 } },
      'model.unk_id',
      '7',
    ],
    [
      'an expression that takes forever',
      { pre_tokenizer: { type: 'Split', pattern: { Regex: '(a+)+$' }, behavior: 'Isolated' } },
      'pre_tokenizer.pattern.Regex',
      'exponential time',
    ],
    [
      'an expression that JavaScript lacks',
      { normalizer: { type: 'Replace', pattern: { Regex: '\\X' }, content: '' } },
      'normalizer.pattern.Regex',
      '\\X is not understood',
    ],
    [
      'a behaviour that is none',
      { pre_tokenizer: { type: 'Split', pattern: { String: 'a' }, behavior: 'Shredded' } },
      'pre_tokenizer.behavior',
      'Shredded',
    ],
    [
      'a table that is none',
      { normalizer: { type: 'Precompiled', precompiled_charsmap: '????' } },
      'normalizer.precompiled_charsmap',
      'base64',
    ],
    [
      'a table that is cut',
      { normalizer: { type: 'Precompiled', precompiled_charsmap: 'AAAA/w==' } },
      'normalizer.precompiled_charsmap',
      'base64',
    ],
    ['an added token without text', { added_tokens: [{ id: 1 }] }, 'added_tokens[0].content', 'nothing'],
    [
      'a template with a token that it does not describe',
      {
        post_processor: { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '[X]' } }], special_tokens: {} },
      },
      'post_processor.single[0].SpecialToken.id',
      '[X]',
    ],
  ])('%s', async (_, parts, place, reason) => {
    const error = await failureOf(open(parts));
    expect(error.message).toContain(reason);
    expect(error.details).toMatchObject({ file: path, place });
    expect(error.details.mend).toBeTruthy();
  });

  test('parts nested a thousand deep', async () => {
    const nested = (depth: number): Json =>
      depth === 0 ? { type: 'NFC' } : { type: 'Sequence', normalizers: [nested(depth - 1)] };
    expect((await failureOf(open({ normalizer: nested(1000) }))).message).toContain('nested more than');
    expect((await failureOf(openText(`${'['.repeat(1e6)}${']'.repeat(1e6)}`))).code).toBe('malformed-file');
  });

  test('a word that nothing stands for', async () => {
    const tokenizer = await open({ model: { ...word, unk_token: '[UNK]' } });
    expect(() => tokenizer.encode('zzz')).toThrow('no token "[UNK]"');
    expect(tokenizer.encode('a').ids).toEqual([0]);
  });
});

describe.each(names)('%s', (name) => {
  test('cut anywhere is refused', async () => {
    const text = textOf(name);
    for (let part = 0; part < 40; part++) {
      const length = part < 20 ? part : Math.floor((text.length * (part - 19)) / 21);
      const error = await failureOf(openText(text.slice(0, length)));
      expect(error).toMatchObject({ code: 'malformed-file', details: { file: path } });
    }
  });

  test('with values of other types either still tokenizes or is refused in its own words', async () => {
    const uniform = randomNumbers(names.indexOf(name));
    const random = () => (uniform() + 1) / 2;
    const junk = [null, -1, 1e300, 0.5, true, 'x', '', [], {}, [[]], 'a'.repeat(1000)];
    let refused = 0;
    for (let round = 0; round < 60; round++) {
      const root = JSON.parse(textOf(name)) as Json;
      mutate(root, random, junk);
      try {
        const tokenizer = await openText(JSON.stringify(root));
        tokenizer.encode('The licence, 12 <|endoftext|> 许可 😀!');
      } catch (error) {
        if (!(error instanceof WhenceError)) throw error;
        expect(error.details.file).toBe(path);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(5);
  });
});

/** Another value somewhere, deep or not; vocabularies are left but for one entry, which would hide all else. */
function mutate(value: Json | unknown[], random: () => number, junk: readonly unknown[]): void {
  const keys = Object.keys(value);
  const key = keys[Math.floor(random() * keys.length)];
  if (key === undefined) return;
  const own = value as Json;
  const inner = own[key];
  if (typeof inner === 'object' && inner !== null && Object.keys(inner).length > 0 && random() < 0.8) {
    mutate(inner as Json, random, junk);
  } else own[key] = junk[Math.floor(random() * junk.length)];
}
