import { expect, test } from 'vitest';
import { commandText, trainingCommand } from '../../../src/cli/retrain/trainingCommand';
import { placesOf, trainedExamples, trainingSplits } from '../../../src/cli/retrain/trainingSplits';
import { changes } from '../../../src/cli/retrain/without';
import { parseExamples } from '../../../src/cli/retrainingOptions';
import type { TrainingRun } from '../../../src/protocol/model';

const split = (name: string, examples: number) => ({ name, format: 'csv', files: [], examples });
const run: TrainingRun = {
  ...{ config: '/run/whence.json', name: 'run', folder: '/run', model: '/run/model.onnx', optimizer: 'SGD' },
  ...{ checkpoints: [], classes: [], segments: [], problems: [] },
  loss: 'cross-entropy',
  splits: [split('train', 7), split('upright', 30), split('lying', 10), split('test', 5)],
};

test('examples are named by a list in which a split holds until another stands', () => {
  expect(parseExamples('train:1,5,9-12,lying:3,0')).toEqual([
    { split: 'train', from: 1, to: 1 },
    { split: 'train', from: 5, to: 5 },
    { split: 'train', from: 9, to: 12 },
    { split: 'lying', from: 3, to: 3 },
    { split: 'lying', from: 0, to: 0 },
  ]);
  expect(() => parseExamples('train:x')).toThrow('is not like');
});

test('they are counted through all stages, as scores are', () => {
  const whole = trainingSplits(run, {});
  expect([trainedExamples(whole), placesOf(parseExamples('5,2-3,3'), whole)]).toEqual([7, [2, 3, 5]]);
  const stages = trainingSplits(run, {
    stages: [
      { until: 5, train: 'upright' },
      { until: 9, train: 'lying' },
    ],
  });
  expect([trainedExamples(stages), placesOf(parseExamples('lying:2,upright:4'), stages)]).toEqual([40, [4, 32]]);
  expect(() => placesOf(parseExamples('lying:10'), stages)).toThrow('There is no lying:10; there are 10, from 0.');
  expect(() => placesOf(parseExamples('train:1'), stages)).toThrow('train is not trained on');
});

test("a claim's change is a mean over seeds with its standard error, as NumPy has it", () => {
  // with: [1, 2, 4], without: [0, 2.5, 1]; np.mean and np.std(ddof=1) / sqrt(3) of the differences
  const [{ mean, error }] = changes(Float64Array.of(1, 2, 4, 0, 2.5, 1), 3, 1) as [{ mean: number; error: number }];
  expect(mean).toBeCloseTo(-1.1666666666666667, 12);
  expect(error).toBeCloseTo(1.0137937550497034, 12);
});

test('a command gets its inputs as whole words, and in the environment', () => {
  const inputs = { subset: "/a b/it's.txt", seed: 4, out: '/o', queries: '/q.json' };
  const listed = trainingCommand({ command: ['python', 'train.py', '--rows={subset}', '{seed}'] }, inputs);
  expect(listed).toMatchObject({ program: 'python', args: ['train.py', "--rows=/a b/it's.txt", '4'], shell: false });
  expect(listed.environment).toEqual({
    WHENCE_SUBSET: "/a b/it's.txt",
    WHENCE_SEED: '4',
    WHENCE_OUT: '/o',
    WHENCE_QUERIES: '/q.json',
  });
  const command = 'make train ROWS={subset} && echo {other}';
  const line = trainingCommand({ command }, inputs);
  const quoted = process.platform === 'win32' ? '"/a b/it\'s.txt"' : "'/a b/it'\\''s.txt'";
  expect(line).toMatchObject({ program: `make train ROWS=${quoted} && echo {other}`, args: [], shell: true });
  expect(commandText({ command: ['python', 'my train.py', '{out}'] })).toBe('python "my train.py" {out}');
});
