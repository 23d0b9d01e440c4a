import { expect, test } from 'vitest';
import { readScript } from '../../../../src/engine/workspace/trainingScript';

test.each<[string, string, object]>([
  [
    'keyword arguments',
    'opt = torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9, weight_decay=5e-4, nesterov=True)',
    { learningRate: 0.01, momentum: 0.9, weightDecay: 0.0005, nesterov: true },
  ],
  [
    'constants',
    'LR = 0.05\nMOMENTUM = .8\nopt = SGD(p, lr=LR, momentum=MOMENTUM)',
    { learningRate: 0.05, momentum: 0.8 },
  ],
  [
    'argument defaults',
    'p.add_argument("--learning-rate", type=float, default=0.02, help="lr (start)")\nSGD(p, lr=a.learning_rate)',
    { learningRate: 0.02 },
  ],
  ['a comment, which says nothing', '# momentum=0.5\nSGD(p, lr=0.1)', { learningRate: 0.1 }],
  ['a scheduler, whose max_lr is no lr', 'OneCycleLR(opt, max_lr=0.4)', {}],
  ['a momentum that cannot be', 'BatchNorm(momentum=1)', {}],
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
  ['a regression', 'loss = F.mse_loss(model(x), y)', { loss: 'squared-error' }],
  ['another optimizer', 'opt = torch.optim.AdamW(p, lr=1e-3)', { otherOptimizer: 'AdamW', learningRate: 0.001 }],
])('reads %s', (_, code, facts) => {
  expect(readScript(code)).toEqual(facts);
});

test('does not hang on long nonsense', () => {
  const begin = performance.now();
  readScript(`CLASSES = [${'"a" , '.repeat(20_000)}`);
  readScript(`CLASSES = [${'"a"   '.repeat(20_000)}`);
  readScript(`Normalize((${'1, '.repeat(20_000)}`);
  readScript(`"--momentum" ${'x'.repeat(200_000)}`);
  expect(performance.now() - begin).toBeLessThan(2000);
});
