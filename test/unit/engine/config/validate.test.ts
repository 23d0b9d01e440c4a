import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { validateConfig } from '../../../../src/engine/config/validate';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { fixtures } from '../../formats/files';

const good = {
  model: 'model.onnx',
  checkpoints: 'step-*.safetensors',
  log: 'log.csv',
  data: { train: { format: 'csv', file: 'train.csv' }, test: { format: 'csv', file: 'test.csv' } },
  optimizer: { kind: 'sgd' },
};
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-validate-'));
  for (const [from, to] of [
    ['mlp.legacy.onnx', 'model.onnx'],
    ['mlp.safetensors', 'step-10.safetensors'],
  ] as const) {
    cpSync(join(fixtures, from), join(folder, to));
  }
  writeFileSync(join(folder, 'log.csv'), 'step,lr\n1,0.1\n');
  for (const name of ['train.csv', 'test.csv'])
    writeFileSync(join(folder, name), 'a,b,c,d,e,f,label\n1,2,3,4,5,6,cat\n1,2,3,4,5,6,dog\n');
});
afterEach(() => rmSync(folder, { recursive: true }));

async function validate(change: object = {}) {
  const text = JSON.stringify({ ...good, ...change }, undefined, 1);
  const problems = await validateConfig(join(folder, 'whence.json'), text, nodeFiles());
  return problems.map((problem) => {
    expect(problem.file).toBe(join(folder, 'whence.json'));
    const { offset, length } = problem.range!;
    return { ...problem, at: text.slice(offset, offset + length).replace(/\s+/g, ' ') };
  });
}

describe('validateConfig', () => {
  test('finds nothing wrong with a sound run', async () => {
    expect(await validate()).toEqual([]);
  });

  test('checks labels against the loss however it is written', async () => {
    writeFileSync(join(folder, 'test.csv'), 'a,b,c,d,e,f,label\n1,2,3,4,5,6,7\n1,2,3,4,5,6,99\n');
    for (const loss of ['cross-entropy', { kind: 'cross-entropy', labelSmoothing: 0.1 }, 'binary-cross-entropy']) {
      const data = { ...good.data, train: { format: 'csv', file: 'test.csv' } };
      const problems = await validate({ loss, data });
      expect(problems.length).toBeGreaterThan(0);
      expect(problems[0]!.message).toMatch(/has the label/);
    }
  });

  test('asks for a learning rate where no log, checkpoint or constant tells it', async () => {
    const [problem, ...rest] = await validate({ log: undefined });
    expect(rest).toEqual([]);
    expect(problem).toMatchObject({ severity: 'error', at: '{ "kind": "sgd" }' });
    expect(problem!.message).toContain('The learning rate is known from no log, no checkpoint and no constant.');
    expect(await validate({ log: undefined, optimizer: { kind: 'sgd', learningRate: 0.1 } })).toEqual([]);
  });

  test('gives the problems of the text alone where no file can be looked for', async () => {
    expect(await validate({ model: 3, log: 'gone.csv' })).toMatchObject([{ at: '3' }]);
  });

  test.each([
    [{ model: 'gone.onnx' }, '"gone.onnx"', 'gone.onnx'],
    [{ model: 'log.csv' }, '"log.csv"', 'log.csv'],
    [{ checkpoints: 'epoch-*.safetensors' }, '"epoch-*.safetensors"', 'No checkpoint matches'],
    [{ checkpoints: ['step-10.safetensors', 'step-20.safetensors'] }, '"step-20.safetensors"', 'step-20.safetensors'],
    [{ log: 'gone.csv' }, '"gone.csv"', 'gone.csv'],
    [{ loss: { kind: 'custom', model: 'gone.onnx' } }, '"gone.onnx"', 'gone.onnx'],
    [{ loss: { kind: 'custom', model: 'log.csv' } }, '"log.csv"', 'log.csv'],
    [{ loss: { kind: 'custom' } }, '{ "kind": "custom" }', 'A custom loss needs its graph'],
    [{ log: 'train.csv' }, '"train.csv"', 'A training log has the columns'],
    [{ data: { ...good.data, test: { format: 'csv', file: 'gone.csv' } } }, '"gone.csv"', 'gone.csv'],
    [
      { data: { ...good.data, test: { format: 'csv', file: 'test.csv', label: 'x' } } },
      '{ "format": "csv", "file": "test.csv", "label": "x" }',
      'There is no column "x"',
    ],
    [{ classes: ['cat', 'cow'] }, '{ "format": "csv", "file": "train.csv" }', 'The label "dog" is none of the classes'],
    [
      { classes: ['a', 'b', 'c', 'cat', 'dog'] },
      '{ "format": "csv", "file": "train.csv" }',
      'the label 3, but the model has the classes 0 to 2',
    ],
  ])('%j is marked where it stands', async (change, at, message) => {
    const [problem] = await validate(change);
    expect(problem).toMatchObject({ severity: 'error', at });
    expect(problem!.message).toContain(message);
  });
});
