import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { createEngine, type EngineHandlers } from '../../../../src/engine/engine';
import { readNpy } from '../../../../src/formats/npy';
import { encodeModel } from '../../../../src/onnx/encode';
import type { AttributeRequest } from '../../../../src/protocol/engineApi';
import type { MeasurementKind, MethodName } from '../../../../src/protocol/model';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failure } from '../../../support/failure';
import { quietContext, testHost } from '../../../support/testHost';
import { modelOf, perceptron } from '../../../support/tinyModel';
import {
  copyRun,
  makeTinyRun,
  type RunFolder,
  tinyExamples,
  tinyQueries,
  useRunFolders,
} from '../../../support/tinyRun';

const owned = useRunFolders();
let engine: EngineHandlers;
/** The reference run of FashionMNIST, which the tests of this file only read. */
let run: RunFolder;
beforeAll(async () => {
  engine = createEngine(await testHost());
  run = owned(await copyRun('test/fixtures/oracle/momentum'));
});

const attribute = (more: Partial<AttributeRequest> = {}) =>
  engine.attribute(
    { config: run.config, query: { split: 'test', index: 0 }, method: 'source', top: 5, ...more },
    quietContext(),
  );

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
