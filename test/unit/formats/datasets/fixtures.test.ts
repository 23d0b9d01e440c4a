import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { Dataset, DatasetConfig } from '../../../../src/formats/dataset';
import { describeFile, openDataset } from '../../../../src/formats/datasets';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf } from '../files';

/** Files that their own libraries wrote, and beside each what the library reads in it: test/fixtures/datasets/make.py. */
const folder = fileURLToPath(new URL('../../../fixtures/datasets/', import.meta.url));
const files = nodeFiles();

interface Golden {
  readonly dims: readonly number[];
  readonly inputs: readonly number[];
  readonly labels: readonly number[];
  readonly classes?: readonly string[];
  readonly keys?: object;
}

function golden<T = Golden>(name: string): T {
  return JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8')) as T;
}

async function open(config: DatasetConfig): Promise<Dataset> {
  return openDataset(config, folder, files);
}

async function expectGolden(dataset: Dataset, expected: Golden) {
  const { dims, inputs, labels, classes } = expected;
  expect(dataset).toMatchObject({ length: labels.length, featureDims: dims, labels: Float64Array.from(labels) });
  expect(dataset.classes).toEqual(classes);
  const order = labels.map((_, index) => (index * 3) % labels.length);
  const size = inputs.length / labels.length;
  const batch = await dataset.batch(order);
  expect(batch.inputs).toEqual(
    Float32Array.from(order.flatMap((index) => inputs.slice(index * size, (index + 1) * size))),
  );
  expect(batch.labels).toEqual(Float64Array.from(order, (index) => labels[index]!));
  expect(await dataset.preview(labels.length - 1)).toHaveProperty('kind');
}

const tables = readdirSync(folder).filter(
  (name) => /\.(parquet|arrow|feather|npz)$/.test(name) && name !== 'missing.parquet',
);
const arrays = readdirSync(folder).filter((name) => /\.npy$/.test(name) && !/^(labels|objects)/.test(name));

describe('every format reads what its own library wrote', () => {
  test('of all of them', () => {
    expect(tables.length + arrays.length).toBeGreaterThan(20);
  });

  test.each(tables)('%s', async (name) => {
    const expected = golden(name);
    const config = await describeFile(join(folder, name), files);
    const dataset = await open({ ...config, ...expected.keys });
    await expectGolden(dataset, expected);
    expect(dataset.locate(2)).toMatchObject({ file: join(folder, name), index: 2 });
  });

  test.each(arrays)('%s', async (name) => {
    const expected = golden(name);
    for (const labels of ['labels.npy', 'labels-column.npy']) {
      await expectGolden(await open({ format: 'npy', file: name, labels }), expected);
    }
    for (const labels of ['labels-names.npy', 'labels-bytes.npy']) {
      const classes = ['ant', 'bee', 'cat'];
      await expectGolden(await open({ format: 'npy', file: name, labels }), { ...expected, classes });
    }
  });

  test('the other split of an archive', async () => {
    const dataset = await open({ format: 'npz', file: 'keras.npz', features: 'x_test' });
    expect(dataset).toMatchObject({ length: 2, labels: Float64Array.of(2, 0) });
  });

  test('a DatasetDict of Hugging Face, with its shards, class names and pictures', async () => {
    const expected = golden('pictures');
    const parts = ['pictures/train/data-00000-of-00002.arrow', 'pictures/train/data-00001-of-00002.arrow'];
    const dataset = await open({ format: 'arrow', file: parts, ...expected.keys });
    await expectGolden(dataset, expected);
    expect(dataset.locate(5)).toEqual({ file: join(folder, parts[1]!), index: 5, row: 2 });
    expect(dataset.files).toEqual(parts.map((part) => join(folder, part)));
  });

  test('the same in Parquet, as the hub keeps it', async () => {
    const expected = golden('hub');
    const config: DatasetConfig = { format: 'parquet', file: 'hub/train-00000-of-00001.parquet', ...expected.keys };
    await expectGolden(await open(config), expected);
  });

  describe('CIFAR', () => {
    const { inputs, ten, fine, coarse } = golden<Record<'inputs' | 'ten' | 'fine' | 'coarse', number[]>>('cifar');
    const names = 'airplane automobile bird cat deer dog frog horse ship truck'.split(' ');
    const dims = [3, 32, 32];

    test.each([
      ['binary', 'cifar-10-batches-bin', '.bin'],
      ['Python', 'cifar-10-batches-py', ''],
      ['Python 2', 'cifar-10-python2', ''],
    ])('CIFAR-10, %s version', async (_, home, ending) => {
      const file = [1, 2].map((number) => `${home}/data_batch_${number}${ending}`);
      await expectGolden(await open({ format: 'cifar', file }), { dims, inputs, labels: ten, classes: names });
    });

    test.each(['cifar-100-binary/train.bin', 'cifar-100-python/train'])('%s, with either label', async (file) => {
      const first = inputs.slice(0, 3 * 3072);
      await expectGolden(await open({ format: 'cifar', file }), { dims, inputs: first, labels: fine });
      await expectGolden(await open({ format: 'cifar', file, label: 'coarse' }), {
        dims,
        inputs: first,
        labels: coarse,
      });
    });

    test('a picture is found in its batch', async () => {
      const file = [1, 2].map((number) => `cifar-10-batches-bin/data_batch_${number}.bin`);
      const dataset = await open({ format: 'cifar', file });
      expect(dataset.locate(4)).toEqual({ file: join(folder, file[1]!), index: 4, row: 2, byte: 3074 });
      expect(await dataset.preview(0)).toMatchObject({ kind: 'image', width: 32, height: 32, channels: 3 });
    });
  });

  test.each([
    ['objects', { format: 'npy', file: 'objects.npy' }, 'unsupported-dtype'],
    ['one-hot labels', { format: 'npy', file: 'float32.npy', labels: 'labels-onehot.npy' }, 'malformed-file'],
    ['labels of others', { format: 'npy', file: 'labels-onehot.npy', labels: 'objects.npy' }, 'unsupported-dtype'],
    ['an array that is not there', { format: 'npz', file: 'packed.npz', features: 'z' }, 'config-invalid'],
    ['a value that is missing', { format: 'parquet', file: 'missing.parquet' }, 'malformed-file'],
    ['a column that is not there', { format: 'arrow', file: 'stream.arrow', features: ['z'] }, 'config-invalid'],
    ['parts of other columns', { format: 'parquet', file: ['none.parquet', 'nested.parquet'] }, 'malformed-file'],
  ] as const)('refuses %s', async (_, config, code) => {
    expect(await failureOf(open(config))).toMatchObject({ code, details: { file: expect.stringContaining(folder) } });
  });
});
