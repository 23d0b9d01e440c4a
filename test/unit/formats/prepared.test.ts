import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { Dataset } from '../../../src/formats/dataset';
import { openDataset } from '../../../src/formats/datasets';
import { arrayDataset } from '../../../src/formats/datasets/arrayDataset';
import { decodePicture } from '../../../src/formats/images';
import { preparePicture } from '../../../src/formats/images/prepare';
import { preparedDataset } from '../../../src/formats/prepared';
import { applyPreprocess, type PreprocessConfig } from '../../../src/formats/transform';
import { nodeFiles } from '../../../src/worker/nodeFiles';

const fixtures = fileURLToPath(new URL('../../fixtures/images/', import.meta.url));
const files = nodeFiles();
const folder = mkdtempSync(join(tmpdir(), 'whence-prepared-'));
afterAll(() => rmSync(folder, { recursive: true }));

interface Case {
  readonly image: string;
  readonly config: PreprocessConfig;
  readonly inputDims?: readonly number[];
  readonly inputs?: string;
}

const { cases } = JSON.parse(readFileSync(join(fixtures, 'transforms.json'), 'utf8')) as { cases: readonly Case[] };

describe("a model's inputs are the very numbers of torchvision's ToTensor and Normalize", () => {
  const whole = cases.filter(({ inputs }) => inputs !== undefined);
  it.each(whole.map((one) => [`${one.image} ${JSON.stringify(one.config)}`, one] as const))('%s', async (_, one) => {
    const own = join(folder, String(cases.indexOf(one)), 'class');
    mkdirSync(own, { recursive: true });
    cpSync(join(fixtures, one.image), join(own, one.image));
    const raw = await openDataset({ format: 'images', folder: join(own, '..') }, folder, files);
    const dataset = preparedDataset(raw, one.config);
    expect(dataset.featureDims).toEqual(one.inputDims);
    const { inputs } = await dataset.batch([0]);
    const values = applyPreprocess(inputs, dataset.featureDims, one.config);
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(one.inputs);
  });
});

describe('arrays are laid out too', () => {
  const arrayOf = (featureDims: readonly number[], values: readonly number[]): Dataset => ({
    format: 'npy',
    files: ['/data.npy'],
    length: 1,
    featureDims,
    labels: Float64Array.of(0),
    batch: async () => ({ inputs: Float32Array.from(values), labels: Float64Array.of(0) }),
    preview: async () => ({ kind: 'row', columns: [], values: [] }),
    locate: (index) => ({ file: '/data.npy', index }),
  });
  const laidOut = async (dims: readonly number[], values: readonly number[], config: PreprocessConfig) => {
    const dataset = preparedDataset(arrayOf(dims, values), config);
    return [dataset.featureDims, [...(await dataset.batch([0])).inputs]];
  };
  // One row of two pixels, red 1 and 4, green 2 and 5, blue 3 and 6.
  const pixels = [1, 2, 3, 4, 5, 6];

  it.each<[string, readonly number[], readonly number[], PreprocessConfig, readonly number[], readonly number[]]>([
    ['as they are', [1, 2, 3], pixels, {}, [1, 2, 3], pixels],
    ['channels first', [2, 1, 3], pixels, { layout: 'chw' }, [3, 2, 1], [1, 4, 2, 5, 3, 6]],
    ['channels last', [3, 2, 1], [1, 4, 2, 5, 3, 6], { layout: 'hwc' }, [2, 1, 3], pixels],
    ['blue first', [2, 1, 3], pixels, { channels: 'bgr' }, [2, 1, 3], [3, 2, 1, 6, 5, 4]],
    ['transposed', [2, 3], pixels, { transpose: true }, [3, 2], [1, 4, 2, 5, 3, 6]],
    ['columns of a table', [6], pixels, { transpose: true, layout: 'hwc' }, [6], pixels],
    [
      'blue and channels first, transposed',
      [2, 2, 3],
      [...pixels, ...pixels.map((value) => value + 6)],
      { channels: 'bgr', layout: 'chw', transpose: true },
      [3, 2, 2],
      [3, 9, 6, 12, 2, 8, 5, 11, 1, 7, 4, 10],
    ],
  ])('%s', async (_, dims, values, config, wantedDims, wanted) => {
    expect(await laidOut(dims, values, config)).toEqual([wantedDims, wanted]);
  });

  it('bytes are pictures, which are resized as those in files are', async () => {
    const grey = decodePicture(new Uint8Array(readFileSync(join(fixtures, 'grey.png'))), '');
    const colours = decodePicture(new Uint8Array(readFileSync(join(fixtures, 'rgb.png'))), '');
    const config = { resize: [32, 24], interpolation: 'bicubic', crop: [30, 20] } as const;
    for (const { width, height, channels, data } of [grey, colours]) {
      const wanted = preparePicture(
        { width, height, channels, data },
        channels === 1 ? { ...config, channels: 'grey' } : config,
      );
      const rows = (dims: readonly number[], values: readonly number[]) =>
        arrayDataset(
          'npy',
          ['/data.npy'],
          {
            count: 1,
            dims,
            isBytes: true,
            read: async () => Float32Array.from(values),
            locate: (index) => ({ file: '/data.npy', index }),
          },
          { labels: Float64Array.of(0) },
        );
      const last = channels === 1 ? [height, width] : [height, width, channels];
      const drawn = preparedDataset(rows(last, [...data]), config);
      expect(drawn.featureDims).toEqual(channels === 1 ? [30, 20] : [30, 20, 3]);
      expect((await drawn.batch([0])).inputs).toEqual(Float32Array.from(wanted.data));
      // Channels first, and back again.
      const planes = preparedDataset(rows([height, width, channels], [...data]), { layout: 'chw' });
      const first = [...(await planes.batch([0])).inputs];
      const again = preparedDataset(rows([channels, height, width], first), { ...config, layout: 'hwc' });
      expect((await again.batch([0])).inputs).toEqual(Float32Array.from(wanted.data));
    }
  });

  it('what is no picture is not resized', () => {
    expect(() => preparedDataset(arrayOf([6], pixels), { resize: 3 })).toThrow('preprocess.resize is for pictures');
  });
});
