import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeModel } from '../../src/onnx/encode';
import type { Tensor } from '../../src/onnx/runtime';
import { randomNumbers } from './random';
import { modelOf, node, type TinyModel } from './tinyModel';
import { type RunFolder, writeCheckpoint } from './tinyRun';

/** A perceptron small enough that every step of its training can be differentiated. */
const features = 4;
const hidden = 6;
const classes = 3;
const examples = 40;
const queries = 8;
const parameters = hidden * (features + 1) + classes * (hidden + 1);

export interface UnrolledTraining {
  readonly steps: number;
  readonly rate: number;
  readonly momentum: number;
  readonly checkpoints: number;
  readonly segments: number;
  readonly seed: number;
  /** How much smaller each feature is than the one before: below 1, some directions hardly move in training. */
  readonly decay: number;
}

/** A trained run on disk, and what every training example did to every query's margin, to first order and exactly. */
export interface UnrolledRun extends RunFolder {
  readonly examples: number;
  readonly queries: number;
  /** Labels at which the margin is measured. */
  readonly targets: readonly number[];
  /** Derivative of the margin in each example's weight through all steps: [queries, examples]. */
  readonly exact: Float64Array;
}

type Example = { readonly x: readonly number[]; readonly label: number };

const model: TinyModel = {
  example: [features],
  classes,
  weights: {
    'fc1.weight': [hidden, features],
    'fc1.bias': [hidden],
    'fc2.weight': [classes, hidden],
    'fc2.bias': [classes],
  },
  nodes: [
    node('Gemm', ['x', 'fc1.weight', 'fc1.bias'], 'hidden', { transB: 1 }),
    node('Tanh', ['hidden'], 'active'),
    node('Gemm', ['active', 'fc2.weight', 'fc2.bias'], 'logits', { transB: 1 }),
  ],
};

/** Full-batch gradient descent in float64, with the derivative of every step carried along by forward mode. */
export async function makeUnrolledRun(training: UnrolledTraining): Promise<UnrolledRun> {
  const random = randomNumbers(training.seed);
  // Sums of three uniform numbers: roughly normal.
  const normal = () => random() + random() + random();
  const centres = Array.from({ length: classes }, () => Array.from({ length: features }, () => 0.8 * normal()));
  // A tenth of the labels are wrong, so that examples disagree and the loss has no minimum at infinity.
  const draw = (count: number): Example[] =>
    Array.from({ length: count }, (_, i) => {
      const kind = i % classes;
      const x = centres[kind]!.map((centre, j) => Math.fround(training.decay ** j * (centre + 0.7 * normal())));
      return { x, label: i % 10 === 9 ? (kind + 1) % classes : kind };
    });
  const [train, test] = [draw(examples), draw(queries)];

  const weights = Float64Array.from({ length: parameters }, () => 0.5 * normal());
  const velocity = new Float64Array(parameters);
  const moved = train.map(() => new Float64Array(parameters));
  const movedVelocity = train.map(() => new Float64Array(parameters));
  const folder = await mkdtemp(join(tmpdir(), 'whence-unrolled-'));
  await mkdir(join(folder, 'checkpoints'));
  const { steps, rate, momentum, checkpoints } = training;
  const marks = new Set(Array.from({ length: checkpoints }, (_, c) => Math.round((steps * (c + 1)) / checkpoints)));
  await writeCheckpoint(join(folder, 'initial.safetensors'), tensors(weights));
  const batch = `${JSON.stringify(train.map((_, index) => index))}\n`;
  await writeFile(join(folder, 'batches.jsonl'), batch.repeat(steps));
  for (let step = 1; step <= steps; step++) {
    const gradient = meanGradient(weights, train);
    train.forEach((example, m) => {
      const curved = hessianTimes(weights, moved[m]!, train);
      const own = lossGradient(weights, example);
      const speed = movedVelocity[m]!;
      for (let p = 0; p < parameters; p++) speed[p] = momentum * speed[p]! + curved[p]! + own[p]! / examples;
    });
    moved.forEach((direction, m) => {
      for (let p = 0; p < parameters; p++) direction[p]! -= rate * movedVelocity[m]![p]!;
    });
    for (let p = 0; p < parameters; p++) {
      velocity[p] = momentum * velocity[p]! + gradient[p]!;
      weights[p]! -= rate * velocity[p]!;
    }
    if (marks.has(step)) await writeCheckpoint(join(folder, `checkpoints/step-${step}.safetensors`), tensors(weights));
  }

  await writeFile(join(folder, 'model.onnx'), encodeModel(modelOf(model)));
  await writeFile(join(folder, 'train.csv'), table(train));
  await writeFile(join(folder, 'test.csv'), table(test));
  const config = join(folder, 'whence.json');
  const data = { train: { format: 'csv', file: 'train.csv' }, test: { format: 'csv', file: 'test.csv' } };
  const optimizer = { kind: 'sgd', learningRate: rate, momentum };
  const settings = {
    model: 'model.onnx',
    checkpoints: 'checkpoints/step-*.safetensors',
    data,
    optimizer,
    segments: training.segments,
    unrolling: { batches: 'batches.jsonl', initial: 'initial.safetensors' },
  };
  await writeFile(config, JSON.stringify(settings));

  const exact = new Float64Array(queries * examples);
  test.forEach((query, q) => {
    const gradient = marginGradient(weights, query);
    moved.forEach((direction, m) => {
      exact[q * examples + m] = direction.reduce((sum, value, p) => sum + value * gradient[p]!, 0);
    });
  });
  return { folder, config, examples, queries, targets: test.map(({ label }) => label), exact };
}

