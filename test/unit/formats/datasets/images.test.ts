import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { datasetState, openDataset } from '../../../../src/formats/datasets';
import { decodePicture } from '../../../../src/formats/images';
import { preparedDataset } from '../../../../src/formats/prepared';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf } from '../files';

const fixtures = fileURLToPath(new URL('../../../fixtures/images/', import.meta.url));
const files = nodeFiles();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-images-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(fixture: string, path: string): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  cpSync(join(fixtures, fixture), join(folder, path));
}

const open = (more: { labels?: string; label?: string } = {}, classes?: readonly string[]) =>
  openDataset({ format: 'images', folder: '.', ...more }, folder, files, classes);
const places = (dataset: Awaited<ReturnType<typeof open>>) =>
  Array.from({ length: dataset.length }, (_, index) => dataset.locate(index).file.slice(folder.length + 1));

describe('a folder for each class', () => {
  beforeEach(() => {
    put('rgb.png', 'dog/b.png');
    put('rgb.png', 'dog/a/z.PNG');
    put('rgb.png', 'dog/a-b/y.png');
    put('rgb.png', 'Cat/10.png');
    put('rgb.png', 'Cat/9.png');
    put('rgb.png', 'bird/1.png');
    writeFileSync(join(folder, 'dog/notes.txt'), 'no picture');
    mkdirSync(join(folder, 'empty'));
  });

  test('is listed as ImageFolder lists it: classes, folders and files sorted by their letters', async () => {
    const dataset = await open();
    expect(dataset.classes).toEqual(['Cat', 'bird', 'dog']);
    expect(places(dataset)).toEqual([
      'Cat/10.png',
      'Cat/9.png',
      'bird/1.png',
      'dog/b.png',
      'dog/a/z.PNG',
      'dog/a-b/y.png',
    ]);
    expect([...dataset.labels]).toEqual([0, 0, 1, 2, 2, 2]);
  });

  test('takes its labels from the order of the classes that a run has', async () => {
    expect([...(await open({}, ['dog', 'bird', 'Cat'])).labels]).toEqual([2, 2, 1, 0, 0, 0]);
    expect(await failureOf(open({}, ['dog', 'bird']))).toMatchObject({ code: 'label-out-of-range' });
  });

  test('names a damaged picture when it is used, and lists the others', async () => {
    writeFileSync(join(folder, 'Cat/10.png'), readFileSync(join(fixtures, 'rgb.png')).subarray(0, 300));
    const dataset = await open();
    expect(dataset.length).toBe(6);
    const error = await failureOf(dataset.batch([1, 0]));
    expect(error).toMatchObject({ code: 'truncated-file', details: { file: join(folder, 'Cat/10.png') } });
    expect((await dataset.batch([1, 2])).labels).toEqual(Float64Array.of(0, 1));
  });

  test('changes its state with every picture', async () => {
    const config = { format: 'images', folder: '.' } as const;
    const before = await datasetState(config, folder, files);
    expect(await datasetState(config, folder, files)).toEqual(before);
    put('grey.png', 'bird/1.png');
    const after = await datasetState(config, folder, files);
    expect(after).not.toEqual(before);
    put('grey.png', 'bird/2.png');
    expect(await datasetState(config, folder, files)).not.toEqual(after);
  });
});

describe('a table of labels', () => {
  beforeEach(() => {
    put('rgb.png', 'one.png');
    put('rgb.png', 'more/two.png');
    put('rgb.png', 'three.png');
  });

  test.each([
    ['metadata.csv', 'file_name,label\nthree.png,cat\nmore/two.png,ant\none.png,cat\n', undefined],
    [
      'metadata.jsonl',
      '{"file_name": "three.png", "label": "cat"}\n{"file_name":"more/two.png","label":"ant"}\n{"file_name":"one.png","label":"cat"}\n',
      undefined,
    ],
    ['labels.csv', 'breed;id\ncat;three\nant;more/two\ncat;one\n', 'labels.csv'],
  ])('%s gives the order and the labels', async (name, text, labels) => {
    writeFileSync(join(folder, name), text);
    const dataset = await open(labels === undefined ? {} : { labels });
    expect(places(dataset)).toEqual(['three.png', 'more/two.png', 'one.png']);
    expect(dataset.classes).toEqual(['ant', 'cat']);
    expect([...dataset.labels]).toEqual([1, 0, 1]);
    expect(dataset.files).toEqual([folder, join(folder, name)]);
  });

  test('keeps labels that are numbers', async () => {
    writeFileSync(join(folder, 'metadata.csv'), 'file_name,angle,label\none.png,2,7\nthree.png,1.5,3\n');
    expect([...(await open()).labels]).toEqual([7, 3]);
    expect([...(await open({ label: 'angle' })).labels]).toEqual([2, 1.5]);
    expect(await failureOf(open({ label: 'size' }))).toMatchObject({ code: 'config-invalid' });
  });

  test('names the line of a picture that is not there', async () => {
    writeFileSync(join(folder, 'metadata.csv'), 'file_name,label\none.png,cat\nfour.png,cat\n');
    const error = await failureOf(open());
    expect(error).toMatchObject({
      code: 'not-found',
      details: { file: join(folder, 'metadata.csv'), place: 'line 3' },
    });
  });

  test('without one or a folder for each class, pictures have no labels', async () => {
    rmSync(join(folder, 'more'), { recursive: true });
    const dataset = await open();
    expect(places(dataset)).toEqual(['one.png', 'three.png']);
    expect([...dataset.labels].every(Number.isNaN)).toBe(true);
  });
});

describe('pictures as inputs', () => {
  beforeEach(() => {
    put('china-420.jpg', '0/a.jpg');
    put('flower-444-progressive.jpg', '1/b.jpg');
  });

  test('are drawn at one size, channels first', async () => {
    const dataset = preparedDataset(await open(), { resize: 24, crop: [20, 22] });
    expect(dataset.featureDims).toEqual([3, 20, 22]);
    const { inputs, labels } = await dataset.batch([1, 0]);
    expect(inputs.length).toBe(2 * 3 * 20 * 22);
    expect([...labels]).toEqual([1, 0]);
  });

  test('of several sizes need one', async () => {
    const error = await failureOf((await open()).batch([0, 1]));
    expect(error).toMatchObject({ code: 'shape-mismatch', details: { file: join(folder, '1/b.jpg') } });
    expect(error.details.mend).toContain('resize');
  });

  test('are shown as a preview of moderate size', async () => {
    const dataset = await open();
    const picture = decodePicture(new Uint8Array(readFileSync(join(fixtures, 'china-420.jpg'))), '');
    expect(await dataset.preview(0)).toEqual({
      kind: 'image',
      width: 97,
      height: 61,
      channels: 3,
      pixels: picture.data,
    });
  });

  test('a folder without any is refused', async () => {
    rmSync(join(folder, '0'), { recursive: true });
    rmSync(join(folder, '1'), { recursive: true });
    expect(await failureOf(open())).toMatchObject({ code: 'empty-data' });
  });
});
