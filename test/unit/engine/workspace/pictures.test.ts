import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseConfig } from '../../../../src/engine/config/config';
import { createEngine, type EngineHandlers } from '../../../../src/engine/engine';
import { discover } from '../../../../src/engine/workspace/discover';
import { readPictureTransforms } from '../../../../src/engine/workspace/scriptPictures';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { quietContext, testHost } from '../../../support/testHost';
import { copyRun, useRunFolders } from '../../../support/tinyRun';

const owned = useRunFolders();
let engine: EngineHandlers;
beforeAll(async () => {
  engine = createEngine(await testHost());
});

describe('a run on pictures that no whence.json describes', () => {
  const right = { resize: 20, crop: 16, scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] };
  const script = `
    train = transforms.Compose([transforms.RandomResizedCrop(16), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    test = transforms.Compose([transforms.Resize(20), transforms.CenterCrop(16), transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
`;

  const setUp = async (train: string | undefined) => {
    const run = owned(await copyRun('test/fixtures/pictureRun'));
    rmSync(run.config);
    rmSync(join(run.folder, 'make.py'));
    if (train !== undefined) await writeFile(join(run.folder, 'train.py'), train);
    const { text, problems } = await engine.setUp({ config: run.config }, quietContext());
    expect(problems).toEqual([]);
    await writeFile(run.config, text);
    const { config } = parseConfig(text, run.config);
    return { run, config: config!, check: await engine.check({ config: run.config }, quietContext()) };
  };

  test('finds its folders, and reads in the training script how pictures were resized', async () => {
    const constants = 'MEAN = [0.485, 0.456, 0.406]\nSTD = [0.229, 0.224, 0.225]\n';
    const { config, check } = await setUp(constants + script);
    expect(config.data).toEqual({
      train: { format: 'images', folder: 'data/train' },
      test: { format: 'images', folder: 'data/test' },
    });
    expect(config.preprocess).toEqual(right);
    expect(check.problems.filter(({ severity }) => severity === 'warning')).toEqual([]);
  });

  test('without a script finds a preprocessing under which the check has nothing to say', async () => {
    const { config, check } = await setUp(undefined);
    expect(config.preprocess).toMatchObject({ scale: 1 / 255 });
    expect(check.checkpoints.at(-1)!.accuracy).toBeGreaterThan(0.85);
    expect(check.problems.filter(({ severity }) => severity === 'warning')).toEqual([]);
  });
});

describe('folders of pictures', () => {
  test('are splits by their names, however deep the pictures lie', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'whence-splits-'));
    const picture = readFileSync(new URL('../../../fixtures/images/rgb.png', import.meta.url));
    for (const path of [
      'd/train/a/1.png',
      'd/train/b/2.png',
      'd/val/a/x/3.png',
      'd/other/4.png',
      'test.png',
      'e/test/5.jpg',
    ]) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), picture);
    }
    const { splits } = await discover(folder, nodeFiles());
    rmSync(folder, { recursive: true });
    const found = splits.map(({ name, folder: own }) => [name, own.slice(folder.length + 1)]);
    expect(found.sort()).toEqual([
      ['test', join('e', 'test')],
      ['train', join('d', 'train')],
      ['validation', join('d', 'val')],
    ]);
  });
});

test.each([
  ['transforms.Resize(256), transforms.CenterCrop(224)', { resize: 256, crop: 224 }],
  ['T.Resize((28, 30))', { resize: [28, 30] }],
  ['v2.Resize(size=(64, 48), interpolation=InterpolationMode.BICUBIC)', { resize: [64, 48], interpolation: 'bicubic' }],
  ['Resize([32, 32], Image.LANCZOS), Grayscale()', { channels: 'grey', resize: [32, 32], interpolation: 'lanczos' }],
  ['transforms.Grayscale(num_output_channels=1), transforms.ToTensor()', { channels: 'grey' }],
  ['RandomResizedCrop(224), transforms.Grayscale(3)', {}],
])('%s is read', (code, wanted) => {
  expect(readPictureTransforms(code)).toEqual(wanted);
});
