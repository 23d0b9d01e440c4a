import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../../src/engine/config/config';
import { configKeys } from '../../../../src/engine/config/configKeys';
import { runConfigJsonSchema } from '../../../../src/engine/config/configSchema';

const good = {
  model: 'model.onnx',
  checkpoints: 'checkpoints/step-*.safetensors',
  log: 'training-log.csv',
  data: {
    train: { format: 'idx', images: 'train-images.gz', labels: 'train-labels.gz' },
    test: { format: 'csv', file: 'test.csv', label: 'label' },
  },
  preprocess: { scale: 1 / 255, mean: 0.286, std: [0.353] },
  optimizer: { kind: 'sgd', momentum: 0.9 },
  segments: 3,
};

/** What a problem's range marks in the text. */
function marked(text: string) {
  return parseConfig(text, '/run/whence.json').problems.map(({ severity, message, range, mend }) => ({
    severity,
    message,
    mend,
    at: range && text.slice(range.offset, range.offset + range.length),
  }));
}

const withChange = (change: object) => JSON.stringify({ ...good, ...change });

describe('parseConfig', () => {
  test('gives the configuration of a sound text', () => {
    expect(parseConfig(JSON.stringify(good), '/run/whence.json')).toEqual({ config: good, problems: [] });
  });

  test('takes comments and trailing commas', () => {
    const text = `// a run\n${JSON.stringify(good, undefined, 2).replace('"segments": 3', '"segments": 3, /* L */')}`;
    expect(parseConfig(text, 'whence.json')).toEqual({ config: good, problems: [] });
  });

  test.each([
    [{ model: 3 }, '"model" must be a path in quotes.', '3'],
    [{ model: '' }, '"model" must not be empty.', '""'],
    [{ checkpoints: 'a*/b*' }, '"checkpoints" must have only one *.', '"a*/b*"'],
    [{ checkpoints: [] }, '"checkpoints" must name at least one file.', '[]'],
    [{ data: { train: good.data.train, test: { format: 'hdf5' } } }, '"data.test.format" must be one of', '"hdf5"'],
    [{ data: { test: good.data.test } }, '"data" has no split "train"', '"data"'],
    [{ optimizer: { kind: 'lion' } }, '"optimizer.kind" must be "sgd", "adam" or "adamw"', '"lion"'],
    [{ optimizer: { kind: 'sgd', momentum: 1 } }, '"optimizer.momentum" must be from 0 to below 1.', '1'],
    [{ optimizer: { kind: 'sgd', weightDecay: -1 } }, '"optimizer.weightDecay" must not be negative.', '-1'],
    [{ checkpoints: {} }, '"checkpoints" must be a path with one *, or a list of paths.', '{}'],
    [{ segments: [5, 3] }, '"segments" must be a whole number from 1, or a list of rising steps.', '[5,3]'],
    [{ segments: 0 }, '"segments" must be a whole number', '0'],
    [{ preprocess: { std: 0 } }, '"preprocess.std" must not be 0', '0'],
    [{ preprocess: { standardize: true, mean: 1 } }, '"standardize" and "mean" exclude each other.', '"mean"'],
    [{ classes: ['a', 'b', 'a'] }, 'The class "a" stands here twice.', '"a"'],
    [{ loss: 'mse' }, '"loss" must be one of cross-entropy, next-token,', '"mse"'],
    [{ seed: 1.5 }, '"seed" must be a whole number.', '1.5'],
  ])('%j is an error in plain words', (change, message, at) => {
    const text = withChange(change);
    const [problem, ...rest] = marked(text);
    expect(problem?.message).toContain(message);
    expect(problem).toMatchObject({ severity: 'error', at });
    expect(problem?.mend).toBeTruthy();
    expect(rest).toEqual([]);
    expect(parseConfig(text, 'whence.json').config).toBeUndefined();
  });

  test('a text that cannot be read through has its syntax for its only problems', () => {
    const problems = marked('{ "model": 3, "data": { "train": }');
    expect(problems.length).toBeGreaterThan(0);
    for (const { message } of problems) expect(message).toMatch(/should stand here|is missing\.$/);
    expect(problems.map(({ message }) => message).join()).not.toContain('optimizer');
  });

  test('a missing key is named with what it is for', () => {
    const [problem] = marked(withChange({ model: undefined }));
    expect(problem).toMatchObject({
      message:
        '"model" is missing: the ONNX export of the network in evaluation mode. Paths are relative to this file.',
      mend: 'Add "model": "model.onnx".',
      at: '{',
    });
    const inside = marked(withChange({ data: { train: { format: 'csv' }, test: good.data.test } }));
    expect(inside[0]?.message).toContain('"data.train.file" is missing');
  });

  test.each([
    [{ modle: 'x' }, '"modle" means nothing here. Did you mean "model"?', '"modle"'],
    [{ optimizer: { kind: 'sgd', weight_decay: 0.1 } }, 'Did you mean "weightDecay"?', '"weight_decay"'],
    [{ data: { ...good.data, test: { ...good.data.test, lable: 'y' } } }, 'Did you mean "label"?', '"lable"'],
    [{ banana: 1 }, '"banana" means nothing here.', '"banana"'],
  ])('%j is a warning and leaves the configuration usable', (change, message, at) => {
    const text = withChange(change);
    expect(marked(text)).toMatchObject([{ severity: 'warning', message: expect.stringContaining(message), at }]);
    expect(parseConfig(text, 'whence.json').config?.model).toBe('model.onnx');
  });

  test.each([
    ['', 'The file is empty.'],
    ['[]', 'The file must be an object.'],
    ['{ "model": "a" "log": "b" }', 'A comma should stand before this.'],
    ['{ "model": "a"', 'A closing } is missing.'],
    ['{ model: "a" }', 'This is no value: texts stand in double quotes.'],
    ['{ "model": "a", "model": "b" }', '"model" stands here twice.'],
  ])('%j is reported where it is', (text, message) => {
    const problems = parseConfig(text, 'whence.json').problems;
    expect(problems.map((problem) => problem.message)).toContain(message);
    for (const { range } of problems)
      expect(range && range.offset + range.length <= Math.max(1, text.length)).toBe(true);
  });

  test("never answers with the validator's own words", () => {
    for (const key of ['name', 'model', 'checkpoints', 'log', 'data', 'classes', 'preprocess', 'optimizer', 'device']) {
      for (const value of [null, 7, true, { x: 1 }, [[]]]) {
        for (const { message } of marked(withChange({ [key]: value })))
          expect(message).not.toMatch(/Invalid|undefined/);
      }
    }
  });
});

describe('media/whence.schema.json', () => {
  const file = new URL('../../../../media/whence.schema.json', import.meta.url);

  test('is the schema that the reader checks by (write it anew with WRITE_SCHEMA=1)', () => {
    if (process.env.WRITE_SCHEMA) writeFileSync(file, `${JSON.stringify(runConfigJsonSchema(), undefined, 2)}\n`);
    expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(runConfigJsonSchema())));
  });

  test('describes every key with an example, and its default where it has one', () => {
    const described = JSON.stringify(runConfigJsonSchema());
    for (const entry of Object.values(configKeys)) expect(described).toContain(JSON.stringify(entry.description));
    const { properties } = runConfigJsonSchema() as {
      properties: Record<string, { examples: unknown[]; default?: unknown }>;
    };
    for (const [key, property] of Object.entries(properties)) expect(property.examples, key).toHaveLength(1);
    expect(properties.segments?.default).toBe(1);
  });
});
