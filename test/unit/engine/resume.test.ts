import { readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { methods } from '../../../src/attribution/methods';
import { createEngine, type EngineHandlers } from '../../../src/engine/engine';
import { encodeModel } from '../../../src/onnx/encode';
import type { Influence, MethodName, Progress } from '../../../src/protocol/model';
import { failure } from '../../support/failure';
import { quietContext, testHost } from '../../support/testHost';
import { modelOf, perceptron } from '../../support/tinyModel';
import { copyRun, makeTinyRun, type RunFolder, type TinyRun, weightsAt, writeCheckpoint } from '../../support/tinyRun';

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

function owned<R extends RunFolder>(run: R): R {
  folders.push(run.folder);
  return run;
}

const convolution = async () => owned(await copyRun('test/fixtures/convolution'));
const tiny = async () => owned(await makeTinyRun());
const freshEngine = async () => createEngine(await testHost());

function attribute(
  engine: EngineHandlers,
  { config }: RunFolder,
  watch: (progress: Progress, abort: () => void) => void = () => undefined,
  method: MethodName = 'source',
): Promise<Influence> {
  const controller = new AbortController();
  const context = {
    signal: controller.signal,
    progress: (progress: Progress) => watch(progress, () => controller.abort()),
  };
  return engine.attribute({ config, query: { split: 'test', index: 1 }, method, top: 1000 }, context);
}

const ranking = ({ towards, away }: Influence) => ({ towards, away });

async function stages({ folder }: RunFolder, kind = ''): Promise<string[]> {
  const names = await readdir(join(folder, '.whence')).catch(() => []);
  return names.filter((name) => name.startsWith(kind) && name.endsWith('.safetensors')).sort();
}

/** When each stage was written, by name. */
async function times(run: RunFolder): Promise<Map<string, number>> {
  const names = await stages(run);
  const stats = await Promise.all(names.map((name) => stat(join(run.folder, '.whence', name))));
  return new Map(names.map((name, i) => [name, stats[i]!.mtimeMs]));
}

describe('a cancelled fit', () => {
  test.for([
    ['in the second checkpoint', 'curvature', 2],
    ['in the eigenvalues', 'eigenvalues', 2],
  ] as const)('%s goes on where it was, to the same numbers', async ([, phase, nth]) => {
    const run = await convolution();
    const engine = await freshEngine();
    let seen = 0;
    const messages = new Set<string>();
    const error = await failure(
      attribute(engine, run, (progress, abort) => {
        if (progress.phase !== phase || messages.has(progress.message)) return;
        messages.add(progress.message);
        seen += 1;
        if (seen === nth) abort();
      }),
    );
    expect(error.code).toBe('cancelled');
    const finished = await times(run);
    expect(finished.size).toBeGreaterThan(0);
    expect(await stages(run, 'scores')).toEqual([]);

    const resumed = await attribute(engine, run);
    const after = await times(run);
    for (const [name, time] of finished) expect([name, after.get(name)]).toEqual([name, time]);
    const fresh = await attribute(await freshEngine(), await convolution());
    expect(ranking(resumed).towards.map(({ score, bySegment }) => ({ score, bySegment }))).toEqual(
      fresh.towards.map(({ score, bySegment }) => ({ score, bySegment })),
    );
    expect(resumed.away.map(({ score }) => score)).toEqual(fresh.away.map(({ score }) => score));
  });

  test('is heard before the run is read', async () => {
    const run = await tiny();
    const controller = new AbortController();
    controller.abort();
    const request = { config: run.config, query: { split: 'test', index: 0 }, method: 'source', top: 1 } as const;
    const context = { signal: controller.signal, progress: () => undefined };
    expect((await failure((await freshEngine()).attribute(request, context))).code).toBe('cancelled');
  });
});

describe('a damaged stage', () => {
  const flip = (path: string, at: (size: number) => number) =>
    readFile(path).then((bytes) => {
      const index = at(bytes.length);
      bytes[index] = bytes[index]! ^ 1;
      return writeFile(path, bytes);
    });
  const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
    ['a bit of the last byte flipped', (path) => flip(path, (size) => size - 1)],
    ['a bit in the middle flipped', (path) => flip(path, (size) => size >> 1)],
    ['a bit of its header flipped', (path) => flip(path, () => 30)],
    ['a bit of its length flipped', (path) => flip(path, () => 1)],
    ['its second half gone', async (path) => truncate(path, (await stat(path)).size >> 1)],
    ['nothing left in it', (path) => truncate(path, 0)],
  ];

  test.for(damages)('with %s is made again', async ([, damage]) => {
    const run = await tiny();
    const before = ranking(await attribute(await freshEngine(), run));
    const names = await stages(run);
    const sound = await Promise.all(names.map((name) => readFile(join(run.folder, '.whence', name))));
    for (const name of names) await damage(join(run.folder, '.whence', name));
    expect(ranking(await attribute(await freshEngine(), run))).toEqual(before);
    // What was believed would still be damaged.
    const mended = await Promise.all(names.map((name) => readFile(join(run.folder, '.whence', name))));
    expect(mended).toEqual(sound);
  });

  test('under the name of another is not taken for it', async () => {
    const run = await tiny();
    const before = ranking(await attribute(await freshEngine(), run));
    const [first, second] = await stages(run, 'covariances');
    const path = (name: string | undefined) => join(run.folder, '.whence', name!);
    await writeFile(path(first), await readFile(path(second)));
    for (const name of await stages(run, 'scores')) await rm(path(name));
    expect(ranking(await attribute(await freshEngine(), run))).toEqual(before);
  });
});

