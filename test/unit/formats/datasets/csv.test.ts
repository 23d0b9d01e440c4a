import { describe, expect, test } from 'vitest';
import { openCsv } from '../../../../src/formats/csv';
import { type CsvColumns, openCsvDataset } from '../../../../src/formats/datasets/csv';
import { checkLabels } from '../../../../src/formats/datasets/labels';
import { failureOf, sourceOf } from '../files';

const open = (text: string, columns?: CsvColumns, classes?: readonly string[]) =>
  openCsvDataset(sourceOf(text, '/run/train.csv'), columns, classes);

async function rows(text: string) {
  const csv = await openCsv(sourceOf(text));
  const cells = await csv.rows(0, csv.length);
  for (const column of csv.columns.keys()) {
    expect(await csv.column(column, 0, csv.length)).toEqual(cells.map((row) => row[column]));
  }
  return { columns: csv.columns, rows: cells, lines: cells.map((_, row) => [csv.firstLine(row), csv.lastLine(row)]) };
}

describe('openCsv', () => {
  test.each([
    ['plain', 'a,b\n1,2\n3,4\n'],
    ['without a last newline', 'a,b\n1,2\n3,4'],
    ['with CRLF', 'a,b\r\n1,2\r\n3,4\r\n'],
    ['with a byte order mark', '\uFEFFa,b\n1,2\n3,4\n'],
    ['with semicolons', 'a;b\n1;2\n3;4\n'],
    ['with tabs', 'a\tb\n1\t2\n3\t4\n'],
    ['with quotes', '"a","b"\n"1",2\n3,"4"\n'],
  ])('reads rows %s', async (_, text) => {
    expect(await rows(text)).toEqual({
      columns: ['a', 'b'],
      rows: [
        ['1', '2'],
        ['3', '4'],
      ],
      lines: [
        [2, 2],
        [3, 3],
      ],
    });
  });

  test('obeys quotes around newlines, delimiters and quotes, and counts lines on', async () => {
    expect(await rows('a,b\n"x,\r\ny","say ""hi"""\n\nz,5"\n')).toEqual({
      columns: ['a', 'b'],
      rows: [
        ['x,\r\ny', 'say "hi"'],
        ['z', '5"'],
      ],
      lines: [
        [2, 3],
        [5, 5],
      ],
    });
  });

  test('keeps empty cells, and columns of one', async () => {
    expect((await rows('a,b,c\n1,,\n,,3\n')).rows).toEqual([
      ['1', '', ''],
      ['', '', '3'],
    ]);
    expect((await rows('a\n1\n\n2')).rows).toEqual([['1'], ['2']]);
  });

  test('knows a file without a header by its numbers, and pandas by its label', async () => {
    expect(await rows('1,2,x\n3,4,y\n')).toMatchObject({
      columns: ['column 1', 'column 2', 'column 3'],
      lines: [
        [1, 1],
        [2, 2],
      ],
    });
    expect((await rows('0,1,label\n3,4,y\n')).columns).toEqual(['0', '1', 'label']);
  });

  test('reads the same in small blocks and in one, beyond one chunk', async () => {
    const lines = Array.from({ length: 400_000 }, (_, index) => `${index},"v""${index % 7}",tail`);
    const csv = await openCsv(sourceOf(`id,text,end\r\n${lines.join('\r\n')}\r\n`));
    expect(csv.length).toBe(400_000);
    expect(csv.firstLine(399_999)).toBe(400_001);
    let row = 0;
    for (let from = 0; from < csv.length; ) {
      const to = csv.blockEnd(from);
      for (const cells of await csv.rows(from, to)) {
        if (row % 1000 === 0) expect(cells).toEqual([`${row}`, `v"${row % 7}`, 'tail']);
        row++;
      }
      from = to;
    }
    expect(row).toBe(400_000);
    expect(await csv.rows(123_456, 123_457)).toEqual([['123456', `v"${123_456 % 7}`, 'tail']]);
  });

  test.each([
    ['an empty file', '', 'empty-data', undefined],
    ['blank lines alone', '\n\r\n\n', 'empty-data', undefined],
    ['a header alone', 'a,b\n', 'empty-data', 'line 2'],
    ['a short row', 'a,b\n1,2\n\n3\n', 'malformed-file', 'line 4'],
    ['a long row', 'a,b\n1,2,3\n', 'malformed-file', 'line 2'],
    ['a ragged row after a quoted newline', 'a,b\n"1\n1",2\n3\n', 'malformed-file', 'line 4'],
    ['a quote that never closes', 'a,b\n1,"2\n3,4\n', 'malformed-file', 'line 2'],
  ])('refuses %s', async (_, text, code, place) => {
    const error = await failureOf(rows(text));
    expect(error.code).toBe(code);
    expect(error.details.place).toBe(place);
  });

  test('refuses UTF-16', async () => {
    expect(await failureOf(openCsv(sourceOf([0xff, 0xfe, 0x61, 0])))).toMatchObject({ code: 'unsupported-format' });
  });
});

