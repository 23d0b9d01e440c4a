import { expect, test } from 'vitest';
import { readOptimizer } from '../../../../src/engine/workspace/scriptOptimizer';

test.each<[string, string, object]>([
  [
    'keyword arguments',
    'opt = torch.optim.SGD(net.parameters(), lr=1e-2, momentum=0.9, weight_decay=5e-4, nesterov=True)',
    { kind: 'sgd', learningRate: 0.01, momentum: 0.9, weightDecay: 0.0005, nesterov: true },
  ],
  [
    'constants',
    'LR = 0.05\nMOMENTUM = .8\nopt = SGD(p, lr=LR, momentum=MOMENTUM)',
    { kind: 'sgd', learningRate: 0.05, momentum: 0.8 },
  ],
  [
    'argument defaults',
    'p.add_argument("--learning-rate", type=float, default=0.02, help="lr (start)")\nSGD(p, lr=a.learning_rate)',
    { kind: 'sgd', learningRate: 0.02 },
  ],
  ['a rate alone', 'SGD(p, lr=0.1)', { kind: 'sgd', learningRate: 0.1 }],
  ['a scheduler, whose max_lr is no lr', 'OneCycleLR(opt, max_lr=0.4)', {}],
  ['a momentum that cannot be', 'SGD(p, momentum=1)', { kind: 'sgd' }],
  [
    'no momentum from a normalization',
    'nn.BatchNorm2d(8, momentum=0.1)\nSGD(p, lr=0.1)',
    { kind: 'sgd', learningRate: 0.1 },
  ],
  [
    'AdamW with what it decays by if nothing is said',
    'nn.BatchNorm1d(4, momentum=0.1)\nopt = torch.optim.AdamW(p, lr=1e-3)',
    { kind: 'adamw', learningRate: 0.001, weightDecay: 0.01 },
  ],
  [
    'Adam in full, over lines',
    'optim.Adam(\n  [p for p in m.parameters()],\n  lr=3e-4, betas=(0.8, 0.95), eps=1e-6, weight_decay=0,\n)\nDataLoader(d, batch_size=32)',
    { kind: 'adam', learningRate: 0.0003, betas: [0.8, 0.95], epsilon: 1e-6, weightDecay: 0, batchSize: 32 },
  ],
  [
    "transformers' arguments",
    'TrainingArguments("out", learning_rate=5e-5, weight_decay=0.1, per_device_train_batch_size=8)',
    { kind: 'adamw', learningRate: 5e-5, weightDecay: 0.1, batchSize: 8 },
  ],
  ['a decay that nothing sets', 'AdamW(p, lr=0.1, weight_decay=decay())', { kind: 'adamw', learningRate: 0.1 }],
  ['an optimizer that is not known', 'optim.RMSprop(p, lr=0.1)', { otherOptimizer: 'RMSprop', learningRate: 0.1 }],
])('reads %s', (_, code, facts) => {
  expect(readOptimizer(code)).toEqual(facts);
});

test('does not hang on long nonsense', () => {
  const begin = performance.now();
  readOptimizer(`"--momentum" ${'x'.repeat(200_000)}`);
  readOptimizer(`AdamW(${'('.repeat(200_000)}`);
  readOptimizer(`BatchNorm(${'BatchNorm('.repeat(20_000)}`);
  expect(performance.now() - begin).toBeLessThan(2000);
});
