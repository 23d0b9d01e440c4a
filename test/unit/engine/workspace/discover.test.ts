import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { groupCheckpoints } from '../../../../src/engine/workspace/checkpointGroups';
import { discover } from '../../../../src/engine/workspace/discover';
import { walk } from '../../../../src/engine/workspace/walk';
import { formatOf } from '../../../../src/formats/datasets';
import { WhenceError } from '../../../../src/protocol/errors';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { fixtures } from '../../formats/files';

const files = nodeFiles();
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-discover-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

function put(path: string, content: string | Uint8Array = ''): void {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
}

const short = (path: string) => relative(folder, path);

describe('groupCheckpoints', () => {
  const group = (...paths: string[]) =>
    groupCheckpoints(
      paths.map((file) => ({ file, state: {} })),
      files,
    ).map(({ folder: at, pattern, checkpoints }) => [at, pattern, checkpoints.map(({ step }) => step)]);

  test('takes files that differ in the step alone as one run', () => {
    expect(group('/r/step-100.st', '/r/step-9.st', '/r/model.st')).toEqual([['/r', 'step-*.st', [9, 100]]]);
    expect(group('/r/checkpoint-10/model.st', '/r/checkpoint-5/model.st')).toEqual([
      ['/r', 'checkpoint-*/model.st', [5, 10]],
    ]);
  });

  test('keeps runs of one folder apart', () => {
    expect(group('/r/a-step1.st', '/r/a-step2.st', '/r/b-step1.st', '/r/b-step2.st')).toEqual([
      ['/r', 'a-step*.st', [1, 2]],
      ['/r', 'b-step*.st', [1, 2]],
    ]);
  });

  test('takes names of which several numbers vary together', () => {
    expect(group('/r/ckpt_1_step100.st', '/r/ckpt_2_step200.st')).toEqual([['/r', 'ckpt_*.st', [100, 200]]]);
    expect(group('/r/epoch=1-step=200.st', '/r/epoch=0-step=100.st')).toEqual([['/r', 'epoch=*.st', [100, 200]]]);
  });

  test('gives no pattern that would take in files without a step', () => {
    expect(group('/r/step-1.st', '/r/step-2.st', '/r/step-final.st')).toEqual([['/r', undefined, [1, 2]]]);
  });
});

describe('groupCheckpoints by steps inside', () => {
  const group = (...found: readonly (readonly [string, number])[]) =>
    groupCheckpoints(
      found.map(([file, step]) => ({ file, state: { step } })),
      files,
    ).map(({ folder: at, pattern, checkpoints }) => [at, pattern, checkpoints.map(({ step }) => step)]);

  test('takes names without a step', () => {
    expect(group(['/r/late.pt', 300], ['/r/early.pt', 20], ['/r/mid.pt', 100])).toEqual([
      ['/r', '*.pt', [20, 100, 300]],
    ]);
    expect(group(['/r/epoch_1/model.pt', 50], ['/r/epoch_2/model.pt', 100])).toEqual([
      ['/r', 'epoch_*/model.pt', [50, 100]],
    ]);
  });

  test('takes in a last checkpoint that is later than the numbered ones, and no copy of one', () => {
    const numbered = [
      ['/r/epoch=0-step=10.ckpt', 10],
      ['/r/epoch=1-step=20.ckpt', 20],
    ] as const;
    expect(group(...numbered, ['/r/last.ckpt', 25])).toEqual([['/r', '*.ckpt', [10, 20, 25]]]);
    expect(group(...numbered, ['/r/last.ckpt', 20])).toEqual([['/r', 'epoch=*.ckpt', [10, 20]]]);
  });

  test('keeps runs apart: versions, seeds, and numbers that leave two files of one step', () => {
    const folders = ['version_0', 'version_1'].flatMap((version) =>
      [10, 20].map((step) => [`/r/${version}/checkpoints/epoch=0-step=${step}.ckpt`, step] as const),
    );
    expect(group(...folders)).toEqual([
      ['/r/version_0/checkpoints', 'epoch=0-step=*.ckpt', [10, 20]],
      ['/r/version_1/checkpoints', 'epoch=0-step=*.ckpt', [10, 20]],
    ]);
    const seeds = [0, 1].flatMap((seed) => [10, 20 + seed].map((step) => [`/r/seed${seed}-${step}.pt`, step] as const));
    expect(group(...seeds)).toEqual([
      ['/r', 'seed0-*.pt', [10, 20]],
      ['/r', 'seed1-*.pt', [10, 21]],
    ]);
    const sizes = [64, 128].flatMap((size) => [10, 20].map((step) => [`/r/mlp${size}-step${step}.pt`, step] as const));
    expect(group(...sizes)).toEqual([
      ['/r', 'mlp64-step*.pt', [10, 20]],
      ['/r', 'mlp128-step*.pt', [10, 20]],
    ]);
  });
});

