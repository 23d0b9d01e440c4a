import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/engine/config';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { range } from '../../../src/engine/examples';
import { readNpy } from '../../../src/formats/npy';
import { encodeModel } from '../../../src/onnx/encode';
import type { AttributeRequest } from '../../../src/protocol/engineApi';
import type { MeasurementKind, MethodName } from '../../../src/protocol/model';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { failure } from '../../support/failure';
import { quietContext, testHost } from '../../support/testHost';
import { modelOf, perceptron } from '../../support/tinyModel';
import { copyRun, makeTinyRun, type RunFolder, tinyExamples, tinyQueries } from '../../support/tinyRun';

const folders: string[] = [];
let engine: EngineHandlers;
/** The reference run of FashionMNIST, which the tests of this file only read. */
let run: RunFolder;
const owned = <R extends RunFolder>(made: R): R => {
  folders.push(made.folder);
  return made;
};
beforeAll(async () => {
  engine = createEngine(await testHost());
  run = owned(await copyRun('test/fixtures/oracle/momentum'));
});
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

const attribute = (more: Partial<AttributeRequest> = {}) =>
  engine.attribute(
    { config: run.config, query: { split: 'test', index: 0 }, method: 'source', top: 5, ...more },
    quietContext(),
  );

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
    expect(problems).toEqual([
      expect.objectContaining({ severity: 'warning', mend: expect.stringContaining('preprocess') }),
    ]);
  });
});

describe('attribute', () => {
  test('ranks both ways, by segments that sum to the score', async () => {
    const { towards, away, segments, byClass, examples } = await attribute({ top: 1000 });
    const [pro, contra] = [towards, away].map((list) => list.map(({ score }) => score)) as [number[], number[]];
    expect(pro).toEqual([...pro].sort((a, b) => b - a));
    expect(contra).toEqual([...contra].sort((a, b) => a - b));
    expect(Math.min(...pro)).toBeGreaterThan(0);
    expect(Math.max(...contra)).toBeLessThan(0);
    expect(pro.length + contra.length).toBeLessThanOrEqual(examples);
    for (const { bySegment, score } of [...towards, ...away]) {
      expect(bySegment).toHaveLength(segments.length);
      expect(bySegment.reduce((sum, part) => sum + part, 0)).toBe(score);
    }
    for (const { label, ...own } of byClass) {
      const sum = (list: typeof towards) =>
        list.filter(({ example }) => example.label === label).reduce((total, { score }) => total + score, 0);
      expect(own.towards).toBeCloseTo(sum(towards), 10);
      expect(own.away).toBeCloseTo(sum(away), 10);
    }
    expect(byClass.reduce((sum, own) => sum + own.examples, 0)).toBe(examples);
  });

  test('keeps to the labels and the number asked for', async () => {
    const all = await attribute({ top: 1000 });
    const some = await attribute({ top: 3, labels: [2, 4] });
    const kept = all.towards.filter(({ example }) => [2, 4].includes(example.label));
    expect(some.towards).toEqual(kept.slice(0, 3));
    expect(some.examples).toBe(
      all.byClass.filter(({ label }) => [2, 4].includes(label)).reduce((n, own) => n + own.examples, 0),
    );
    expect((await attribute({ top: 0 })).towards).toEqual([]);
    expect((await attribute({ top: -1 })).away).toEqual([]);
  });

  test('measures what it is asked to, the margin of the prediction by default', async () => {
    const { query, measurement } = await attribute();
    expect(measurement).toEqual({ kind: 'margin', target: query.prediction.predicted });
    const loss = await attribute({ measurement: { kind: 'loss' } });
    expect(loss.measurement).toEqual({ kind: 'loss', target: query.label });
    const other = (query.prediction.predicted + 1) % 10;
    const logit = await attribute({ measurement: { kind: 'logit', target: other } });
    expect(logit.measurement).toEqual({ kind: 'logit', target: other });
    const error = await failure(attribute({ measurement: { kind: 'margin', target: 10 } }));
    expect([error.code, error.message]).toEqual(['bad-argument', 'There is no class 10: the model has 10.']);
  });

  // With two classes the margin of one is minus that of the other, and so are all scores.
  test('turns its signs with the class it measures', async () => {
    const cancer = owned(await copyRun('sample/breast-cancer'));
    const { text } = await engine.setUp({ config: cancer.config }, quietContext());
    await writeFile(cancer.config, text);
    const scores = async (target: number) => {
      const measurement = { kind: 'margin', target } as const;
      const { towards, away } = await attribute({ config: cancer.config, measurement, top: 10000 });
      return new Map([...towards, ...away].map(({ example, score }) => [example.id.index, score]));
    };
    const [first, second] = [await scores(0), await scores(1)];
    const largest = Math.max(...first.values());
    for (const [index, score] of first) expect(Math.abs(score + (second.get(index) ?? 0))).toBeLessThan(1e-4 * largest);
  });

  // Training on an example lowers its own loss and raises the margin of its label: it is a proponent of itself.
  test.for<readonly [MethodName, MeasurementKind]>([
    ['source', 'loss'],
    ['source', 'margin'],
    ['influence-functions', 'loss'],
    ['tracin', 'loss'],
    ['tracin', 'margin'],
  ])('by %s finds a training example the proponent of its own %s', async ([method, kind]) => {
    for (const index of [3, 50, 200]) {
      const { label } = (await attribute({ query: { split: 'train', index } })).query;
      const { towards, examples } = await attribute({
        query: { split: 'train', index },
        method,
        measurement: { kind, target: label },
        top: 1000,
      });
      const rank = towards.findIndex(({ example }) => example.id.index === index);
      expect(rank).toBeGreaterThanOrEqual(0);
      expect(rank).toBeLessThan(examples / 10);
    }
  });

  test('refuses an example that is not there', async () => {
    expect((await failure(attribute({ query: { split: 'test', index: 100000 } }))).code).toBe('bad-argument');
    expect((await failure(attribute({ query: { split: 'test', index: 0.5 } }))).code).toBe('bad-argument');
  });
});

