import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/engine/config/config';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { range } from '../../../src/engine/network/examples';
import { failure } from '../../support/failure';
import { quietContext, testHost } from '../../support/testHost';
import { copyRun, makeTinyRun, type RunFolder, useRunFolders } from '../../support/tinyRun';

const owned = useRunFolders();
let engine: EngineHandlers;
/** The reference run of FashionMNIST, which the tests of this file only read. */
let run: RunFolder;
beforeAll(async () => {
  engine = createEngine(await testHost());
  run = owned(await copyRun('test/fixtures/oracle/momentum'));
});

describe('inspect', () => {
  test('describes a run that is set up', async () => {
    const { runs, proposals } = await engine.inspect({ folder: run.folder }, quietContext());
    expect(proposals).toEqual([]);
    expect(runs).toHaveLength(1);
    expect(runs[0]).toMatchObject({
      config: run.config,
      optimizer: 'SGD, momentum 0.9',
      loss: 'cross-entropy',
      problems: [],
    });
    expect(runs[0]!.checkpoints.map(({ step }) => step)).toEqual([38, 76, 114, 152, 190, 228]);
    expect(runs[0]!.segments.map(({ checkpoints }) => checkpoints)).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(runs[0]!.splits.map(({ name }) => name)).toEqual(['train', 'test']);
  });

  test('sorts checkpoints by number', async () => {
    const tiny = owned(await makeTinyRun());
    const { runs } = await engine.inspect({ folder: tiny.folder }, quietContext());
    expect(runs[0]!.checkpoints.map(({ step }) => step)).toEqual([10, 20, 100]);
  });

  test('lists a broken run with what is wrong and how to mend it', async () => {
    const tiny = owned(await makeTinyRun());
    await rm(join(tiny.folder, 'model.onnx'));
    const { runs } = await engine.inspect({ folder: tiny.folder }, quietContext());
    expect(runs[0]!.problems).toEqual([
      expect.objectContaining({ severity: 'error', file: join(tiny.folder, 'model.onnx'), mend: expect.any(String) }),
    ]);
    expect(runs[0]!.checkpoints).toHaveLength(3);
  });

  test('lists everything that is wrong with a whence.json', async () => {
    const tiny = owned(await makeTinyRun());
    await writeFile(tiny.config, '{ "model": 3, "checkpoints": 5 }');
    const { runs } = await engine.inspect({ folder: tiny.folder }, quietContext());
    const messages = runs[0]!.problems.map(({ message }) => message).join('\n');
    for (const key of ['model', 'checkpoints', 'data', 'optimizer']) expect(messages).toContain(`"${key}"`);
  });

  test('proposes a run where none is set up, and says so of an empty folder', async () => {
    const tiny = owned(await makeTinyRun());
    await rm(tiny.config);
    const { runs, proposals } = await engine.inspect({ folder: tiny.folder }, quietContext());
    expect(runs).toEqual([]);
    expect(proposals.map(({ config }) => config)).toEqual([tiny.config]);
    for (const name of ['checkpoints', 'model.onnx', 'train.csv', 'test.csv']) {
      await rm(join(tiny.folder, name), { recursive: true });
    }
    const empty = await engine.inspect({ folder: tiny.folder }, quietContext());
    expect(empty).toMatchObject({ runs: [], proposals: [], problems: [{ severity: 'info' }] });
  });
});

describe('setUp', () => {
  test.for([
    ['fashion-mnist', { scale: 1 / 255, mean: 0.286, std: 0.353 }],
    ['breast-cancer', { standardize: true }],
  ] as const)('finds how %s was preprocessed, and what it writes works', async ([sample, preprocess]) => {
    const copy = owned(await copyRun(`sample/${sample}`));
    await rm(copy.config, { force: true });
    const { text, problems } = await engine.setUp({ config: copy.config }, quietContext());
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    const { config } = parseConfig(text, copy.config);
    expect(config?.preprocess).toEqual(preprocess);
    expect(config?.optimizer).toEqual({ kind: 'sgd', momentum: 0.9 });
    await writeFile(copy.config, text);
    expect(await engine.validate({ config: copy.config, text }, quietContext())).toEqual([]);
    const report = await engine.check({ config: copy.config }, quietContext());
    expect(report.problems).toEqual([]);
    expect(report.checkpoints.at(-1)!.accuracy).toBeGreaterThan(0.9);
  });

  test('refuses where everything is set up', async () => {
    expect((await failure(engine.setUp({ config: run.config }, quietContext()))).code).toBe('not-found');
  });
});

