import { expect, test } from 'vitest';
import { formatOptimizer, parseOptimizer, type StatedOptimizer } from '../../../src/protocol/optimizerText';

test.each<[string, StatedOptimizer]>([
  ['SGD(lr=0.1, momentum=0.9, nesterov=True)', { kind: 'sgd', learningRate: 0.1, momentum: 0.9, nesterov: true }],
  [
    'AdamW(lr=0.0003, weight_decay=0.01, betas=(0.8, 0.95), eps=1e-8, batch_size=64)',
    { kind: 'adamw', learningRate: 3e-4, weightDecay: 0.01, betas: [0.8, 0.95], epsilon: 1e-8, batchSize: 64 },
  ],
  ['Adam()', { kind: 'adam' }],
])('%s is read and written', (text, optimizer) => {
  expect(parseOptimizer(text)).toEqual(optimizer);
  expect(formatOptimizer(optimizer)).toBe(text);
});

test('is read as it stands in scripts', () => {
  expect(parseOptimizer(' torch.optim.adamw(model.parameters(), lr = 1e-3,\n betas=[0.9, 0.99],) ')).toEqual({
    kind: 'adamw',
    learningRate: 1e-3,
    betas: [0.9, 0.99],
  });
});

test.each([
  '',
  'SGD',
  'Lion(lr=1)',
  'SGD(lr=0)',
  'SGD(lr=fast)',
  'SGD(momentum=1)',
  'SGD(0.1)',
  'SGD(lr=0.1 momentum=0.9)',
  'Adam(betas=(0.9))',
  'Adam(betas=(0.9, 1))',
  'Adam(batch_size=1.5)',
  'SGD(size=3)',
  'SGD(nesterov=yes)',
])('%j is refused', (text) => expect(parseOptimizer(text)).toBeUndefined());