describe('scores', () => {
  test('writes what attribute finds, as a table for other tools', async () => {
    const out = join(run.folder, 'scores.npy');
    const queries = [4, 0].map((index) => ({ split: 'test', index }));
    const request = { config: run.config, queries, method: 'source', measurement: { kind: 'loss' }, out } as const;
    const { shape } = await engine.scores(request, quietContext());
    const { dims, data, dtype } = await readNpy(await nodeFiles().open(out));
    expect([dtype, dims]).toEqual(['float32', shape]);
    const { towards, away, examples } = await attribute({ measurement: { kind: 'loss' }, top: 1000 });
    expect(shape).toEqual([2, examples]);
    const largest = towards[0]!.score;
    for (const { example, score } of [...towards, ...away]) {
      const written = (data as Float32Array)[examples + example.id.index]!;
      expect(Math.abs(written - score)).toBeLessThan(1e-5 * largest);
    }
  });

  test('refuses no queries, mixed splits and queries without a label', async () => {
    const tiny = owned(await makeTinyRun());
    const ask = (queries: { split: string; index: number }[]) =>
      engine.scores(
        {
          config: tiny.config,
          queries,
          method: 'tracin',
          measurement: { kind: 'margin' },
          out: join(tiny.folder, 'x.npy'),
        },
        quietContext(),
      );
    expect((await failure(ask([]))).code).toBe('bad-argument');
    const mixed = [
      { split: 'test', index: 0 },
      { split: 'train', index: 0 },
    ];
    expect((await failure(ask(mixed))).code).toBe('bad-argument');
    const path = join(tiny.folder, 'test.csv');
    await writeFile(path, (await readFile(path, 'utf8')).replace(/,1\n/, ',\n'));
    expect((await ask([{ split: 'test', index: 0 }])).shape).toEqual([1, tinyExamples]);
    expect((await failure(ask([{ split: 'test', index: 1 }]))).message).toMatch(/no label/);
    const { examples } = await engine.examples(
      { config: tiny.config, split: 'test', from: 0, count: tinyQueries, order: 'file' },
      quietContext(),
    );
    expect(examples.map(({ prediction }) => Number.isNaN(prediction.loss))).toEqual([false, true, false, false, false]);
  });
});

