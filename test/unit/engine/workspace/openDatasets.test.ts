import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { OpenDatasets } from '../../../../src/engine/workspace/openDatasets';
import { openDataset } from '../../../../src/formats/datasets';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf } from '../../formats/files';

const folder = mkdtempSync(join(tmpdir(), 'whence-open-'));
afterAll(() => rmSync(folder, { recursive: true }));
const files = nodeFiles();
const file = join(folder, 'a.csv');
let opened = 0;

function get(datasets: OpenDatasets, name = file) {
  return datasets.get(name, [file], () => {
    opened++;
    return openDataset({ format: 'csv', file }, folder, files);
  });
}

test('a data set stays open until its file changes or two others were looked at', async () => {
  writeFileSync(file, 'x,label\n1,0\n');
  const datasets = new OpenDatasets(files);
  const first = await get(datasets);
  expect(await get(datasets)).toBe(first);
  expect(opened).toBe(1);
  writeFileSync(file, 'x,label\n1,0\n2,1\n');
  expect((await get(datasets)).length).toBe(2);
  expect(opened).toBe(2);
  await get(datasets, 'second');
  await get(datasets);
  await get(datasets, 'third');
  expect(opened).toBe(4);
  await get(datasets);
  expect(opened).toBe(4);
  await get(datasets, 'second');
  expect(opened).toBe(5);
});

test('what failed to open is tried anew', async () => {
  writeFileSync(file, 'x,label\n');
  const datasets = new OpenDatasets(files);
  opened = 0;
  expect(await failureOf(get(datasets))).toMatchObject({ code: 'empty-data' });
  expect(await failureOf(get(datasets))).toMatchObject({ code: 'empty-data' });
  expect(opened).toBe(2);
});
