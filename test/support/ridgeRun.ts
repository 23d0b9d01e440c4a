import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors } from '../../src/formats/checkpoints/safetensors';
import { encodeModel } from '../../src/onnx/encode';
import type { Model } from '../../src/onnx/graph';

/** How a ridge regression is trained: full-batch gradient descent with heavy-ball momentum on `(y - t)² + λ/2 |w|²`. */
export interface RidgeTraining {
  readonly steps: number;
  readonly rate: (step: number) => number;
  readonly momentum: number;
  readonly weightDecay: number;
  readonly checkpoints: number;
  readonly segments: number;
}

/** A trained run on disk, and the derivative of its final predictions that no approximation went into. */
export interface RidgeRun {
  readonly folder: string;
  readonly config: string;
  readonly examples: number;
  readonly queries: number;
  /**
   * Exact change of each query's prediction by having trained on each example: [queries, examples], from unrolling every
   * step, to first order in the example's weight.
   */
  readonly exact: Float64Array;
}

const examples = 80;
const queries = 12;
const features = 8;

/** Trains in float64, saves what a training script would save, and differentiates the final weights through every step. */
export async function makeRidgeRun(training: RidgeTraining): Promise<RidgeRun> {
  const random = generator(7);
  // Features of very different scales, so that some directions converge within a segment and others hardly move.
  const scale = Array.from({ length: features }, (_, j) => 0.7 * 0.75 ** j);
  const rows = (count: number) => Array.from({ length: count }, () => scale.map((size) => size * random()));
  const truth = Array.from({ length: features }, () => random() * 0.7);
  const targets = (xs: number[][]) => xs.map((x) => dot(x, truth) + random());
  const [train, test] = [rows(examples), rows(queries)];
  const [y, testY] = [targets(train), targets(test)];

  const weights = new Array<number>(features).fill(0);
  const velocity = new Array<number>(features).fill(0);
  // Derivatives of weights and velocity in each example's weight: forward mode through every step.
  const moved = Array.from({ length: examples }, () => new Array<number>(features).fill(0));
  const movedVelocity = Array.from({ length: examples }, () => new Array<number>(features).fill(0));
  const folder = await mkdtemp(join(tmpdir(), 'whence-ridge-'));
  await mkdir(join(folder, 'checkpoints'));
  const log = ['step,learning_rate,loss'];
  const { steps, checkpoints } = training;
  const marks = new Set(Array.from({ length: checkpoints }, (_, c) => Math.round((steps * (c + 1)) / checkpoints)));

  for (let step = 0; step < steps; step++) {
    const rate = training.rate(step);
    const residuals = train.map((x, i) => 2 * (dot(x, weights) - y[i]!));
    const gradient = average(train, residuals).map((g, j) => g + training.weightDecay * weights[j]!);
    moved.forEach((direction, m) => {
      const curved = average(
        train,
        train.map((x) => 2 * dot(x, direction)),
      );
      const own = train[m]!;
      for (let j = 0; j < features; j++) {
        const derivative = curved[j]! + training.weightDecay * direction[j]! + (residuals[m]! * own[j]!) / examples;
        movedVelocity[m]![j] = training.momentum * movedVelocity[m]![j]! + derivative;
      }
    });
    moved.forEach((direction, m) => {
      for (let j = 0; j < features; j++) direction[j] = direction[j]! - rate * movedVelocity[m]![j]!;
    });
    for (let j = 0; j < features; j++) {
      velocity[j] = training.momentum * velocity[j]! + gradient[j]!;
      weights[j] = weights[j]! - rate * velocity[j]!;
    }
    const loss = residuals.reduce((sum, r) => sum + (r * r) / 4, 0) / examples;
    log.push(`${step + 1},${rate},${loss}`);
    if (marks.has(step + 1)) {
      const data = Float32Array.from(weights);
      const file = encodeSafetensors(new Map([['linear.weight', { dtype: 'float32', dims: [1, features], data }]]));
      await writeFile(join(folder, 'checkpoints', `step-${step + 1}.safetensors`), Buffer.concat(file));
    }
  }

  const table = (xs: number[][], ys: number[]) =>
    [[...scale.map((_, j) => `x${j}`), 'y'].join(), ...xs.map((x, i) => [...x, ys[i]!].join())].join('\n');
  await writeFile(join(folder, 'train.csv'), table(train, y));
  await writeFile(join(folder, 'test.csv'), table(test, testY));
  await writeFile(join(folder, 'training-log.csv'), log.join('\n'));
  await writeFile(join(folder, 'model.onnx'), encodeModel(linearModel(Float32Array.from(weights))));
  const config = join(folder, 'whence.json');
  await writeFile(config, JSON.stringify(ridgeConfig(training)));

  const exact = new Float64Array(queries * examples);
  test.forEach((x, q) => {
    moved.forEach((direction, m) => {
      exact[q * examples + m] = dot(x, direction);
    });
  });
  return { folder, config, examples, queries, exact };
}

export function ridgeConfig({ momentum, weightDecay, segments }: RidgeTraining): object {
  return {
    model: 'model.onnx',
    checkpoints: 'checkpoints/step-*.safetensors',
    log: 'training-log.csv',
    data: { train: { format: 'csv', file: 'train.csv' }, test: { format: 'csv', file: 'test.csv' } },
    loss: 'squared-error',
    optimizer: { kind: 'sgd', momentum, weightDecay },
    segments,
  };
}

function linearModel(weights: Float32Array): Model {
  const bytes = new Uint8Array(weights.buffer);
  return {
    file: '',
    irVersion: 8,
    producer: 'test',
    opsets: new Map([['', 17]]),
    graph: {
      name: 'ridge',
      inputs: [{ name: 'x', dtype: 'float32', dims: ['batch', features] }],
      outputs: [{ name: 'prediction', dtype: 'float32', dims: ['batch', 1] }],
      initializers: new Map([
        ['linear.weight', { name: 'linear.weight', dtype: 'float32', dims: [1, features], bytes }],
      ]),
      nodes: [
        {
          name: 'linear',
          op: 'Gemm',
          domain: '',
          inputs: ['x', 'linear.weight'],
          outputs: ['prediction'],
          attributes: { transB: { kind: 'int', value: 1 } },
        },
      ],
    },
  };
}

function average(xs: readonly number[][], factors: readonly number[]): number[] {
  return Array.from({ length: features }, (_, j) => xs.reduce((sum, x, i) => sum + x[j]! * factors[i]!, 0) / xs.length);
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, j) => sum + value * b[j]!, 0);
}

/** Roughly normal numbers from a fixed seed. */
function generator(seed: number): () => number {
  let state = seed;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => uniform() + uniform() + uniform() + uniform() - 2;
}