describe('suspects and their review', () => {
  test('are ranked, decided, undone and exported', async () => {
    const { suspects, examples } = await engine.suspects({ config: run.config, top: 8 }, quietContext());
    expect(suspects).toHaveLength(8);
    expect(examples).toBeGreaterThan(100);
    const suspicions = suspects.map(({ suspicion }) => suspicion);
    expect(suspicions).toEqual([...suspicions].sort((a, b) => b - a));
    for (const { example, suggested } of suspects) expect(suggested).not.toBe(example.label);
    const [first, second] = suspects;
    const relabel = {
      config: run.config,
      example: first!.example.id,
      action: 'relabel',
      newLabel: first!.suggested,
    } as const;
    await engine.review(relabel, quietContext());
    await engine.review({ config: run.config, example: second!.example.id, action: 'exclude' }, quietContext());
    const decided = await engine.suspects({ config: run.config, top: 2 }, quietContext());
    expect(decided.suspects.map(({ decision }) => decision?.action)).toEqual(['relabel', 'exclude']);
    expect((await engine.undoReview({ config: run.config }, quietContext())).decisions).toHaveLength(1);
    const out = join(run.folder, 'review.csv');
    expect(await engine.exportReview({ config: run.config, out }, quietContext())).toEqual({ rows: 1 });
    expect((await readFile(out, 'utf8')).split('\n')[1]).toMatch(
      new RegExp(`^train,${first!.example.id.index},data/.*,relabel,`),
    );
    expect((await engine.readReview({ config: run.config }, quietContext())).decisions[0]).toMatchObject({
      givenLabel: first!.example.label,
      newLabel: first!.suggested,
    });
    for (const newLabel of [undefined, -1, 10, 1.5]) {
      const { newLabel: _, ...bare } = relabel;
      const wrong = newLabel === undefined ? bare : { ...bare, newLabel };
      expect((await failure(engine.review(wrong, quietContext()))).code).toBe('bad-argument');
    }
  });

  test('can be relabelled where classes have no names', async () => {
    const tiny = owned(await makeTinyRun());
    const request = {
      config: tiny.config,
      example: { split: 'train', index: 0 },
      action: 'relabel',
      newLabel: 2,
    } as const;
    expect((await engine.review(request, quietContext())).decisions).toHaveLength(1);
    // The table has lost its lines since.
    await writeFile(
      join(tiny.folder, 'train.csv'),
      (await readFile(join(tiny.folder, 'train.csv'), 'utf8')).split('\n').slice(0, 25).join('\n'),
    );
    await engine.review({ ...request, example: { split: 'train', index: 20 } }, quietContext());
    await writeFile(
      join(tiny.folder, 'train.csv'),
      (await readFile(join(tiny.folder, 'train.csv'), 'utf8')).split('\n').slice(0, 15).join('\n'),
    );
    expect(await engine.exportReview({ config: tiny.config, out: join(tiny.folder, 'x.csv') }, quietContext())).toEqual(
      {
        rows: 2,
      },
    );
  });
});

describe('a model', () => {
  test('whose outputs have no stated width is told by what it returns', async () => {
    const tiny = owned(await makeTinyRun());
    const model = modelOf(perceptron);
    const outputs = [{ name: 'logits', dtype: 'float32' as const, dims: null }];
    await writeFile(join(tiny.folder, 'model.onnx'), encodeModel({ ...model, graph: { ...model.graph, outputs } }));
    const { examples } = await attribute({ config: tiny.config });
    expect(examples).toBe(tinyExamples);
    const path = join(tiny.folder, 'train.csv');
    await writeFile(path, (await readFile(path, 'utf8')).replace(/,2\n/, ',7\n'));
    expect((await failure(attribute({ config: tiny.config }))).code).toBe('label-out-of-range');
  });

  test('with its weights in a file beside it is read with them, and known by them', async () => {
    const tiny = owned(await makeTinyRun());
    const before = await attribute({ config: tiny.config });
    const model = modelOf(perceptron);
    let offset = 0;
    const parts: Uint8Array[] = [];
    const initializers = new Map(
      [...model.graph.initializers].map(([name, { bytes, ...rest }]) => {
        const external = { location: 'model.onnx.data', offset, length: bytes!.length };
        offset += bytes!.length;
        parts.push(bytes!);
        return [name, { ...rest, external }] as const;
      }),
    );
    const data = join(tiny.folder, 'model.onnx.data');
    await writeFile(
      join(tiny.folder, 'model.onnx'),
      encodeModel({ ...model, graph: { ...model.graph, initializers } }),
    );
    await writeFile(data, Buffer.concat(parts));
    const after = await attribute({ config: tiny.config });
    expect(after.towards).toEqual(before.towards);
    await writeFile(data, Buffer.concat([...parts.slice(0, -1), new Uint8Array(parts.at(-1)!.length)]));
    expect((await attribute({ config: tiny.config })).hash).not.toBe(after.hash);
    await rm(data);
    expect(await failure(attribute({ config: tiny.config }))).toMatchObject({
      code: 'not-found',
      details: { file: data },
    });
  });
});

test('providers say on what device, and why', async () => {
  expect(Array.isArray(await engine.providers({ config: run.config }, quietContext()))).toBe(true);
});
