import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readTrainingLog, totalLearningRate } from '../../../../src/engine/run/trainingLog';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { failureOf, sourceOf } from '../../formats/files';

const log = (text: string) => readTrainingLog(sourceOf(text, '/run/log.csv'));

describe('readTrainingLog', () => {
  test('takes columns and rows in any order', async () => {
    expect((await log('loss,LR,Global Step\n0.5,0.1,20\n0.9,0.2,3\n')).steps).toEqual([
      { step: 3, learningRate: 0.2, loss: 0.9 },
      { step: 20, learningRate: 0.1, loss: 0.5 },
    ]);
  });

  test.each(['lr-SGD', 'lr-Adam', 'lr-AdamW', 'lr-AdamW/pg1'])("takes %s of Lightning's monitor", async (column) => {
    const { steps } = await log(`epoch,${column},step,train_loss_step\n,0.1,0,\n0,,0,2\n,0.05,50,\n0,,50,1\n`);
    expect(steps).toEqual([
      { step: 0, learningRate: 0.1, loss: 2 },
      { step: 50, learningRate: 0.05, loss: 1 },
    ]);
  });

  test('takes rows of one step together, empty and nan cells as absent', async () => {
    expect((await log('epoch,step,lr,train_loss\n0,1,0.1,\n0,1,,2.5\n0,2,,nan\n')).steps).toEqual([
      { step: 1, learningRate: 0.1, loss: 2.5 },
      { step: 2 },
    ]);
  });

  test.each([
    ['epoch,accuracy\n1,2\n', 'line 1', 'malformed-file'],
    ['step,lr\n1,0.1\nx,0.1\n', 'line 3, column step', 'malformed-file'],
    ['step,lr\n1.5,0.1\n', 'line 2, column step', 'malformed-file'],
    ['step,lr\n1,fast\n', 'line 2, column lr', 'malformed-file'],
    ['step,lr\n1,-0.1\n', 'line 2, column lr', 'malformed-file'],
    ['step,lr\n1,nan\n', 'line 2, column lr', 'malformed-file'],
    ['step,lr\n', 'line 2', 'empty-data'],
  ])('%j is refused at %s', async (text, place, code) => {
    expect(await failureOf(log(text))).toMatchObject({ code, details: { file: '/run/log.csv', place } });
  });
});

describe('totalLearningRate', () => {
  test('of a constant is rate times updates', () => {
    expect(totalLearningRate(0.1, 100, 400)).toBeCloseTo(30, 12);
    expect(totalLearningRate(0.1, 400, 400)).toBe(0);
  });

  test('sums a row for each update exactly, numbered from 1 or from 0', async () => {
    const fromOne = await log('step,lr\n1,1\n2,10\n3,100\n4,1000\n');
    expect(totalLearningRate(fromOne, 0, 4)).toBe(1111);
    expect(totalLearningRate(fromOne, 0, 2)).toBe(11);
    expect(totalLearningRate(fromOne, 2, 4)).toBe(1100);
    const fromZero = await log('step,lr\n0,1\n1,10\n2,100\n3,1000\n');
    expect(totalLearningRate(fromZero, 0, 4)).toBe(1111);
    expect(totalLearningRate(fromZero, 1, 3)).toBe(110);
  });

  test('sums a row for every 50th update as a staircase', async () => {
    const sparse = await log('step,lr\n0,0.1\n50,0.01\n100,0.001\n');
    expect(totalLearningRate(sparse, 0, 50)).toBeCloseTo(5, 12);
    expect(totalLearningRate(sparse, 25, 75)).toBeCloseTo(2.5 + 0.25, 12);
    expect(totalLearningRate(sparse, 50, 200)).toBeCloseTo(0.5 + 0.1, 12);
    const late = await log('step,lr\n50,0.1\n100,0.1\n');
    expect(totalLearningRate(late, 0, 120)).toBeCloseTo(12, 12);
  });

  test('leaves out rows without a rate', async () => {
    const mixed = await log('step,lr,loss\n1,0.1,\n2,,3\n3,0.2,\n');
    expect(totalLearningRate(mixed, 0, 3)).toBeCloseTo(0.1 + 0.1 + 0.2, 12);
  });

  test('says what is missing where no rate was logged', async () => {
    const silent = await log('step,loss\n1,2\n');
    expect(() => totalLearningRate(silent, 0, 1)).toThrow('The training log has no learning rates.');
  });

  test('of the falling rate of a sample is the sum of its column', async () => {
    const path = fileURLToPath(new URL('../../../../sample/breast-cancer/training-log.csv', import.meta.url));
    const rates = readFileSync(path, 'utf8')
      .trim()
      .split('\n')
      .slice(1)
      .map((line) => Number(line.split(',')[1]));
    const read = await readTrainingLog(await nodeFiles().open(path));
    expect(totalLearningRate(read, 0, 300)).toBeCloseTo(
      rates.reduce((sum, rate) => sum + rate, 0),
      12,
    );
    expect(totalLearningRate(read, 100, 200)).toBeCloseTo(
      rates.slice(100, 200).reduce((sum, rate) => sum + rate, 0),
      12,
    );
  });
});