describe('openCsvDataset', () => {
  test.each([
    ['called label', 'label,a,b\n1,2.5,3\n', {}, [2.5, 3], 1],
    ['called Target', 'a,Target,b\n2.5,1,3\n', {}, [2.5, 3], 1],
    ['the last', 'a,b,kind\n2.5,3,1\n', {}, [2.5, 3], 1],
    ['configured', 'a,label,b\n2.5,3,1\n', { label: 'b' }, [2.5, 3], 1],
  ])('finds the label column %s', async (_, text, columns, inputs, label) => {
    const batch = await (await open(text, columns)).batch([0]);
    expect([...batch.inputs]).toEqual(inputs);
    expect([...batch.labels]).toEqual([label]);
  });

  test('takes the configured features in their order', async () => {
    const dataset = await open('id,a,b,label\nx1,2,3,0\nx2,4,5,1\n', { features: ['b', 'a'] });
    expect([...(await dataset.batch([1, 0])).inputs]).toEqual([5, 4, 3, 2]);
    expect(dataset.featureDims).toEqual([2]);
  });

  test('numbers label names by the sorted list, or by the given one', async () => {
    const text = 'a,label\n1,dog\n2,cat\n3, dog\n4,\n';
    const sorted = await open(text);
    expect(sorted.classes).toEqual(['cat', 'dog']);
    expect([...sorted.labels]).toEqual([1, 0, 1, Number.NaN]);
    const given = await open(text, {}, ['dog', 'cow', 'cat']);
    expect([...given.labels]).toEqual([0, 2, 0, Number.NaN]);
    expect((await open('a,label\n1,7\n')).classes).toBeUndefined();
    expect([...(await open('a,label\n1,7\n', {}, ['3', '7'])).labels]).toEqual([1]);
  });

  test('shows whole rows and finds examples by line', async () => {
    const dataset = await open('a,note,label\n1,"two\nlines",0\n\n2,x,1\n', { features: ['a'] });
    expect(await dataset.preview(0)).toEqual({
      kind: 'row',
      columns: ['a', 'note', 'label'],
      values: ['1', 'two\nlines', '0'],
    });
    expect([1, 2, 3, 4, 5, 6].map((line) => dataset.indexAtLine!(line))).toEqual([
      undefined,
      0,
      0,
      undefined,
      1,
      undefined,
    ]);
    expect(dataset.locate(1)).toEqual({ file: '/run/train.csv', index: 1, line: 5 });
  });

  test.each([
    ['a word', 'a,b,label\n1,2,0\n1,two,0\n', 'malformed-file', 'line 3, column b', 'has "two" in column "b"'],
    ['an empty cell', 'a,b,label\n1,,0\n', 'malformed-file', 'line 2, column b', 'has no value in column "b"'],
    ['nan', 'a,b,label\n1,nan,0\n', 'not-finite', 'line 2, column b', 'has "nan"'],
  ])('refuses %s for a feature', async (_, text, code, place, message) => {
    const error = await failureOf(open(text));
    expect(error).toMatchObject({ code, details: { file: '/run/train.csv', place } });
    expect(error.message).toContain(message);
  });

  test('refuses columns that are not there, a table without features, an unknown name', async () => {
    const missing = await failureOf(open('a,label\n1,0\n', { features: ['z'] }));
    expect(missing).toMatchObject({
      code: 'config-invalid',
      message: 'There is no column "z". The file has: a, label.',
    });
    expect(await failureOf(open('a\n1\n2\n'))).toMatchObject({ code: 'empty-data' });
    const unknown = await failureOf(open('a,label\n1,cow\n', {}, ['cat', 'dog']));
    expect(unknown).toMatchObject({ code: 'label-out-of-range', details: { place: 'line 2, column label' } });
  });

  test('labels beyond the classes are named by line', async () => {
    const dataset = await open('a,label\n1,0\n2,5\n');
    expect(() => checkLabels(dataset, 3)).toThrow(
      expect.objectContaining({ details: expect.objectContaining({ file: '/run/train.csv', place: 'line 3' }) }),
    );
    const half = await open('a,label\n1,0.5\n');
    expect(() => checkLabels(half, 3)).toThrow('label 0.5');
  });
});
