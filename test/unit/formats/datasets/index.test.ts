import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import type { DatasetConfig } from '../../../../src/formats/dataset';
import { datasetFiles, datasetFormats, describeFile, openDataset } from '../../../../src/formats/datasets';
import { encodeNpy } from '../../../../src/formats/npy';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf } from '../files';

const files = nodeFiles();
const folder = mkdtempSync(join(tmpdir(), 'whence-datasets-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** One small file a format: a row of the table without one fails below. */
interface Golden {
  readonly name: string;
  readonly content: string | Uint8Array;
  /** Default: 5 and 6. */
  readonly inputs?: readonly number[];
  /** Default: 1. */
  readonly length?: number;
  /** Where examples are these and no numbers. */
  readonly texts?: readonly string[];
}

const golden: Readonly<Record<string, Golden>> = {
  idx: { name: 'a-images-idx3-ubyte', content: Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, 5, 6) },
  csv: { name: 'a.csv', content: 'p,q,label\n5,6,0\n' },
  npy: { name: 'a.npy', content: encodeNpy({ dtype: 'float32', dims: [1, 2], data: Float32Array.of(5, 6) }) },
  images: {
    name: 'a.png',
    // Two grey pixels, as Pillow writes them.
    content: Buffer.from(
      'iVBORw0KGgoAAAANSUhEUgAAAAIAAAABCAAAAADRSSBWAAAAC0lEQVR4nGNkZQQAABEACJMwlpIAAAAASUVORK5CYII=',
      'base64',
    ),
    inputs: [5, 6, 5, 6, 5, 6],
  },
  text: { name: 'a.txt', content: 'a line\n', texts: ['a line'] },
  jsonl: { name: 'a.jsonl', content: '{"x": [5, 6], "label": 0}\n' },
  npz: written('keras.npz'),
  parquet: written('none.parquet'),
  arrow: written('stream.arrow'),
  cifar: { ...written('cifar-100-binary/train.bin', 'cifar', 3072), length: 3 },
};

/** A file of the fixtures, whose first example's values stand in the golden file beside it. */
function written(name: string, golden = name, size?: number): Golden {
  const home = fileURLToPath(new URL('../../../fixtures/datasets/', import.meta.url));
  const {
    dims = [],
    inputs,
    labels = [],
  } = JSON.parse(readFileSync(join(home, `${golden}.json`), 'utf8')) as {
    readonly dims?: readonly number[];
    readonly inputs: readonly number[];
    readonly labels?: readonly number[];
  };
  const first = size ?? dims.reduce((product, dim) => product * dim, 1);
  return {
    name: basename(name),
    content: readFileSync(join(home, name)),
    inputs: inputs.slice(0, first),
    length: labels.length,
  };
}

test.each(Object.keys(datasetFormats))('%s is recognised, opened by itself and by a configuration', async (format) => {
  const { name, content, inputs = [5, 6], length = 1, texts } = golden[format]!;
  const path = join(folder, name);
  writeFileSync(path, content);
  const config = await describeFile(path, files);
  expect(config.format).toBe(format);
  const relative = JSON.parse(JSON.stringify(config).replace(path, name)) as DatasetConfig;
  expect(datasetFiles(relative, folder, files)).toEqual([path]);
  for (const dataset of [await openDataset(config, '/elsewhere', files), await openDataset(relative, folder, files)]) {
    expect(dataset).toMatchObject({ format, length, files: [path] });
    if (texts) expect(await dataset.texts!.read(0, 1)).toEqual(texts);
    else expect([...(await dataset.batch([0])).inputs]).toEqual(inputs);
    expect(await dataset.preview(0)).toHaveProperty('kind');
  }
});

test('a missing file is named', async () => {
  const error = await failureOf(openDataset({ format: 'csv', file: 'gone.csv' }, folder, files));
  expect(error).toMatchObject({ code: 'not-found', details: { file: join(folder, 'gone.csv') } });
});

test('a file of no format is refused', async () => {
  writeFileSync(join(folder, 'notes.md'), 'hello');
  expect(await failureOf(describeFile(join(folder, 'notes.md'), files))).toMatchObject({ code: 'unsupported-format' });
});
