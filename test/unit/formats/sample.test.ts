import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { openDataset } from '../../../src/formats/datasets';
import { nodeFiles } from '../../../src/worker/nodeFiles';

const folder = fileURLToPath(new URL('../../../sample/', import.meta.url));
const files = nodeFiles();

describe('the samples', () => {
  test('fashion-mnist opens from gzipped IDX files', async () => {
    const raw = 'fashion-mnist/data/FashionMNIST/raw';
    const images = `${raw}/train-images-idx3-ubyte.gz`;
    const train = await openDataset(
      { format: 'idx', images, labels: `${raw}/train-labels-idx1-ubyte.gz` },
      folder,
      files,
    );
    expect(train.length).toBe(5000);
    expect(train.featureDims).toEqual([28, 28]);
    const { inputs, labels } = await train.batch([0, 1, 4999]);
    expect(inputs.length).toBe(3 * 784);
    expect(Math.max(...inputs)).toBe(255);
    expect([...labels].every((label) => label >= 0 && label < 10)).toBe(true);
    expect(await train.preview(4999)).toMatchObject({ kind: 'image', width: 28, height: 28, channels: 1 });
  });

  test('breast-cancer opens from CSV with its classes in the given order', async () => {
    const config = { format: 'csv', file: 'breast-cancer/data/train.csv' } as const;
    const train = await openDataset(config, folder, files, ['malignant', 'benign']);
    expect(train.featureDims).toEqual([30]);
    expect(train.classes).toEqual(['malignant', 'benign']);
    const { inputs, labels } = await train.batch([0]);
    expect(inputs[0]).toBe(Math.fround(19.69));
    expect(labels[0]).toBe(0);
    expect((await openDataset(config, folder, files)).classes).toEqual(['benign', 'malignant']);
    expect(train.locate(0)).toMatchObject({ line: 2 });
    expect(train.indexAtLine?.(2)).toBe(0);
    expect(train.indexAtLine?.(1)).toBeUndefined();
  });
});
