import { describe, expect, test } from 'vitest';
import { optimizerWords, resolveOptimizer } from '../../../../src/engine/run/optimizer';
import { settingsOf } from '../../../../src/engine/run/trajectory';
import type { OptimizerState } from '../../../../src/formats/trainingState';

const saved: OptimizerState = {
  kind: 'adamw',
  groups: [
    {
      parameters: ['fc.weight'],
      learningRate: 0,
      initialLearningRate: 0.01,
      weightDecay: 0.1,
      betas: [0.9, 0.98],
      epsilon: 1e-7,
    },
    { parameters: ['fc.bias', 'head.bias'], learningRate: 0, initialLearningRate: 0.05, weightDecay: 0 },
  ],
  secondMoments: new Map(),
};

describe('resolveOptimizer', () => {
  test('takes from the checkpoints what whence.json does not say', () => {
    const { optimizer, problems } = resolveOptimizer({ kind: 'adamw' }, saved, 32, 'whence.json');
    expect(problems).toEqual([]);
    expect(optimizer).toEqual({
      kind: 'adamw',
      momentum: 0,
      nesterov: false,
      weightDecay: 0.1,
      betas: [0.9, 0.98],
      epsilon: 1e-7,
      batchSize: 32,
      groups: [{ parameters: ['fc.bias', 'head.bias'], learningRateScale: 5, weightDecay: 0 }],
    });
    expect(settingsOf(optimizer, 'fc.weight')).toEqual({ learningRateScale: 1, weightDecay: 0.1 });
    expect(settingsOf(optimizer, 'head.bias')).toMatchObject({ learningRateScale: 5, weightDecay: 0 });
    expect(optimizerWords(optimizer)).toBe(
      'AdamW, betas 0.9 and 0.98, weight decay 0.1, batch size 32, 2 parameter groups',
    );
  });

  test('follows whence.json where both speak, and says where they differ', () => {
    const config = { kind: 'adamw', weightDecay: 0.2, betas: [0.9, 0.98], groups: [] } as const;
    const { optimizer, problems } = resolveOptimizer(config, saved, undefined, 'whence.json');
    expect(optimizer).toMatchObject({ weightDecay: 0.2, betas: [0.9, 0.98], epsilon: 1e-7, groups: [] });
    expect(problems).toEqual([
      expect.objectContaining({
        severity: 'warning',
        file: 'whence.json',
        message: expect.stringContaining('weight decay 0.2, not 0.1'),
      }),
    ]);
  });

  test('learns nothing from the state of another optimizer, and says so', () => {
    const { optimizer, problems } = resolveOptimizer({ kind: 'sgd', momentum: 0.9 }, saved, undefined, 'w');
    expect(optimizer).toMatchObject({ kind: 'sgd', momentum: 0.9, weightDecay: 0, groups: [] });
    expect(problems[0]!.message).toContain('SGD, not AdamW');
  });

  test('names groups whose weights are not known', () => {
    const nameless = { ...saved, groups: saved.groups.map(({ parameters, ...group }) => group) };
    const { optimizer, problems } = resolveOptimizer({ kind: 'adamw' }, nameless, undefined, 'w');
    expect(optimizer.groups).toEqual([]);
    expect(problems[0]!.message).toContain("1 of the optimizer's 2 parameter groups is not known");
  });
});
