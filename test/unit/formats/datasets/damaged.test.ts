import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PageHeader } from 'hyparquet';
import { describe, expect, test } from 'vitest';
import type { DatasetConfig } from '../../../../src/formats/dataset';
import { openDataset } from '../../../../src/formats/datasets';
import { pageCompressors } from '../../../../src/formats/datasets/codecs';
import { checkRuns } from '../../../../src/formats/datasets/parquetRuns';
import { WhenceError } from '../../../../src/protocol/errors';
import { memorySource } from '../../../../src/worker/fileSource';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf } from '../files';

const folder = fileURLToPath(new URL('../../../fixtures/datasets/', import.meta.url));
const files = nodeFiles();

/** Of every format and every way of packing one file; all of its columns, arrays and pictures are read. */
const whole: readonly DatasetConfig[] = [
  { format: 'npy', file: 'uint8.npy', labels: 'labels-names.npy' },
  { format: 'npy', file: 'fortran.npy', labels: 'labels.npy' },
  { format: 'npz', file: 'keras.npz' },
  { format: 'npz', file: 'packed.npz' },
  { format: 'parquet', file: 'none.parquet' },
  { format: 'parquet', file: 'snappy.parquet' },
  { format: 'parquet', file: 'gzip.parquet' },
  { format: 'parquet', file: 'zstd.parquet' },
  { format: 'parquet', file: 'lz4.parquet' },
  { format: 'parquet', file: 'pages.parquet' },
  { format: 'parquet', file: 'encodings.parquet', label: 'kind' },
  { format: 'parquet', file: 'nested.parquet' },
  { format: 'parquet', file: 'hub/train-00000-of-00001.parquet', features: 'image' },
  { format: 'arrow', file: 'stream.arrow' },
  { format: 'arrow', file: 'file.arrow', label: 'kind' },
  { format: 'arrow', file: 'lz4.feather' },
  { format: 'arrow', file: 'zstd.feather' },
  { format: 'arrow', file: 'pictures/test/data-00000-of-00001.arrow', features: 'image' },
  { format: 'cifar', file: 'cifar-10-python2/data_batch_1' },
  { format: 'cifar', file: 'cifar-100-binary/train.bin' },
];

function fileOf(config: DatasetConfig): string {
  if (!('file' in config) || typeof config.file !== 'string') throw new Error('not one file');
  return config.file;
}

/** Opens a data set whose file holds other bytes, and reads all of it; the error where that fails. */
async function attempt(config: DatasetConfig, bytes: Uint8Array): Promise<unknown> {
  const damaged = join(folder, fileOf(config));
  const open = async (path: string) => (path === damaged ? memorySource(path, bytes) : files.open(path));
  try {
    const dataset = await openDataset(config, folder, { ...files, open });
    const count = Math.min(dataset.length, 64);
    await dataset.batch(Array.from({ length: count }, (_, index) => index));
    await dataset.preview(dataset.length - 1);
    return undefined;
  } catch (error) {
    return error;
  }
}

function expectPlain(error: unknown, config: DatasetConfig, damage: string): void {
  if (error === undefined) return;
  const isPlain = error instanceof WhenceError && error.code !== 'internal' && error.details.file?.startsWith(folder);
  if (!isPlain) throw new Error(`${fileOf(config)}, ${damage}: ${error instanceof Error ? error.stack : error}`);
}

/** Numbers that look like chance and are the same in every run (Park and Miller's generator). */
function numbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 0x7fffffff;
    return state % below;
  };
}

describe.each(whole.map((config) => [fileOf(config), config] as const))('%s', (name, config) => {
  const bytes = new Uint8Array(readFileSync(join(folder, name)));

  test('read whole, it has nothing wrong', async () => {
    expect(await attempt(config, bytes)).toBeUndefined();
  });

  test('cut anywhere, it says so or is read', async () => {
    const ends = new Set([...Array(300).keys(), ...Array.from({ length: 150 }, (_, i) => bytes.length - 1 - i)]);
    for (let end = 300; end < bytes.length; end += Math.ceil(bytes.length / 150)) ends.add(end);
    for (const end of ends) {
      if (end < 0 || end >= bytes.length) continue;
      expectPlain(await attempt(config, bytes.slice(0, end)), config, `cut at ${end}`);
    }
    expect(await attempt(config, bytes.slice(0, 4))).toBeInstanceOf(WhenceError);
  });

  test('with bits flipped, it says so or is read', async () => {
    const next = numbers(bytes.length);
    for (let round = 0; round < 120; round++) {
      const damaged = bytes.slice();
      const flips = Array.from({ length: 1 + next(3) }, () => [next(bytes.length), 1 << next(8)] as const);
      for (const [at, bit] of flips) damaged[at] = damaged[at]! ^ bit;
      expectPlain(await attempt(config, damaged), config, `flipped ${flips.join(' and ')}`);
    }
  }, 60_000);
});

