import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import type { Dataset } from '../../../src/formats/dataset';
import { openCsvDataset } from '../../../src/formats/datasets/csv';
import { openJsonlDataset } from '../../../src/formats/datasets/jsonl';
import { openTextDataset } from '../../../src/formats/datasets/textFile';
import { readTensor } from '../../../src/formats/tensor';
import { tokenizedDataset } from '../../../src/formats/tokenized';
import type { TokenizerConfig } from '../../../src/formats/tokenizer/config';
import { openTokenizer } from '../../../src/formats/tokenizer/tokenizer';
import { failureOf, sourceOf } from './files';

const fixtures = fileURLToPath(new URL('../../fixtures/', import.meta.url));
const file = (name: string) => sourceOf(new Uint8Array(readFileSync(`${fixtures}${name}`)), `${fixtures}${name}`);
const bert = await openTokenizer(file('tokenizers/bert-cased.json'));
const gpt2 = await openTokenizer(file('tokenizers/gpt2.json'));

const lines =
  '{"text": "The licence", "label": "b"}\n\n{"text": "a", "label": "a"}\n{"text": "of the Program", "label": "b"}\n';
const jsonl = (text = lines) => openJsonlDataset(sourceOf(text, '/run/train.jsonl'));
const withBert = async (dataset: Dataset, config: Omit<TokenizerConfig, 'file'> = {}) =>
  tokenizedDataset(dataset, { tokenizer: bert, config: { file: 'tokenizer.json', ...config } });

/** The tokens of each example, without what fills it up. */
function rowsOf({ arrays }: Dataset): number[][] {
  const [{ values, lengths, dims }] = arrays as [NonNullable<Dataset['arrays']>[number]];
  const width = dims[0]!;
  return Array.from({ length: values.length / width }, (_, row) =>
    Array.from(values.subarray(row * width, row * width + (lengths?.[row] ?? width))),
  );
}

describe('texts of records', () => {
  test('become the ids of the tokenizer, filled up with its padding token', async () => {
    const dataset = await withBert(await jsonl());
    const expected = ['The licence', 'a', 'of the Program'].map((text) => [...bert.encode(text).ids]);
    expect(rowsOf(dataset)).toEqual(expected);
    expect(dataset.arrays![0]).toMatchObject({
      name: 'input_ids',
      dims: [Math.max(...expected.map((row) => row.length))],
    });
    const { inputs } = await dataset.batch([1]);
    expect(Array.from(inputs.subarray(expected[1]!.length))).toEqual(
      new Array(inputs.length - expected[1]!.length).fill(0),
    );
    expect(dataset.classes).toEqual(['a', 'b']);
    expect([...dataset.labels]).toEqual([1, 0, 1]);
    expect(dataset.locate(1)).toMatchObject({ line: 3 });
    expect(await dataset.preview(0)).toEqual({
      kind: 'text',
      text: 'The licence',
      tokens: bert.encode('The licence').spans.filter(([from, to]) => to > from),
    });
  });

  test('are cut at either end, closed by a token and filled to a length', async () => {
    const cut = rowsOf(await withBert(await jsonl(), { maxLength: 4 }));
    const own = bert.encode('of the Program', { addsSpecial: false }).ids;
    expect(cut[2]).toEqual([bert.idOf('[CLS]'), ...own.slice(0, 2), bert.idOf('[SEP]')]);
    const left = rowsOf(await withBert(await jsonl(), { maxLength: 4, truncation: 'left' }));
    expect(left[2]).toEqual([bert.idOf('[CLS]'), ...own.slice(-2), bert.idOf('[SEP]')]);
    const plain = rowsOf(await withBert(await jsonl(), { maxLength: 3, addSpecialTokens: false, endToken: '[MASK]' }));
    expect(plain[2]).toEqual([...own.slice(0, 2), bert.idOf('[MASK]')]);
    const filled = await withBert(await jsonl(), { padding: 'max', maxLength: 9 });
    expect(filled.featureDims).toEqual([9]);
    // The file itself says 24 and no call does otherwise.
    expect((await withBert(await jsonl(), { padding: 'max' })).featureDims).toEqual([24]);
  });

  test('are told from numbers by their names and by what the first record holds', async () => {
    expect((await jsonl('{"id": 1, "content": "a b", "y": 0}')).texts).toBeDefined();
    expect((await jsonl('{"anything": "a b", "y": 0}')).texts).toBeDefined();
    expect((await jsonl('{"text": "a b", "input_ids": [1, 2]}')).texts).toBeUndefined();
    const named = await openJsonlDataset(sourceOf('{"text": "no", "code": "a b"}'), { features: 'code' });
    expect(await named.texts!.read(0, 1)).toEqual(['a b']);
    const csv = await openCsvDataset(sourceOf('sentence,label\n"a, ""b""\nc",x\nd,y\n', '/run/train.csv'));
    expect(await csv.texts!.read(0, 2)).toEqual(['a, "b"\nc', 'd']);
    expect([...csv.labels]).toEqual([0, 1]);
    expect((await openCsvDataset(sourceOf('text,y\n1.5,0\n'))).texts).toBeUndefined();
  });

  test('name the record where there is no text, and the token that there is not', async () => {
    const broken = await withBert(await jsonl('{"text": "a"}\n{"text": 5}')).catch((error: unknown) => error);
    expect(broken).toMatchObject({
      code: 'malformed-file',
      details: { file: '/run/train.jsonl', place: 'line 2, key text' },
    });
    expect(await failureOf(withBert(await jsonl(), { endToken: '<none>' }))).toMatchObject({ code: 'config-invalid' });
    expect((await failureOf((await jsonl()).batch([0]))).details.mend).toContain('tokenizer.json');
    expect(await failureOf(withBert(await jsonl('{"text": ""}'), { addSpecialTokens: false }))).toMatchObject({
      code: 'empty-data',
    });
  });
});

