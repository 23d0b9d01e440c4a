import { describe, expect, test } from 'vitest';
import { openIdxDataset } from '../../../../src/formats/datasets/idx';
import { checkLabels } from '../../../../src/formats/datasets/labels';
import { failureOf, sourceOf } from '../files';

/** An IDX file: type code, dimensions, then bytes as they stand. */
function idx(type: number, dims: readonly number[], content: readonly number[], path = '/run/train-images-idx3-ubyte') {
  const header = new DataView(new ArrayBuffer(4 * dims.length));
  dims.forEach((dim, axis) => {
    header.setUint32(4 * axis, dim);
  });
  return sourceOf([0, 0, type, dims.length, ...new Uint8Array(header.buffer), ...content], path);
}

const pixels = Array.from({ length: 12 }, (_, index) => 20 * index);
const images = idx(8, [3, 2, 2], pixels);
const labels = (content: readonly number[]) => idx(8, [content.length], content, '/run/train-labels-idx1-ubyte');

describe('openIdxDataset', () => {
  test('gives batches in any order, with labels', async () => {
    const dataset = await openIdxDataset(images, labels([7, 0, 9]));
    expect(dataset).toMatchObject({ format: 'idx', length: 3, featureDims: [2, 2] });
    const { inputs, labels: given } = await dataset.batch([2, 0, 1, 2]);
    expect([...inputs]).toEqual([...pixels.slice(8), ...pixels.slice(0, 8), ...pixels.slice(8)]);
    expect([...given]).toEqual([9, 7, 0, 9]);
    expect((await dataset.batch([])).inputs).toHaveLength(0);
    expect(dataset.locate(1)).toEqual({ file: '/run/train-images-idx3-ubyte', index: 1, byte: 20 });
  });

  test('without a label file has no labels', async () => {
    expect([...(await (await openIdxDataset(images)).batch([1])).labels]).toEqual([Number.NaN]);
  });

  test('shows grey, colour by channel or by pixel, and rows', async () => {
    const preview = async (dims: number[]) =>
      (
        await openIdxDataset(
          idx(
            8,
            [1, ...dims],
            pixels.slice(
              0,
              dims.reduce((a, b) => a * b),
            ),
          ),
        )
      ).preview(0);
    expect(await preview([2, 3])).toEqual({
      kind: 'image',
      width: 3,
      height: 2,
      channels: 1,
      pixels: Uint8Array.from(pixels.slice(0, 6)),
    });
    expect(await preview([2, 2, 3])).toMatchObject({
      channels: 3,
      width: 2,
      height: 2,
      pixels: Uint8Array.from(pixels),
    });
    const planes = [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11].map((index) => pixels[index]!);
    expect(await preview([3, 2, 2])).toMatchObject({
      channels: 3,
      width: 2,
      height: 2,
      pixels: Uint8Array.from(planes),
    });
    expect(await preview([2])).toEqual({ kind: 'row', columns: ['0', '1'], values: ['0', '20'] });
  });

  test('reads big-endian floats and integers, and stretches them for the eye', async () => {
    const floats = [0x3f, 0x80, 0, 0, 0xbf, 0x80, 0, 0];
    const dataset = await openIdxDataset(idx(13, [1, 1, 2], floats), idx(12, [1], [0, 0, 1, 4]));
    const { inputs, labels: given } = await dataset.batch([0]);
    expect([...inputs]).toEqual([1, -1]);
    expect([...given]).toEqual([260]);
    expect(await dataset.preview(0)).toMatchObject({ pixels: Uint8Array.of(255, 0) });
  });

  test.each([
    ['another magic number', sourceOf([0x50, 0x4b, 3, 4, 0, 0, 0, 0, 0]), undefined, 'malformed-file', 'byte 0'],
    ['an unknown type', idx(7, [1, 1, 1], [1]), undefined, 'malformed-file', 'byte 0'],
    ['a header cut off', sourceOf([0, 0, 8, 3, 0, 0, 0, 1]), undefined, 'truncated-file', 'byte 8'],
    ['images cut off', idx(8, [3, 2, 2], pixels.slice(0, 7)), undefined, 'truncated-file', 'byte 23, example 1'],
    ['bytes after the last image', idx(8, [2, 2, 2], pixels), undefined, 'malformed-file', 'byte 24'],
    ['no images', idx(8, [0, 28, 28], []), undefined, 'empty-data', 'byte 4'],
    ['fewer labels than images', images, labels([1, 2]), 'malformed-file', 'byte 4'],
    ['images for labels', images, images, 'malformed-file', 'byte 3'],
    ['labels cut off', images, idx(8, [3], [1, 2]), 'truncated-file', 'byte 10, example 2'],
  ])('refuses %s', async (_, first, second, code, place) => {
    const error = await failureOf(openIdxDataset(first, second));
    expect(error).toMatchObject({ code, details: { place } });
    expect(error.details.file).toBe((second ?? first).path);
  });

  test('refuses indices that it does not have', async () => {
    const dataset = await openIdxDataset(images);
    for (const index of [-1, 3, 0.5, Number.NaN]) {
      expect(await failureOf(dataset.batch([index]))).toMatchObject({ code: 'bad-argument' });
      expect(await failureOf(dataset.preview(index))).toMatchObject({ code: 'bad-argument' });
    }
  });

  test('labels beyond the classes are named by file and example', async () => {
    const dataset = await openIdxDataset(images, labels([0, 9, 1]));
    expect(() => checkLabels(dataset, 10)).not.toThrow();
    expect(() => checkLabels(dataset, 9)).toThrow(
      expect.objectContaining({
        code: 'label-out-of-range',
        message: 'Example 1 has the label 9, but the model has the classes 0 to 8.',
        details: expect.objectContaining({ file: '/run/train-labels-idx1-ubyte', place: 'example 1' }),
      }),
    );
  });

  test('gives 60,000 images of 28 by 28 in one batch within seconds, on a busy machine too', async () => {
    const count = 60_000;
    const dataset = await openIdxDataset(idx60000(count));
    const begin = performance.now();
    const { inputs } = await dataset.batch(Array.from({ length: count }, (_, index) => index));
    expect(performance.now() - begin).toBeLessThan(4000);
    expect(inputs[784 * 59_999 + 783]).toBe((784 * 60_000 - 1) % 251);
  });
});

function idx60000(count: number) {
  const bytes = new Uint8Array(16 + count * 784);
  bytes.set([0, 0, 8, 3]);
  const view = new DataView(bytes.buffer);
  [count, 28, 28].forEach((dim, axis) => {
    view.setUint32(4 + 4 * axis, dim);
  });
  for (let index = 0; index < count * 784; index++) bytes[16 + index] = index % 251;
  const read = async (offset: number, length: number) => bytes.slice(offset, offset + length);
  return { path: '/run/train-images-idx3-ubyte', size: bytes.length, read };
}