/** Activations and logits, for weights laid out as fc1.weight, fc1.bias, fc2.weight, fc2.bias. */
function forward(weights: Float64Array, x: readonly number[]): { active: number[]; logits: number[] } {
  const [bias1, weight2, bias2] = offsets;
  const active = Array.from({ length: hidden }, (_, h) => {
    const sum = x.reduce((total, value, j) => total + value * weights[h * features + j]!, weights[bias1 + h]!);
    return Math.tanh(sum);
  });
  const logits = Array.from({ length: classes }, (_, c) =>
    active.reduce((total, value, h) => total + value * weights[weight2 + c * hidden + h]!, weights[bias2 + c]!),
  );
  return { active, logits };
}

const offsets = [hidden * features, hidden * (features + 1), hidden * (features + 1) + classes * hidden] as const;

/** The gradient of a function of the logits, from its derivative in them. */
function gradientOf(
  weights: Float64Array,
  { x }: Example,
  derivative: (logits: readonly number[]) => readonly number[],
): Float64Array {
  const [bias1, weight2, bias2] = offsets;
  const { active, logits } = forward(weights, x);
  const result = new Float64Array(parameters);
  const back = new Float64Array(hidden);
  derivative(logits).forEach((d, c) => {
    result[bias2 + c] = d;
    for (let h = 0; h < hidden; h++) {
      result[weight2 + c * hidden + h] = d * active[h]!;
      back[h]! += d * weights[weight2 + c * hidden + h]!;
    }
  });
  for (let h = 0; h < hidden; h++) {
    const d = back[h]! * (1 - active[h]! ** 2);
    result[bias1 + h] = d;
    for (let j = 0; j < features; j++) result[h * features + j] = d * x[j]!;
  }
  return result;
}

function softmax(logits: readonly number[]): number[] {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

function lossGradient(weights: Float64Array, example: Example): Float64Array {
  return gradientOf(weights, example, (logits) =>
    softmax(logits).map((probability, c) => probability - Number(c === example.label)),
  );
}

/** Of the label's logit minus the log-sum-exp of the others. */
function marginGradient(weights: Float64Array, example: Example): Float64Array {
  return gradientOf(weights, example, (logits) => {
    const others = softmax(logits.map((logit, c) => (c === example.label ? Number.NEGATIVE_INFINITY : logit)));
    return others.map((share, c) => (c === example.label ? 1 : -share));
  });
}

function meanGradient(weights: Float64Array, data: readonly Example[]): Float64Array {
  const sum = new Float64Array(parameters);
  for (const example of data) {
    lossGradient(weights, example).forEach((value, p) => {
      sum[p]! += value / data.length;
    });
  }
  return sum;
}

/** `H v` as a central difference of gradients, over a distance at which its error is some 1e-9 of it. */
function hessianTimes(weights: Float64Array, direction: Float64Array, data: readonly Example[]): Float64Array {
  const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
  if (length === 0) return new Float64Array(parameters);
  const distance = 1e-5 / length;
  const at = (sign: number) =>
    meanGradient(
      weights.map((value, p) => value + sign * distance * direction[p]!),
      data,
    );
  const [before, after] = [at(-1), at(1)];
  return after.map((value, p) => (value - before[p]!) / (2 * distance));
}

function tensors(weights: Float64Array): Map<string, Tensor> {
  const found = new Map<string, Tensor>();
  let from = 0;
  for (const [name, dims] of Object.entries(model.weights)) {
    const size = dims.reduce((product, n) => product * n, 1);
    found.set(name, { dtype: 'float32', dims, data: Float32Array.from(weights.subarray(from, from + size)) });
    from += size;
  }
  return found;
}

function table(data: readonly Example[]): string {
  const header = [...Array.from({ length: features }, (_, j) => `x${j}`), 'label'].join();
  return [header, ...data.map(({ x, label }) => [...x, label].join())].join('\n');
}