describe('discover', () => {
  test('tells the files of a workspace apart', async () => {
    cpSync(join(fixtures, 'mlp.safetensors'), join(folder, 'out/step-1.safetensors'));
    put('whence.json', '{}');
    put('nets/model.onnx');
    put('train_log.csv', 'step,lr\n1,1\n');
    put('classes.txt', 'a\nb\n');
    put('train.py');
    put('data/train.csv');
    put('data/my_test_set.jsonl');
    put('data/other.csv');
    put('data/contest.csv');
    put('data/train-images.idx3-ubyte', Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 9));
    put('data/train-labels.idx1-ubyte', Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 1, 4));
    put('data/test-images.idx3-ubyte', 'no IDX at all');
    put('nets/tokenizer.json', '{}');
    put('data/notes-train.txt', 'a line');
    const found = await discover(folder, files);
    expect({
      ...found,
      configs: found.configs.map(short),
      models: found.models.map(short),
      logs: found.logs.map(short),
      scripts: found.scripts.map(short),
      classLists: found.classLists.map(short),
      tokenizers: found.tokenizers.map(short),
      checkpoints: found.checkpoints.map(({ checkpoints }) => checkpoints.map(({ file }) => short(file))),
      splits: found.splits.map(({ name, config }) => [name, ...formatOf(config).paths(config).map(short)]),
    }).toEqual({
      folder,
      configs: ['whence.json'],
      models: [join('nets', 'model.onnx')],
      logs: ['train_log.csv'],
      scripts: ['train.py'],
      classLists: ['classes.txt'],
      tokenizers: [join('nets', 'tokenizer.json')],
      checkpoints: [[join('out', 'step-1.safetensors')]],
      splits: [
        ['train', join('data', 'train-images.idx3-ubyte'), join('data', 'train-labels.idx1-ubyte')],
        ['test', join('data', 'my_test_set.jsonl')],
        ['train', join('data', 'notes-train.txt')],
        ['train', join('data', 'train.csv')],
      ],
      problems: [],
    });
  });

  test('takes a checkpoint by its content, and a damaged one by its name', async () => {
    cpSync(join(fixtures, 'mlp.safetensors'), join(folder, 'step-1.bin'));
    put('step-2.bin', 'something else');
    put('step-3.safetensors', 'cut');
    const { checkpoints } = await discover(folder, files);
    expect(checkpoints.flatMap((group) => group.checkpoints.map(({ step }) => step)).sort()).toEqual([1, 3]);
  });

  test('goes on where a folder below cannot be read', async () => {
    put('open/step-1.safetensors');
    put('secret/step-2.safetensors');
    const secret = join(folder, 'secret');
    const guarded = {
      ...files,
      list: async (path: string) => {
        if (path === secret) throw new WhenceError('unreadable', 'Permission denied.', { file: path });
        return files.list(path);
      },
    };
    const { problems, checkpoints } = await discover(folder, guarded);
    expect(problems).toMatchObject([{ severity: 'warning', message: 'Permission denied.', file: secret }]);
    expect(checkpoints).toHaveLength(1);
    await expect(discover(secret, guarded)).rejects.toMatchObject({ code: 'unreadable' });
  });

  test('stops when it is cancelled', async () => {
    const signal = { aborted: true, addEventListener: () => undefined, removeEventListener: () => undefined };
    await expect(discover(folder, files, signal)).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('walk', () => {
  test('goes down so far and no further', async () => {
    const levels = Array.from({ length: 12 }, (_, depth) => `d${depth}`);
    levels.forEach((_, depth) => {
      put(join(...levels.slice(0, depth + 1), 'f.txt'));
    });
    const { entries } = await walk(folder, files);
    expect(entries).toHaveLength(8);
  });

  test('stops after very many files, and says so', async () => {
    const many = {
      ...files,
      list: async (path: string) =>
        Array.from({ length: 15_000 }, (_, index) => ({
          name: `${index}`,
          path: `${path}/${index}`,
          kind: index === 0 ? ('folder' as const) : ('file' as const),
          size: 1,
        })),
    };
    const { entries, problems } = await walk('/huge', many);
    expect(entries.length).toBeLessThan(31_000);
    expect(problems).toMatchObject([
      { severity: 'info', message: expect.stringContaining('the search stopped there') },
    ]);
  });
});
