import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readModelCard } from '../../../../src/engine/workspace/modelCard';
import { nodeFiles } from '../../../../src/worker/nodeFiles';

let folder: string;
let beside: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-card-'));
  beside = join(folder, 'checkpoint-10');
  mkdirSync(beside);
});
afterEach(() => rmSync(folder, { recursive: true }));

const read = () => readModelCard(beside, folder, nodeFiles());
const write = (content: unknown, to = beside) => writeFileSync(join(to, 'config.json'), JSON.stringify(content));

test.each([
  ['GPT2LMHeadModel', {}, 'next-token'],
  ['LlamaForCausalLM', {}, 'next-token'],
  ['BertForSequenceClassification', {}, 'cross-entropy'],
  ['BertForSequenceClassification', { problem_type: 'regression' }, 'squared-error'],
  ['BertForSequenceClassification', { problem_type: 'multi_label_classification' }, undefined],
  ['BertForTokenClassification', {}, 'cross-entropy'],
  ['T5ForConditionalGeneration', {}, undefined],
])('%s with %j has the loss %s', async (architecture, settings, loss) => {
  write({ architectures: [architecture], ...settings });
  expect((await read())?.loss).toBe(loss);
});

test('classes are those that somebody named, in the order of their numbers', async () => {
  const architectures = ['ViTForImageClassification'];
  write({ architectures, id2label: { 10: 'k', 0: 'a', 1: 'b', 2: 'c' } });
  expect((await read())?.classes).toBeUndefined();
  write({ architectures, id2label: { 2: 'c', 0: 'a', 1: 'b' } });
  expect((await read())?.classes).toEqual(['a', 'b', 'c']);
  write({ architectures, id2label: { 0: 'LABEL_0', 1: 'LABEL_1' } });
  expect((await read())?.classes).toBeUndefined();
});

test('the one beside the checkpoint comes first, the one of the run is taken else, and what is none is none', async () => {
  expect(await read()).toBeUndefined();
  write({ architectures: ['GPT2LMHeadModel'] }, folder);
  expect(await read()).toMatchObject({ file: join(folder, 'config.json'), loss: 'next-token' });
  write({ architectures: ['BertForTokenClassification'] });
  expect(await read()).toMatchObject({ file: join(beside, 'config.json'), loss: 'cross-entropy' });
  writeFileSync(join(beside, 'config.json'), '{ not JSON');
  expect(await read()).toMatchObject({ file: join(folder, 'config.json') });
  write({ learning_rate: 3 });
  expect(await read()).toMatchObject({ file: join(folder, 'config.json') });
});
