import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { applyPreprocess, datasetStatistics, featureStatistics } from '../../../src/formats/transform';
import { fixtures } from './files';

/** What numpy and PyTorch computed. */
const golden = JSON.parse(readFileSync(`${fixtures}preprocess.json`, 'utf8'));
const pixels = Float32Array.from(golden.pixels);

function largestDifference(values: Float32Array, expected: readonly number[]): number {
  expect(values.length).toBe(expected.length);
  return Math.max(...expected.map((value, index) => Math.abs(value - values[index]!)));
}

describe('applyPreprocess', () => {
  test('equals PyTorch bit by bit for pixels over 255 with one mean', () => {
    const values = applyPreprocess(pixels, golden.dims, { scale: 1 / 255, mean: 0.286, std: 0.353 });
    expect(largestDifference(values, golden.single)).toBe(0);
  });

  test('knows 1/255 from its decimal digits', () => {
    const values = applyPreprocess(pixels, golden.dims, { scale: 0.00392156862745098, mean: 0.286, std: 0.353 });
    expect(largestDifference(values, golden.single)).toBe(0);
  });

  test('takes a mean for each channel', () => {
    const preprocess = { scale: 1 / 255, mean: golden.mean, std: golden.std };
    expect(largestDifference(applyPreprocess(pixels, golden.dims, preprocess), golden.channels)).toBe(0);
  });

  test('takes a mean for each trailing channel and for each column', () => {
    const inputs = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect([...applyPreprocess(inputs, [1, 3, 2], { mean: [1, 2] })]).toEqual([0, 0, 2, 2, 4, 4]);
    expect([...applyPreprocess(inputs, [3], { mean: [1, 2, 3], std: [1, 1, 3] })]).toEqual([0, 0, 0, 3, 3, 1]);
  });

  test('standardizes a table as scikit-learn does, a constant column too', () => {
    const table = Float32Array.from(golden.table);
    const values = applyPreprocess(table, [4], { standardize: true }, featureStatistics(table, 4));
    expect(largestDifference(values, golden.standardized)).toBeLessThan(1e-6);
  });

  test('takes the statistics of a data set in parts as those of one array', async () => {
    const [examples, width] = [3001, 700];
    const inputs = Float32Array.from({ length: examples * width }, (_, i) => ((i * 37) % 101) / 7 - (i % width));
    const sizes: number[] = [];
    const statistics = await datasetStatistics({
      length: examples,
      featureDims: [width],
      async batch(indices) {
        sizes.push(indices.length);
        const parts = indices.flatMap((index) => [...inputs.subarray(index * width, (index + 1) * width)]);
        return { inputs: Float32Array.from(parts), labels: new Float64Array(indices.length) };
      },
    });
    expect(statistics).toEqual(featureStatistics(inputs, width));
    expect(Math.max(...sizes)).toBeLessThan(examples);
  });

  test('without preprocessing gives the features as they are, in other memory', () => {
    const values = applyPreprocess(pixels, golden.dims);
    expect(values).toEqual(pixels);
    expect(values).not.toBe(pixels);
  });

  test('refuses as many means as neither channels nor features', () => {
    expect(() => applyPreprocess(pixels, golden.dims, { mean: [1, 2, 3] })).toThrow('3 numbers');
  });
});
