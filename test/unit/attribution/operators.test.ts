import { expect, test } from 'vitest';
import { methods } from '../../../src/attribution/methods';
import { propagate, respond } from '../../../src/attribution/methods/source';
import { cutSegments } from '../../../src/attribution/segments';

const eigenvalues = [0, 1e-14, 1e-6, 0.01, 0.3, 2, 50, 1e4];

test.for(eigenvalues)('two segments with the same curvature are one (h = %d)', (h) => {
  for (const [first, second] of [
    [0.5, 3],
    [20, 1e-3],
    [1e-8, 700],
  ] as const) {
    const whole = respond(first + second, h);
    const split = respond(second, h) + propagate(second, h) * respond(first, h);
    expect(Math.abs(split - whole)).toBeLessThanOrEqual(1e-12 * whole);
    expect(propagate(first, h) * propagate(second, h)).toBeCloseTo(propagate(first + second, h), 14);
  }
});

test('no curvature responds with the time itself, and nothing is divided by zero', () => {
  expect(respond(3, 0)).toBe(3);
  expect(respond(3, 1e-300)).toBe(3);
  expect(propagate(3, 0)).toBe(1);
});

test.for(eigenvalues)('a segment without steps contributes nothing (h = %d)', (h) => {
  expect(respond(0, h)).toBe(0);
  expect(propagate(0, h)).toBe(1);
});

test.for([0.01, 0.3, 2, 50])('endless training is the undamped inverse (h = %d)', (h) => {
  expect(respond(1e9, h)).toBeCloseTo(1 / h, 10);
});

test('weight decay is added to every eigenvalue', () => {
  const segments = [{ from: 0, to: 10, totalLearningRate: 2, checkpoints: [0] }];
  const facts = { segments, checkpoints: 1, learningRates: [0.1], examples: 4 };
  const [segment] = methods.source.plan(facts);
  expect(segment!.respond(Float32Array.of(0, 1), 0.5)).toEqual(Float32Array.of(respond(2, 0.5), respond(2, 1.5)));
  expect(segment!.propagate!(Float32Array.of(0, 1), 0.5)).toEqual(Float32Array.of(Math.exp(-1), Math.exp(-3)));
});

test('every method names itself and plans over the run it is given', () => {
  const segments = [
    { from: 0, to: 10, totalLearningRate: 2, checkpoints: [0, 1] },
    { from: 10, to: 20, totalLearningRate: 2, checkpoints: [2] },
  ];
  const facts = { segments, checkpoints: 3, learningRates: [0.1, 0.1, 0.05], examples: 4 };
  for (const [name, method] of Object.entries(methods)) {
    expect(method.name).toBe(name);
    if (!('plan' in method)) continue;
    const plan = method.plan(facts);
    for (const segment of plan) {
      expect(Math.max(...segment.checkpoints)).toBeLessThan(3);
      const response = segment.respond(new Float32Array(6));
      expect(response.every(Number.isFinite)).toBe(true);
    }
  }
  expect(methods.tracin.plan(facts).map(({ scale }) => scale)).toEqual([0.1, 0.1, 0.05]);
});

const schedule = (checkpointSteps: number[], rate: (step: number) => number, momentum = 0) => ({
  checkpointSteps,
  momentum,
  totalLearningRate: (from: number, to: number) => {
    let sum = 0;
    for (let k = from; k < to; k++) sum += rate(k);
    return sum;
  },
});

test('segments have equal learning-rate time, over one minus momentum, and own the checkpoints within', () => {
  const segments = cutSegments(
    schedule([263, 527, 790, 1053, 1317, 1580], () => 0.01, 0.9),
    3,
  );
  expect(segments.map(({ from, to }) => [from, to])).toEqual([
    [0, 527],
    [527, 1053],
    [1053, 1580],
  ]);
  expect(segments.map(({ checkpoints }) => checkpoints)).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  expect(segments.map(({ totalLearningRate }) => totalLearningRate.toFixed(1))).toEqual(['52.7', '52.6', '52.7']);
});

test('a falling rate makes later segments longer', () => {
  const segments = cutSegments(
    schedule([10, 20, 30, 40, 50, 60], (step) => 0.9 ** step),
    2,
  );
  expect(segments.map(({ to }) => to)).toEqual([10, 60]);
});

test('there are never more segments than checkpoints, and given ends are kept', () => {
  expect(
    cutSegments(
      schedule([5, 9], () => 1),
      3,
    ),
  ).toHaveLength(2);
  expect(
    cutSegments(
      schedule([5, 9], () => 1),
      [9],
    ).map(({ checkpoints }) => checkpoints),
  ).toEqual([[0, 1]]);
  expect(() =>
    cutSegments(
      schedule([5, 9], () => 1),
      [2, 9],
    ),
  ).toThrow(/no checkpoint/);
  expect(() =>
    cutSegments(
      schedule([5, 9], () => 1),
      [5],
    ),
  ).toThrow(/last at 9/);
});
