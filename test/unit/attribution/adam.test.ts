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

test("the paper's form is refused to runs of SGD", async () => {
  const run = await openFixture('adam/adam-1', asSgd);
  try {
    await expect(marginScores(run.loaded, 'source-elementwise')).rejects.toThrow('for trainings by Adam');
  } finally {
    await closeFixture(run);
  }
});

test('a batch size is asked for where nothing tells the second moments', async () => {
  const run = await openFixture('adam/adam-1', (config) => ({
    ...config,
    optimizer: { kind: 'adam', learningRate: 0.003 },
  }));
  try {
    await expect(marginScores(run.loaded, 'source')).rejects.toMatchObject({
      code: 'config-invalid',
      details: { place: 'optimizer.batchSize' },
    });
    await expect(marginScores(run.loaded, 'influence-functions')).resolves.toHaveLength(1200);
  } finally {
    await closeFixture(run);
  }
});

/** Every tensor has a learning rate and a weight decay of its own, within a layer too: decoupled and as L2. */
test.for(['adamw-groups-1', 'adam-l2-groups-1'])(
  '%s is told with the settings of its parameter groups',
  async (name) => {
    const grouped = await openFixture(`adam/${name}`);
    const ungrouped = await openFixture(`adam/${name}`, (config) => {
      const { groups: _, ...optimizer } = config.optimizer as Record<string, unknown>;
      return { ...config, optimizer };
    });
    const saved = await openFixture(`adam/${name}`, (config) => ({ ...config, checkpoints: 'states/step-*.pt' }));
    try {
      const scores = await marginScores(grouped.loaded, 'source');
      const expected = await goldenArray(grouped.folder, 'rescaled');
      const exact = await goldenArray(grouped.folder, 'exact');
      expect(relativeError(scores, expected)).toBeLessThanOrEqual(1e-4);
      const state = await goldenArray(grouped.folder, 'rescaled-state');
      expect(relativeError(await marginScores(saved.loaded, 'source'), state)).toBeLessThanOrEqual(1e-4);
      const without = await marginScores(ungrouped.loaded, 'source');
      expect(relativeError(without, expected)).toBeGreaterThan(1e-2);
      const r = [scores, without].map((own) => pearson(own, exact));
      console.log(`${name} ${r[0]!.toFixed(3)}, without its groups ${r[1]!.toFixed(3)}`);
      expect(r[0]).toBeGreaterThanOrEqual(0.88);
      expect(r[0]).toBeGreaterThan(r[1]!);
    } finally {
      for (const run of [grouped, ungrouped, saved]) await closeFixture(run);
    }
  },
);

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

  test("is told worse by the paper's form", async () => {
    const run = await openFixture(`adam/${name}`);
    try {
      const scores = await marginScores(run.loaded, 'source-elementwise');
      const exact = await goldenArray(run.folder, 'exact');
      // It divides by the curvature of directions that have none but float32's noise, which shows.
      const paper = await goldenArray(run.folder, 'paper');
      expect(relativeError(scores, paper)).toBeLessThanOrEqual(1e-2);
      expect(pearson(scores, paper)).toBeGreaterThan(0.9999);
      const rescaled = pearson(await goldenArray(run.folder, 'rescaled'), exact);
      console.log(`${name} by the paper's form ${pearson(scores, exact).toFixed(3)}`);
      expect(pearson(scores, exact)).toBeLessThan(rescaled - 0.02);
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
