import { describe, expect, test } from 'vitest';
import { symmetricEigen } from '../../../src/attribution/jacobi';
import { isWorthTruncating, truncated } from '../../../src/attribution/lowRank';
import { Algebra } from '../../../src/curvature/algebra';
import { randomFloats, randomNumbers } from '../../support/random';
import { relativeError } from '../../support/statistics';
import { runtime } from '../../support/tinySubject';

const [outputs, inputs, rank] = [60, 90, 6];
const singular = Array.from({ length: 40 }, (_, j) => 0.8 ** j);

/** Orthonormal vectors: the cosine transform's. */
function cosine(j: number, n: number): number[] {
  const scale = Math.sqrt((j === 0 ? 1 : 2) / n);
  return Array.from({ length: n }, (_, i) => scale * Math.cos((Math.PI * (i + 0.5) * j) / n));
}

/** `Σ_j σ_j u_j v_jᵀ` over the first terms, so that its best approximations are known. */
function matrix(terms: number, shift: number): Float64Array {
  const values = new Float64Array(outputs * inputs);
  for (let j = 0; j < terms; j++) {
    const [u, v] = [cosine(j + shift, outputs), cosine(j + 2 * shift, inputs)];
    for (let o = 0; o < outputs; o++) {
      for (let i = 0; i < inputs; i++) {
        values[o * inputs + i] = values[o * inputs + i]! + singular[j]! * u[o]! * v[i]!;
      }
    }
  }
  return values;
}

describe('truncated queries', () => {
  test('are the best approximations of their rank, and what they leave out is measured', async () => {
    const algebra = await Algebra.open(runtime);
    const queries = [0, 7];
    const all = queries.flatMap((shift) => [...matrix(singular.length, shift)]);
    const truncation = { norms: new Float64Array(2), leftOut: new Float64Array(2) };
    const values = { dims: [2, outputs, inputs], values: Float32Array.from(all) };
    const { left, right } = await truncated(algebra, values, rank, truncation);
    const squares = (from: number) => singular.slice(from).reduce((sum, value) => sum + value * value, 0);
    for (const [q, shift] of queries.entries()) {
      const found = new Float64Array(outputs * inputs);
      for (let j = q * rank; j < (q + 1) * rank; j++) {
        for (let o = 0; o < outputs; o++) {
          for (let i = 0; i < inputs; i++) {
            found[o * inputs + i] =
              found[o * inputs + i]! + left.values[j * outputs + o]! * right.values[j * inputs + i]!;
          }
        }
      }
      expect(relativeError(found, matrix(rank, shift))).toBeLessThan(2e-3);
      expect(truncation.norms[q]).toBeCloseTo(squares(0), 5);
      // No approximation of this rank leaves out less.
      expect(truncation.leftOut[q]! / squares(rank)).toBeGreaterThan(1 - 1e-4);
      expect(truncation.leftOut[q]! / squares(rank)).toBeLessThan(1 + 1e-3);
    }
  });

  test('score as the matrices that they stand for', async () => {
    const algebra = await Algebra.open(runtime);
    const random = randomNumbers(3);
    const rows = (count: number, width: number) => ({
      dims: [count, width],
      values: randomFloats(count * width, random),
    });
    const [activations, gradients] = [rows(5, inputs), rows(5, outputs)];
    const values = Float32Array.from(matrix(rank, 0));
    const queries = { dims: [1, outputs, inputs], values };
    const low = await truncated(algebra, queries, rank, { norms: new Float64Array(1), leftOut: new Float64Array(1) });
    const expected = await algebra.score(queries, activations, gradients);
    expect(relativeError(await algebra.scoreLowRank(low, activations, gradients), expected)).toBeLessThan(1e-4);
  });

  test('are made only where that is less work', () => {
    expect(isWorthTruncating(4096, 4096, 32)).toBe(true);
    expect(isWorthTruncating(10, 512, 32)).toBe(false);
    expect(isWorthTruncating(64, 64, 32)).toBe(false);
  });
});

test('Jacobi rotations diagonalise', () => {
  const n = 23;
  const random = randomNumbers(9);
  const a = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      const value = random() - 0.5;
      a[i * n + j] = value;
      a[j * n + i] = value;
    }
  }
  const { values, vectors } = symmetricEigen(a, n);
  for (let k = 0; k < n; k++) {
    const v = vectors.subarray(k * n, (k + 1) * n);
    expect(Math.hypot(...v)).toBeCloseTo(1, 12);
    if (k > 0) expect(values[k]).toBeLessThanOrEqual(values[k - 1]!);
    for (let i = 0; i < n; i++) {
      const product = v.reduce((sum, value, j) => sum + a[i * n + j]! * value, 0);
      expect(product - values[k]! * v[i]!).toBeCloseTo(0, 11);
    }
  }
});
