import { describe, expect, test } from 'vitest';
import { savedAt, stepProblem } from '../../../../src/engine/run/checkpointSteps';

const optimizer = { groups: [], secondMoments: new Map() };

describe('savedAt', () => {
  test.each([
    ['model.pt', { step: 30 }, { step: 30, counts: 'updates' }],
    ['step-20.pt', { step: 30 }, { step: 30, counts: 'updates' }],
    ['epoch_2.pt', { epoch: 2, optimizer: { ...optimizer, updates: 40 } }, { step: 40, counts: 'updates' }],
    ['step-20.pt', {}, { step: 20, counts: 'updates' }],
    ['epoch=1-step=100.ckpt', {}, { step: 100, counts: 'updates' }],
    ['checkpoint-500/model.safetensors', {}, { step: 500, counts: 'updates' }],
    ['epoch_02.safetensors', {}, { step: 2, counts: 'epochs' }],
    ['model.pt', { epoch: 3 }, { step: 3, counts: 'epochs' }],
    ['model.pt', {}, undefined],
  ] as const)('of %s that says %j is %j', (path, state, expected) => {
    expect(savedAt(`/run/${path}`, state)).toEqual(expected);
  });
});

describe('stepProblem', () => {
  test('says that the name and the file disagree', () => {
    expect(stepProblem('/run/step-300.pt', { step: 250 })).toMatchObject({
      severity: 'warning',
      file: '/run/step-300.pt',
      message: expect.stringContaining('The name says step 300, the file itself step 250'),
    });
    expect(stepProblem('/run/checkpoint-300/model.pt', { step: 250 })).toBeDefined();
  });

  test.each([
    ['step-300.pt', { step: 300 }],
    ['step-300.pt', { step: 299 }],
    ['step-300.pt', {}],
    ['epoch=3.ckpt', { step: 250, epoch: 3 }],
    ['model_3.pt', { step: 250 }],
    ['model.pt', { step: 250 }],
  ])('finds nothing wrong with %s that says %j', (path, state) => {
    expect(stepProblem(`/run/${path}`, state)).toBeUndefined();
  });
});