describe('files', () => {
  test('findUse tells which split a file belongs to', async () => {
    const file = join(run.folder, 'data/FashionMNIST/raw/t10k-images-idx3-ubyte.gz');
    expect(await engine.findUse({ folder: run.folder, file }, quietContext())).toEqual({
      config: run.config,
      split: 'test',
    });
    expect(
      await engine.findUse({ folder: run.folder, file: join(run.folder, 'model.onnx') }, quietContext()),
    ).toBeNull();
  });

  test('exampleAt counts lines of a table from 1, its header being none', async () => {
    const { folder, config } = owned(await makeTinyRun());
    const at = (name: string, line: number) =>
      engine.exampleAt({ folder, file: join(folder, name), line }, quietContext());
    expect(await at('test.csv', 1)).toBeNull();
    expect(await at('test.csv', 2)).toEqual({ config, example: { split: 'test', index: 0 } });
    expect(await at('train.csv', 31)).toEqual({ config, example: { split: 'train', index: 29 } });
    expect(await at('train.csv', 32)).toBeNull();
    expect(await at('train.csv', 0)).toBeNull();
    expect(await at('whence.json', 1)).toBeNull();
  });

  test('browse reads a file without a run, page by page', async () => {
    const file = join(run.folder, 'data/FashionMNIST/raw/train-images-idx3-ubyte.gz');
    const page = await engine.browse({ file, from: 2, count: 3 }, quietContext());
    expect(page.examples.map(({ id }) => id.index)).toEqual([2, 3, 4]);
    expect(page.examples[0]!.preview).toMatchObject({ kind: 'image', channels: 1 });
    const end = await engine.browse({ file, from: page.total - 1, count: 50 }, quietContext());
    expect(end.examples).toHaveLength(1);
    expect((await engine.browse({ file, from: page.total + 7, count: 5 }, quietContext())).examples).toEqual([]);
  });
});

describe('examples', () => {
  const page = (from: number, count: number, order: 'file' | 'wrong-first') =>
    engine.examples({ config: run.config, split: 'test', from, count, order }, quietContext());

  test('come in the order of the file', async () => {
    const { total, examples } = await page(0, 1000, 'file');
    expect(examples.map(({ id }) => id.index)).toEqual(range(0, total));
    for (const { prediction } of examples) {
      expect(prediction.confidence).toBeCloseTo(Math.max(...prediction.probabilities), 12);
      expect(prediction.probabilities.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 6);
      expect(prediction.probabilities[prediction.predicted]).toBe(prediction.confidence);
    }
    for (const { prediction, label } of examples) {
      expect(prediction.loss).toBeCloseTo(-Math.log(prediction.probabilities[label]!), 3);
    }
  });

  test('come wrong ones first, most confident first', async () => {
    const all = await page(0, 1000, 'file');
    const wrong = await page(0, 1000, 'wrong-first');
    const expected = all.examples
      .filter(({ label, prediction }) => prediction.predicted !== label)
      .sort((a, b) => b.prediction.confidence - a.prediction.confidence);
    expect(wrong.total).toBe(expected.length);
    expect(wrong.examples.map(({ id }) => id)).toEqual(expected.map(({ id }) => id));
  });

  test.for(['file', 'wrong-first'] as const)(
    'in pages of the order "%s", past the end and before the start',
    async (order) => {
      const { total, examples } = await page(0, 1000, order);
      const pages = [await page(0, 4, order), await page(4, 4, order)];
      expect(pages.flatMap(({ examples }) => examples)).toEqual(examples.slice(0, 8));
      expect(await page(total - 1, 5, order)).toMatchObject({ total, examples: examples.slice(-1) });
      expect(await page(total + 3, 5, order)).toEqual({ total, examples: [] });
      expect(await page(-2, 3, order)).toEqual({ total, examples: examples.slice(0, 3) });
      expect(await page(0, -3, order)).toEqual({ total, examples: [] });
    },
  );

  test('of a split that is not there are refused by the names of those that are', async () => {
    const request = { config: run.config, split: 'valid', from: 0, count: 1, order: 'file' } as const;
    expect(await failure(engine.examples(request, quietContext()))).toMatchObject({
      code: 'not-found',
      message: expect.stringContaining('train, test'),
    });
  });
});

describe('check', () => {
  test('agrees with the log of the run', async () => {
    const { problems, checkpoints } = await engine.check({ config: run.config }, quietContext());
    expect(problems).toEqual([]);
    expect(checkpoints.at(-1)!.accuracy).toBeGreaterThan(0.6);
  });

  test('warns where the pixels were not scaled', async () => {
    const copy = owned(await copyRun('test/fixtures/oracle/momentum'));
    const settings = JSON.parse(await readFile(copy.config, 'utf8'));
    await writeFile(copy.config, JSON.stringify({ ...settings, preprocess: { scale: 1 } }));
    const { problems } = await engine.check({ config: copy.config }, quietContext());
    expect(problems.filter(({ severity }) => severity === 'warning')).toEqual([
      expect.objectContaining({ mend: expect.stringContaining('"preprocess"') }),
    ]);
  });
});

test('providers say on what device, and why', async () => {
  expect(Array.isArray(await engine.providers({ config: run.config }, quietContext()))).toBe(true);
});
