import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import type { PreprocessConfig } from '../../../../src/engine/config/config';
import { createEngine, type EngineHandlers } from '../../../../src/engine/engine';
import { quietContext, testHost } from '../../../support/testHost';
import { copyRun, type RunFolder, useRunFolders } from '../../../support/tinyRun';

const owned = useRunFolders();
let engine: EngineHandlers;
/** A CNN on pictures in folders, and a perceptron on FashionMNIST. */
let pictures: RunFolder;
let garments: RunFolder;
beforeAll(async () => {
  engine = createEngine(await testHost());
  pictures = owned(await copyRun('test/fixtures/pictureRun'));
  garments = owned(await copyRun('test/fixtures/oracle/momentum'));
});

interface Settings {
  readonly preprocess: PreprocessConfig;
  readonly classes?: readonly string[];
  readonly log?: string;
}

/** Checks a run as its `whence.json` stands with some keys changed. */
async function checked(run: RunFolder, change: (settings: Settings) => object) {
  const text = await readFile(run.config, 'utf8');
  try {
    await writeFile(run.config, JSON.stringify(change(JSON.parse(text) as Settings)));
    return await engine.check({ config: run.config }, quietContext());
  } finally {
    await writeFile(run.config, text);
  }
}

const mended = (mend: string | undefined): unknown => JSON.parse(/to (.*) in whence\.json\.$/.exec(mend ?? '')![1]!);

describe('a run on pictures in folders', () => {
  const golden = JSON.parse(
    readFileSync(new URL('../../../fixtures/pictureRun/expected.json', import.meta.url), 'utf8'),
  ) as { losses: Record<string, number>; accuracy: number };

  test("has PyTorch's losses and accuracy, and nothing is the matter", async () => {
    const { checkpoints, problems } = await engine.check({ config: pictures.config }, quietContext());
    expect(problems.filter(({ severity }) => severity !== 'info')).toEqual([]);
    for (const { step, loss } of checkpoints) expect(loss).toBeCloseTo(golden.losses[step]!, 4);
    expect(checkpoints.at(-1)!.accuracy).toBeCloseTo(golden.accuracy, 6);
  });

  test.for<[string, (right: PreprocessConfig) => PreprocessConfig]>([
    ['look like 0..255', ({ scale: _, ...rest }) => rest],
    ['not normalised', ({ mean: _, std: __, ...rest }) => rest],
    ['colours are in the other order', (right) => ({ ...right, channels: 'bgr' })],
    ['channels stand last', (right) => ({ ...right, layout: 'hwc' })],
    ['another mean and deviation than [0.485', (right) => ({ ...right, mean: 0.5, std: 0.05 })],
  ])('%s: is found, and what is to be set is what was right', async ([cause, change], { expect }) => {
    const { problems } = await checked(pictures, (settings) => ({
      ...settings,
      preprocess: change(settings.preprocess),
    }));
    const [problem] = problems.filter(({ severity }) => severity === 'warning');
    expect(problem?.message).toContain(cause);
    const { problems: rest } = await checked(pictures, (settings) => ({
      ...settings,
      preprocess: mended(problem?.mend),
    }));
    expect(rest.filter(({ severity }) => severity === 'warning')).toEqual([]);
  });
});

describe('a run on FashionMNIST', () => {
  /** Pixels of a picture's side. */
  const side = 8;
  const images = 'data/FashionMNIST/raw/train-images-idx3-ubyte.gz';
  const labels = 'data/FashionMNIST/raw/train-labels-idx1-ubyte.gz';

  /** Checks the run with its bytes changed beyond the header. */
  async function withBytes(file: string, header: number, change: (values: Uint8Array) => void, settings = {}) {
    const path = join(garments.folder, file);
    const packed = readFileSync(path);
    const bytes = new Uint8Array(gunzipSync(packed));
    change(bytes.subarray(header));
    try {
      await writeFile(path, gzipSync(bytes));
      return await checked(garments, (right) => ({ ...right, ...settings }));
    } finally {
      await writeFile(path, packed);
    }
  }

  const warnings = ({ problems }: Awaited<ReturnType<typeof checked>>) =>
    problems.filter(({ severity }) => severity === 'warning');

  test('is found in order', async () => {
    expect(warnings(await checked(garments, (right) => right))).toEqual([]);
  });

  test('transposed pictures are told', async () => {
    const [problem] = warnings(
      await withBytes(images, 16, (pixels) => {
        for (let at = 0; at < pixels.length; at += side * side) {
          const own = pixels.slice(at, at + side * side);
          own.forEach((pixel, place) => {
            pixels[at + (place % side) * side + Math.floor(place / side)] = pixel;
          });
        }
      }),
    );
    expect(problem?.message).toContain('transposed');
    expect(mended(problem?.mend)).toMatchObject({ transpose: true, scale: 1 / 255, mean: 0.286 });
  });

  test('inverted pictures are told', async () => {
    const [problem] = warnings(
      await withBytes(images, 16, (pixels) => {
        for (let at = 0; at < pixels.length; at++) pixels[at] = 255 - pixels[at]!;
      }),
    );
    expect(problem?.message).toContain('inverted');
    expect(mended(problem?.mend)).toMatchObject({ scale: -1 / 255, mean: 0.286 - 1 });
  });

  test('labels that count from another class are told', async () => {
    const shifted = (values: Uint8Array) => {
      for (let at = 0; at < values.length; at++) values[at] = (values[at]! + 1) % 10;
    };
    const [problem, ...rest] = warnings(await withBytes(labels, 8, shifted));
    expect(rest).toEqual([]);
    expect(problem?.message).toContain('one too high');
    expect(problem?.mend).toContain('train-labels-idx1-ubyte.gz');
  });

  test('classes in another order are told', async () => {
    const order = [3, 1, 4, 0, 2, 7, 6, 9, 8, 5];
    const swapped = (values: Uint8Array) => {
      for (let at = 0; at < values.length; at++) values[at] = order[values[at]!]!;
    };
    const [problem] = warnings(await withBytes(labels, 8, swapped));
    expect(problem?.message).toContain('another order');
  });

  test('labels at random have no usual cause, which is said', async () => {
    let seed = 7;
    const shuffled = (values: Uint8Array) => {
      for (let at = 0; at < values.length; at++) {
        seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
        values[at] = Math.floor((seed / 0x80000000) * 10);
      }
    };
    const [problem, ...rest] = warnings(await withBytes(labels, 8, shuffled));
    expect(rest).toEqual([]);
    expect(problem?.mend).toContain('belong together');
  });

  test('without a log, a model no better than guessing is looked into', async () => {
    const report = await checked(garments, ({ log: _, preprocess: { scale: __, ...preprocess }, ...right }) => ({
      ...right,
      preprocess,
      optimizer: { kind: 'sgd', momentum: 0.9, learningRate: 0.02 },
    }));
    const [problem] = warnings(report);
    expect(problem?.message).toContain('no better than guessing');
    expect(problem?.message).toContain('look like 0..255');
    expect(mended(problem?.mend)).toMatchObject({ scale: 1 / 255 });
  });
});
