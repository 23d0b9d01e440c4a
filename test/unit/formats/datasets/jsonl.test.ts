import { describe, expect, test } from 'vitest';
import { openJsonlDataset } from '../../../../src/formats/datasets/jsonl';
import type { RecordKeys } from '../../../../src/formats/datasets/recordKeys';
import { failureOf, sourceOf } from '../files';

const open = (text: string, keys?: RecordKeys, classes?: readonly string[]) =>
  openJsonlDataset(sourceOf(text, '/run/test.jsonl'), keys, classes);

describe('openJsonlDataset', () => {
  test('finds an array of features and the label by their names', async () => {
    const dataset = await open('\uFEFF{"id": 5, "x": [1, 2.5], "label": 1}\r\n\n{"id": 6, "x": [3, 4], "label": 0}\n');
    expect(dataset).toMatchObject({ format: 'jsonl', length: 2, featureDims: [2] });
    const { inputs, labels } = await dataset.batch([1, 0]);
    expect([...inputs]).toEqual([3, 4, 1, 2.5]);
    expect([...labels]).toEqual([0, 1]);
    expect(dataset.locate(1)).toEqual({ file: '/run/test.jsonl', index: 1, line: 3 });
    expect([1, 2, 3, 4].map((line) => dataset.indexAtLine!(line))).toEqual([0, undefined, 1, undefined]);
  });

  test('takes keys of one number each, in the given order', async () => {
    const text = '{"a": 1, "b": 2, "kind": "dog"}\n{"b": 4, "a": 3, "kind": "cat"}';
    const dataset = await open(text, { label: 'kind', features: ['b', 'a'] });
    expect([...(await dataset.batch([0, 1])).inputs]).toEqual([2, 1, 4, 3]);
    expect(dataset.classes).toEqual(['cat', 'dog']);
    expect(await dataset.preview(0)).toEqual({ kind: 'row', columns: ['b', 'a', 'kind'], values: ['2', '1', 'dog'] });
    const guessed = await open('{"a": 1, "b": 2, "y": 0}');
    expect([...(await guessed.batch([0])).inputs]).toEqual([1, 2]);
  });

  test('takes nested arrays as images', async () => {
    const dataset = await open('{"pixels": [[1, 2, 3], [4, 5, 6]], "class": 0}');
    expect(dataset.featureDims).toEqual([2, 3]);
    expect([...(await dataset.batch([0])).inputs]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await dataset.preview(0)).toMatchObject({ kind: 'text', text: expect.stringContaining('pixels') });
  });

  test('looks label names up in the given classes; without a label there is none', async () => {
    expect([...(await open('{"x": [1], "y": "b"}', {}, ['c', 'b'])).labels]).toEqual([1]);
    expect([...(await open('{"x": [1]}')).labels]).toEqual([Number.NaN]);
    expect([...(await open('{"x": [1], "y": true}')).labels]).toEqual([1]);
  });

  test('shows the text beside token ids', async () => {
    const dataset = await open('{"input_ids": [4, 9], "text": "a cat", "label": 1}\n{"input_ids": [5], "label": 0}\n');
    expect(await dataset.preview(0)).toEqual({ kind: 'text', text: 'a cat' });
    expect(await dataset.preview(1)).toEqual({ kind: 'text', text: '{"input_ids": [5], "label": 0}' });
    expect(dataset.arrays).toEqual([
      { name: 'input_ids', dims: [2], values: Float32Array.of(4, 9, 5, 0), lengths: Int32Array.of(2, 1) },
    ]);
  });

  test('reads labels of tokens, filled up by -1', async () => {
    const dataset = await open('{"input_ids": [4], "labels": [2]}\n{"input_ids": [5, 6], "labels": [-100, 1]}\n');
    expect(dataset.tokenLabels).toBe('labels');
    expect(dataset.arrays?.[1]?.values).toEqual(Float32Array.of(2, -1, -100, 1));
    expect([...dataset.labels]).toEqual([Number.NaN, Number.NaN]);
  });

  test.each([
    ['an empty file', '\n \n', {}, 'empty-data', undefined],
    ['bad JSON', '{"x": [1], "y": 0}\n\n{"x": [1, "y": 0}\n', {}, 'malformed-file', 'line 3'],
    ['a line that is no object', '[1, 2]\n', {}, 'malformed-file', 'line 1'],
    ['another shape', '{"x": [1, 2]}\n{"x": [1]}\n', {}, 'malformed-file', 'line 2'],
    ['ragged rows', '{"x": [[1, 2], [3]]}\n', {}, 'malformed-file', 'line 1, key x'],
    ['a text among the features', '{"x": [1, "2"]}\n', {}, 'malformed-file', 'line 1, key x'],
    ['null among the features', '{"x": [1, null]}\n', {}, 'malformed-file', 'line 1, key x'],
    ['a key that is missing in some line', '{"x": [1]}\n{"z": [1]}\n', {}, 'config-invalid', 'line 2'],
    ['a configured key that is missing', '{"x": [1]}\n', { features: 'z' }, 'config-invalid', 'line 1'],
    ['features that cannot be told', '{"p": [1], "q": [2]}\n', {}, 'config-invalid', 'line 1'],
    ['a label that is an object', '{"x": [1], "y": {"a": 1}}\n', { features: 'x' }, 'malformed-file', 'line 1, key y'],
  ])('refuses %s', async (_, text, keys, code, place) => {
    const error = await failureOf(open(text, keys));
    expect(error).toMatchObject({ code, details: { file: '/run/test.jsonl' } });
    expect(error.details.place).toBe(place);
  });
});
