import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { outcomesOf, readOutcomeFolder } from '../../../../src/engine/retraining/outcomeFolder';
import { encodeNpy } from '../../../../src/formats/npy';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failure } from '../../../support/failure';

let root = '';
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'whence-outcomes-'));
});
afterAll(() => rm(root, { recursive: true }));

async function folderOf(name: string, files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = join(root, name);
  await mkdir(folder);
  for (const [file, content] of Object.entries(files)) await writeFile(join(folder, file), content);
  return folder;
}

const lines = (...rows: readonly unknown[]) => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
const subsets = lines({ train: [0, 2] }, { without: [0, 2] }, { train: [1] });

test('lines and arrays say the same', async () => {
  const description = JSON.stringify({ split: 'test', queries: [7, 9] });
  const written = await folderOf('lines', {
    'queries.json': description,
    'subsets.jsonl': lines({ train: [0, 2] }, { without: [0, 2] }),
    'outcomes.jsonl': lines(
      { subset: 1, repeat: 0, values: [5, 6] },
      { subset: 0, values: [1, 2] },
      { subset: 0, repeat: 1, values: [3, 4] },
      { subset: 1, repeat: 1, values: [7, 8] },
    ),
  });
  const arrays = await folderOf('arrays', {
    'queries.json': description,
    'masks.npy': encodeNpy({ dtype: 'float32', dims: [2, 4], data: Float32Array.of(1, 0, 1, 0, 0, 1, 0, 1) }),
    'outcomes.npy': encodeNpy({
      dtype: 'float64',
      dims: [2, 2, 2],
      data: Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8),
    }),
  });
  const [a, b] = await Promise.all([written, arrays].map(async (at) => readOutcomeFolder(at, nodeFiles())));
  expect(outcomesOf(a!, 4)).toEqual(outcomesOf(b!, 4));
  expect(outcomesOf(a!, 4)).toMatchObject({
    ...{ subsets: 2, repeats: 2, queries: 2, examples: 4 },
    masks: Uint8Array.of(1, 0, 1, 0, 0, 1, 0, 1),
    values: Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8),
  });
});

test('what is larger where a query does worse is turned round; a line that was never finished is left out', async () => {
  const folder = await folderOf('partial', {
    'queries.json': JSON.stringify({ queries: [3], measurement: 'loss', larger: 'worse' }),
    'subsets.jsonl': subsets,
    'outcomes.jsonl': `${lines({ subset: 0, values: [0.5] }, { subset: 2, values: [2] })}{"subset":1,"val`,
  });
  const read = await readOutcomeFolder(folder, nodeFiles());
  expect(read.description).toMatchObject({ split: 'test', queries: [3], measurement: 'loss' });
  expect(outcomesOf(read, 3)).toMatchObject({
    ...{ subsets: 2, repeats: 1 },
    masks: Uint8Array.of(1, 0, 1, 0, 1, 0),
    values: Float64Array.of(-0.5, -2),
  });
});

test('what does not fit is named', async () => {
  const outcome = (row: unknown) => ({
    'subsets.jsonl': subsets,
    'outcomes.jsonl': lines({ subset: 0, values: [1] }, row),
  });
  const codes = async (name: string, files: Readonly<Record<string, string>>) => {
    const error = await failure(folderOf(name, files).then((folder) => readOutcomeFolder(folder, nodeFiles())));
    return [error.code, error.details.place];
  };
  expect(await codes('none', { 'subsets.jsonl': subsets, 'outcomes.jsonl': '' })).toEqual(['empty-data', undefined]);
  expect(await codes('no subset', outcome({ subset: 3, values: [1] }))).toEqual(['shape-mismatch', undefined]);
  expect(await codes('width', outcome({ subset: 1, values: [1, 2] }))).toEqual(['shape-mismatch', undefined]);
  expect(await codes('text', outcome({ subset: 1, values: ['x'] }))).toEqual(['malformed-file', 'line 2']);
  expect(await codes('nothing', {})).toEqual(['not-found', undefined]);
  const folder = await folderOf('outside', { ...outcome({ subset: 2, values: [1] }) });
  const read = await readOutcomeFolder(folder, nodeFiles());
  expect(() => outcomesOf(read, 2)).toThrow('names example 2');
});