describe('plain texts', () => {
  const source = (text: string) => sourceOf(text, '/run/train.txt');

  test('are lines, blank ones left out', async () => {
    const dataset = await openTextDataset(source('a b\r\n\n  c\n'));
    expect(dataset.length).toBe(2);
    expect(await dataset.texts!.read(0, 2)).toEqual(['a b', '  c']);
    expect([1, 2, 3].map((line) => dataset.indexAtLine!(line))).toEqual([0, undefined, 1]);
    expect(await failureOf(openTextDataset(source(' \n')))).toMatchObject({ code: 'empty-data' });
  });

  test('are blocks of the tokens of the whole file', async () => {
    const text = 'The licence\napplies 许可 to\n\nthe Program as a whole.';
    const raw = await openTextDataset(source(text), { examples: 'blocks', blockLength: 5 });
    const dataset = await tokenizedDataset(raw, { tokenizer: gpt2, config: { file: 'tokenizer.json' } });
    const { ids } = gpt2.encode(text);
    expect(rowsOf(dataset)).toEqual(
      Array.from({ length: Math.floor(ids.length / 5) }, (_, block) => ids.slice(5 * block, 5 * block + 5)),
    );
    const bytes = new TextEncoder().encode(text);
    for (let index = 0; index < dataset.length; index++) {
      const { byte = 0, endByte = 0, line } = dataset.locate(index);
      const shown = await dataset.preview(index);
      expect(shown).toMatchObject({ text: new TextDecoder().decode(bytes.subarray(byte, endByte)) });
      expect(line).toBe(new TextDecoder().decode(bytes.subarray(0, byte)).split('\n').length);
    }
    const long = await openTextDataset(source(text), { examples: 'blocks', blockLength: 5000 });
    const failure = await failureOf(tokenizedDataset(long, { tokenizer: gpt2, config: { file: 'tokenizer.json' } }));
    expect(failure).toMatchObject({ code: 'empty-data', details: { mend: expect.stringContaining('blockLength') } });
  });

  test.each([
    ['with', true],
    ['without', false],
  ])('are blocks of lines %s line breaks as `datasets` cuts them', async (name, lineBreaks) => {
    const raw = await openTextDataset(file('texts/grouped/text.txt'), {
      examples: 'blocks-of-lines',
      blockLength: 64,
      lineBreaks,
    });
    const tokenizer = await openTokenizer(file('texts/grouped/tokenizer.json'));
    const dataset = await tokenizedDataset(raw, { tokenizer, config: { file: 'tokenizer.json' } });
    const { tensors } = await readSafetensors(file(`texts/grouped/${name}-breaks.safetensors`));
    const golden = await readTensor(tensors.get('blocks')!);
    expect(rowsOf(dataset).flat()).toEqual(Array.from(golden.data, Number));
    const last = dataset.length - 1;
    const shown = await dataset.preview(last);
    const { line } = dataset.locate(last);
    const text = readFileSync(`${fixtures}texts/grouped/text.txt`, 'utf8').split('\n');
    if (shown.kind !== 'text') throw new Error('a text has another preview');
    expect(text[line! - 1]).toContain(shown.text.split('\n')[0]!.slice(0, 5));
  });
});
