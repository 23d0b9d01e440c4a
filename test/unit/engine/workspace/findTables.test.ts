import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { discover } from '../../../../src/engine/workspace/discover';
import { openDataset, relocateDataset } from '../../../../src/formats/datasets';
import { nodeFiles } from '../../../../src/worker/nodeFiles';

const fixtures = fileURLToPath(new URL('../../../fixtures/datasets/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'whence-tables-'));
afterAll(() => rmSync(folder, { recursive: true }));
const files = nodeFiles();

/** Puts fixtures into a folder of their own and tells which splits are found there, with their lengths. */
async function found(name: string, places: Readonly<Record<string, string>>) {
  const home = join(folder, name);
  for (const [from, to] of Object.entries(places)) cpSync(join(fixtures, from), join(home, to), { recursive: true });
  const { splits } = await discover(home, files);
  return Promise.all(
    splits.map(async ({ name: split, config }) => ({
      split,
      ...relocateDataset(config, (path) => files.relative(home, path)),
      length: (await openDataset(config, home, files)).length,
    })),
  );
}

test('shards of a split on the hub are one split', async () => {
  const shard = 'none.parquet';
  const places = {
    [shard]: 'data/train-00001-of-00002.parquet',
    'snappy.parquet': 'data/train-00000-of-00002.parquet',
  };
  const file = ['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet'];
  expect(await found('hub', { ...places, 'pages.parquet': 'data/test-00000-of-00001.parquet' })).toEqual([
    { split: 'test', format: 'parquet', file: 'data/test-00000-of-00001.parquet', length: 7 },
    { split: 'train', format: 'parquet', file, length: 14 },
  ]);
});

test('a folder of a DatasetDict is told by its name, and cached tables are left out', async () => {
  const places = {
    'stream.arrow': 'set/train/data-00000-of-00001.arrow',
    'file.arrow': 'set/train/cache-0123.arrow',
    'plain.feather': 'set/test/data-00000-of-00001.arrow',
  };
  expect(await found('dict', places)).toEqual([
    { split: 'test', format: 'arrow', file: 'set/test/data-00000-of-00001.arrow', length: 7 },
    { split: 'train', format: 'arrow', file: 'set/train/data-00000-of-00001.arrow', length: 7 },
  ]);
});

test("NumPy's arrays go in pairs", async () => {
  const places = {
    'uint8.npy': 'X_train.npy',
    'labels.npy': 'y_train.npy',
    'float32.npy': 'test/images.npy',
    'labels-names.npy': 'test/labels.npy',
    'float64.npy': 'other.npy',
  };
  expect(await found('npy', places)).toEqual([
    { split: 'train', format: 'npy', file: 'X_train.npy', labels: 'y_train.npy', length: 7 },
    { split: 'test', format: 'npy', file: 'test/images.npy', labels: 'test/labels.npy', length: 7 },
  ]);
});

test('an archive may hold all splits', async () => {
  expect(await found('npz', { 'keras.npz': 'mnist.npz', 'packed.npz': 'validation.npz' })).toEqual([
    { split: 'train', format: 'npz', file: 'mnist.npz', features: 'x_train', label: 'y_train', length: 7 },
    { split: 'test', format: 'npz', file: 'mnist.npz', features: 'x_test', label: 'y_test', length: 2 },
    { split: 'validation', format: 'npz', file: 'validation.npz', features: 'features', label: 'labels', length: 7 },
  ]);
});

test('batches of CIFAR are put together', async () => {
  const file = ['cifar-10-batches-py/data_batch_1', 'cifar-10-batches-py/data_batch_2'];
  const places = { 'cifar-10-batches-py': 'cifar-10-batches-py', 'cifar-100-binary': 'cifar-100-binary' };
  expect(await found('cifar', places)).toEqual([
    { split: 'train', format: 'cifar', file, length: 6 },
    { split: 'train', format: 'cifar', file: 'cifar-100-binary/train.bin', length: 3 },
  ]);
});