const setConfig = (change: object) => (run: TinyRun) =>
  writeFile(run.config, JSON.stringify({ ...run.settings, ...change }));

/** Changes of what scores depend on, and of what they don't. */
const changes: readonly (readonly [string, (run: TinyRun) => Promise<void>])[] = [
  [
    'a checkpoint',
    ({ folder }) => writeCheckpoint(join(folder, 'checkpoints/step-20.safetensors'), weightsAt(perceptron, 50)),
  ],
  [
    'a checkpoint more',
    ({ folder }) => writeCheckpoint(join(folder, 'checkpoints/step-50.safetensors'), weightsAt(perceptron, 50)),
  ],
  [
    'the training labels',
    async ({ folder }) => {
      const path = join(folder, 'train.csv');
      await writeFile(path, (await readFile(path, 'utf8')).replace(/,0\n/, ',1\n'));
    },
  ],
  [
    'the model',
    ({ folder }) => {
      const nodes = perceptron.nodes.map((one) => (one.op === 'Relu' ? { ...one, op: 'Tanh' } : one));
      return writeFile(join(folder, 'model.onnx'), encodeModel(modelOf({ ...perceptron, nodes })));
    },
  ],
  ['the preprocessing', setConfig({ preprocess: { scale: 2 } })],
  ['the momentum', setConfig({ optimizer: { kind: 'sgd', learningRate: 0.05, momentum: 0.9 } })],
  ['the learning rate', setConfig({ optimizer: { kind: 'sgd', learningRate: 0.1 } })],
  ['the weight decay', setConfig({ optimizer: { kind: 'sgd', learningRate: 0.05, weightDecay: 0.1 } })],
  ['the segments', setConfig({ segments: 1 })],
  ['the Fisher', setConfig({ fisher: 'sampled' })],
  ['the loss', setConfig({ fisher: 'empirical' })],
];

describe('a changed input', () => {
  test.for(changes)('%s meets no stale stage', async ([, change]) => {
    const engine = await freshEngine();
    const run = await tiny();
    const before = await attribute(engine, run);
    await change(run);
    const after = await attribute(engine, run);
    expect(after.hash).not.toBe(before.hash);
    expect(after.towards).not.toEqual(before.towards);
    const fresh = await tiny();
    await change(fresh);
    const expected = await attribute(await freshEngine(), fresh);
    expect(after.towards.map(({ example, score, bySegment }) => [example.id, score, bySegment])).toEqual(
      expected.towards.map(({ example, score, bySegment }) => [example.id, score, bySegment]),
    );
    expect(await engine.hash({ config: run.config, method: 'source' }, quietContext())).toBe(after.hash);
  });

  test.for<readonly [string, (run: TinyRun) => Promise<void>]>([
    ['the name', setConfig({ name: 'Another name' })],
    ['a comment', (run) => writeFile(run.config, `// noted\n${JSON.stringify(run.settings, undefined, 4)}`)],
    [
      'the test data',
      async ({ folder }) => {
        const path = join(folder, 'test.csv');
        await writeFile(path, `${await readFile(path, 'utf8')}0,0,0,0,1\n`);
      },
    ],
    ['the device', setConfig({ device: 'cpu' })],
  ])('%s changes no hash', async ([, change]) => {
    const engine = await freshEngine();
    const run = await tiny();
    const before = await attribute(engine, run);
    const written = await times(run);
    await change(run);
    expect(await engine.hash({ config: run.config, method: 'source' }, quietContext())).toBe(before.hash);
    expect(ranking(await attribute(engine, run))).toEqual(ranking(before));
    expect(await times(run)).toEqual(written);
  });

  test('a changed query is measured anew', async () => {
    const engine = await freshEngine();
    const run = await tiny();
    const before = await attribute(engine, run);
    const path = join(run.folder, 'test.csv');
    await writeFile(path, (await readFile(path, 'utf8')).replace(/(\n.*\n)[^,]*/, '$10.75'));
    expect((await attribute(engine, run)).towards).not.toEqual(before.towards);
  });

  test('every method has a hash of its own', async () => {
    const engine = await freshEngine();
    const { config } = await tiny();
    // Exact unrolling depends on files that this run has not.
    const names = (Object.keys(methods) as MethodName[]).filter((name) => name !== 'exact-unrolling');
    const hashes = await Promise.all(names.map((method) => engine.hash({ config, method }, quietContext())));
    expect(new Set(hashes).size).toBe(names.length);
  });
});
