import { expect, test } from 'vitest';
import { readScript } from '../../../../src/engine/workspace/trainingScript';

test.each<[string, string, object]>([
  ['no comment', '# momentum=0.5\nSGD(p, lr=0.1)', { optimizer: { kind: 'sgd', learningRate: 0.1 } }],
  ['classes over several lines', 'CLASSES = [\n    \'cat\',\n    "big dog",\n]\n', { classes: ['cat', 'big dog'] }],
  ['classes in a tuple', 'class_names = ("a", "b")', { classes: ['a', 'b'] }],
  ['classes that are computed', 'classes = sorted(set(labels))', {}],
  [
    'a pair of statistics',
    'MEAN, STD = 0.2860, 0.3530  # pixels\nx = (x / 255 - MEAN) / STD',
    { preprocess: { scale: 1 / 255, mean: 0.286, std: 0.353 } },
  ],
  [
    'Normalize',
    'T.Compose([T.ToTensor(), T.Normalize((0.1307,), (0.3081,))])',
    { preprocess: { scale: 1 / 255, mean: 0.1307, std: 0.3081 } },
  ],
  [
    'Normalize by channel',
    'ToTensor(), Normalize(mean=[0.5, 0.4, 0.3], std=[0.2, 0.2, 0.1])',
    { preprocess: { scale: 1 / 255, mean: [0.5, 0.4, 0.3], std: [0.2, 0.2, 0.1] } },
  ],
  ['a scale alone', 'x = x.float().div(255)', { preprocess: { scale: 1 / 255 } }],
  ['StandardScaler', 'x = StandardScaler().fit_transform(x)', { preprocess: { standardize: true } }],
  ['column statistics', 'mean, std = x.mean(0), x.std(axis=0)', { preprocess: { standardize: true } }],
  [
    'how to train on a part',
    'parser.add_argument("--out")\nparser.add_argument("--subset", type=Path)\nparser.add_argument("--seed")',
    { retrain: ['--subset', '{subset}', '--seed', '{seed}', '--out', '{out}'] },
  ],
  ['a script that takes no part of the data', 'parser.add_argument("--out")\nparser.add_argument("--subset-size")', {}],
  ['a regression', 'loss = F.mse_loss(model(x), y)', { loss: 'squared-error' }],
])('reads %s', (_, code, facts) => {
  expect(readScript(code)).toEqual({ optimizer: expect.anything(), ...facts });
});

test('does not hang on long nonsense', () => {
  const begin = performance.now();
  readScript(`CLASSES = [${'"a" , '.repeat(20_000)}`);
  readScript(`CLASSES = [${'"a"   '.repeat(20_000)}`);
  readScript(`Normalize((${'1, '.repeat(20_000)}`);
  readScript(`"--momentum" ${'x'.repeat(200_000)}`);
  expect(performance.now() - begin).toBeLessThan(2000);
});
