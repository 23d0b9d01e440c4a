import { describe, expect, test } from 'vitest';
import { gradientRules } from '../../../src/autodiff/rules';
import { type GradientCheck, gradientError } from './gradientCheck';
import { gradientChecks, graphChecks } from './gradientChecks';

test('every rule has a gradient check', () => {
  const checked = new Set(gradientChecks.map((check) => check.op));
  expect(Object.keys(gradientRules).filter((op) => !checked.has(op))).toEqual([]);
});

test('every rule has checks of several shapes', () => {
  const shapesOf = (op: string) =>
    gradientChecks
      .filter((check) => check.op === op)
      .map(({ inputs }) =>
        Object.values(inputs)
          .map(({ dims }) => dims.join())
          .join(' '),
      );
  expect(Object.keys(gradientRules).filter((op) => new Set(shapesOf(op)).size < 2)).toEqual([]);
});

function single(check: GradientCheck): boolean {
  return Object.values(check.inputs).some((tensor) => tensor.dtype === 'float32');
}

describe.each([
  ['one op', gradientChecks],
  ['a graph', graphChecks],
])('gradients of %s equal central differences', (_, checks) => {
  test.each(checks.map((check) => [`${check.op}: ${check.what}`, check] as const))('%s', async (_name, check) => {
    const { first, second } = single(check) ? await gradientError(check, 1e-2) : await gradientError(check, 1e-4);
    const tolerance = single(check) ? 1e-3 : 1e-8;
    expect(first).toBeLessThan(tolerance);
    expect(second).toBeLessThan(tolerance);
  });
});