describe('what claims to be huge', () => {
  test.each([
    ['an array', { format: 'npy', file: 'float32.npy' }, '(7, 3)', '(7000000000, 3)'],
    [
      'an array of more than can be counted',
      { format: 'npy', file: 'float32.npy' },
      '(7, 3)',
      `(${'9'.repeat(30)}, 3)`,
    ],
  ] as const)('%s is refused by its file', async (_, config, from, to) => {
    const text = Buffer.from(readFileSync(join(folder, config.file))).toString('latin1');
    const bytes = Buffer.from(text.replace(from, to).replace(' '.repeat(to.length - from.length), ''), 'latin1');
    expect(await attempt(config, bytes)).toMatchObject({ code: 'truncated-file' });
  });

  test('an entry of an archive is refused by its packed size', async () => {
    const bytes = Buffer.from(readFileSync(join(folder, 'packed.npz')));
    for (
      let at = bytes.indexOf('PK\x01\x02', 0, 'latin1');
      at >= 0;
      at = bytes.indexOf('PK\x01\x02', at + 1, 'latin1')
    ) {
      bytes.writeUInt32LE(2 ** 31 - 1, at + 24);
    }
    expect(await attempt({ format: 'npz', file: 'packed.npz' }, bytes)).toMatchObject({ code: 'malformed-file' });
  });

  test('a page unpacks to no more than its header says', () => {
    // Blocks of Zstandard that repeat one byte 128 kB long, four bytes each: RFC 8878, 3.1.1.2.
    const block = ((2 ** 17) << 3) | 2;
    const blocks = Array.from({ length: 1000 }, () => [block & 255, (block >> 8) & 255, block >> 16, 7]).flat();
    const bomb = Uint8Array.from([0x28, 0xb5, 0x2f, 0xfd, 0, 0x58, ...blocks]);
    const before = process.memoryUsage().arrayBuffers;
    expect(() => pageCompressors.ZSTD!(bomb, 1000)).toThrow();
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
    expect(() => pageCompressors.SNAPPY!(bomb, 2 ** 40)).toThrow('claims');
  });

  test('a run of levels stands for no more than its page', () => {
    const header = (definition_levels_byte_length: number): PageHeader => ({
      type: 'DATA_PAGE_V2',
      uncompressed_page_size: 62,
      compressed_page_size: 62,
      data_page_header_v2: {
        num_values: 7,
        num_nulls: 0,
        num_rows: 7,
        encoding: 'PLAIN',
        definition_levels_byte_length,
        repetition_levels_byte_length: 0,
      },
    });
    const coding = { codec: 'UNCOMPRESSED', definition: 1, repetition: 0 };
    const page = (levels: readonly number[]) => Uint8Array.from([...levels, ...new Array<number>(56).fill(0)]);
    expect(() => checkRuns(page([14, 1]), header(2), coding)).not.toThrow();
    expect(() => checkRuns(page([3, 127]), header(2), coding)).not.toThrow();
    expect(() => checkRuns(page([16, 1]), header(2), coding)).toThrow('stands for 8 values');
    expect(() => checkRuns(page([0xfe, 0xff, 0xff, 0xff, 0x0f, 1]), header(6), coding)).toThrow('stands for');
    expect(() => checkRuns(page([6, 1]), header(2), coding)).toThrow('end before');
  });

  test('arrays in arrays in arrays are refused', async () => {
    const text = `{"x": ${'['.repeat(5000)}1${']'.repeat(5000)}, "label": 0}\n`;
    const open = async (path: string) => memorySource(path, new TextEncoder().encode(text));
    const opening = openDataset({ format: 'jsonl', file: 'a.jsonl' }, folder, { ...files, open });
    expect(await failureOf(opening)).toMatchObject({ code: 'malformed-file', details: { place: 'line 1, key x' } });
  });
});
