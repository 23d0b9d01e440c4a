import { describe, expect, test } from 'vitest';
import { closeFixture, goldenArray, marginScores, openFixture } from '../../support/fixtureRun';
import { pearson, relativeError } from '../../support/statistics';

/**
 * A perceptron of 99 weights, trained by Adam in minibatches; the derivative of each margin in each example's weight goes
 * through all 200 steps, moments included (test/fixtures/adam/make.py).
 */
const runs = ['adam-1', 'adam-2', 'adam-3', 'adam-l2-1', 'adamw-1', 'adamw-2', 'adamw-3'];

const asSgd = (config: Record<string, unknown>) => {
  const { learningRate, weightDecay } = config.optimizer as Record<string, unknown>;
  return { ...config, optimizer: { kind: 'sgd', learningRate, weightDecay } };
};

describe.for(runs)('%s', (name) => {
  test('is told by SOURCE in rescaled coordinates, without the optimizer having been kept', async () => {
    const run = await openFixture(`adam/${name}`);
    try {
      const scores = await marginScores(run.loaded, 'source');
      const exact = await goldenArray(run.folder, 'exact');
      const r = pearson(scores, exact);
      console.log(`${name} rescaled ${r.toFixed(3)}`);
      expect(relativeError(scores, await goldenArray(run.folder, 'rescaled'))).toBeLessThanOrEqual(1e-4);
      expect(r).toBeGreaterThanOrEqual(0.9);
      expect(r).toBeGreaterThan(pearson(await goldenArray(run.folder, 'paper-state'), exact) + 0.02);
    } finally {
      await closeFixture(run);
    }
  });

  test("is told by the optimizer's own second moments too", async () => {
    const run = await openFixture(`adam/${name}`, (config) => ({ ...config, checkpoints: 'states/step-*.pt' }));
    try {
      const scores = await marginScores(run.loaded, 'source');
      const exact = await goldenArray(run.folder, 'exact');
      const r = pearson(scores, exact);
      console.log(`${name} rescaled, state kept ${r.toFixed(3)}`);
      expect(relativeError(scores, await goldenArray(run.folder, 'rescaled-state'))).toBeLessThanOrEqual(1e-4);
      expect(r).toBeGreaterThanOrEqual(0.9);
    } finally {
      await closeFixture(run);
    }
  });

  test("is not told by SGD's form", async () => {
    const run = await openFixture(`adam/${name}`, asSgd);
    try {
      const scores = await marginScores(run.loaded, 'source');
      const exact = await goldenArray(run.folder, 'exact');
      expect(relativeError(scores, await goldenArray(run.folder, 'sgd'))).toBeLessThanOrEqual(1e-4);
      expect(pearson(scores, exact)).toBeLessThan(0.9);
    } finally {
      await closeFixture(run);
    }
  });
});
