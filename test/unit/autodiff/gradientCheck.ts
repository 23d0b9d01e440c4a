import { backward } from '../../../src/autodiff/backward';
import { GraphBuilder } from '../../../src/onnx/builder';
import { isFloat } from '../../../src/onnx/dtype';
import { encodeModel } from '../../../src/onnx/encode';
import type { Attribute, Model, Node, ValueInfo } from '../../../src/onnx/graph';
import { lower } from '../../../src/onnx/lowering';
import type { Feeds, Tensor } from '../../../src/onnx/runtime';
import { probeTypes } from '../../../src/onnx/shape';
import { bytesOf, numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';

/** One small graph whose gradients are compared with differences of its own outputs. */
export interface GradientCheck {
  /** Of other domains than ONNX's own: `domain.op`. */
  readonly op: string;
  readonly what: string;
  readonly inputs: Readonly<Record<string, Tensor>>;
  /** Inputs that the graph holds as constants (axes, shapes, bounds). */
  readonly constants?: Readonly<Record<string, Tensor>>;
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly outputs?: number;
  /** Positions of outputs that the node leaves out. */
  readonly unused?: readonly number[];
  /** The node's inputs where they are not simply all `inputs`, then all `constants`. */
  readonly order?: readonly string[];
  readonly opset?: number;
  /** Nodes instead of the single one of `op`; they end in a value `y0`. */
  readonly nodes?: readonly Node[];
}

const runtime = createRuntime('cpu', 1);

/** Seeded uniform numbers in (-1, 1): mulberry32. */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return (((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * 2 - 1;
  };
}

export function modelOf(check: GradientCheck): Model {
  const names = [...Object.keys(check.inputs), ...Object.keys(check.constants ?? {})];
  const outputs = Array.from({ length: check.outputs ?? 1 }, (_, index) => `y${index}`);
  const point = check.op.lastIndexOf('.');
  const domain = check.op.slice(0, Math.max(0, point));
  const single: Node = {
    name: 'checked',
    op: check.op.slice(point + 1),
    domain,
    inputs: (check.order ?? names).map((name) => (name.startsWith('absent') ? '' : name)),
    outputs: outputs.map((output, index) => (check.unused?.includes(index) ? '' : output)),
    attributes: check.attributes ?? {},
  };
  const inputs = Object.entries(check.inputs)
    .filter(([name]) => !name.startsWith('absent'))
    .map(([name, tensor]): ValueInfo => ({ name, dtype: tensor.dtype, dims: tensor.dims }));
  const initializers = new Map(
    Object.entries(check.constants ?? {})
      .filter(([name]) => !name.startsWith('absent'))
      .map(([name, tensor]) => [name, { name, dtype: tensor.dtype, dims: tensor.dims, bytes: bytesOf(tensor) }]),
  );
  const nodes = check.nodes ?? [single];
  return {
    file: 'check.onnx',
    irVersion: 8,
    producer: '',
    opsets: new Map([['', check.opset ?? 17], ...(domain === '' ? [] : [[domain, 1] as const])]),
    graph: { name: 'check', inputs, outputs: [], initializers, nodes },
  };
}

/** The outputs that a check's node has. */
export function outputNames(check: GradientCheck): readonly string[] {
  const all = Array.from({ length: check.outputs ?? 1 }, (_, index) => `y${index}`);
  return all.filter((_, index) => !check.unused?.includes(index));
}

export interface GradientError {
  /** |analytic - numeric| / max(1, |numeric|) of the derivative along a random direction. */
  readonly first: number;
  /** The same of the derivative of the gradient's own projection: the rules that the rule's emissions have. */
  readonly second: number;
}

/** Differentiates the graph twice and compares with central differences of the fourth order, of steps `step` and twice that. */
export async function gradientError(check: GradientCheck, step: number): Promise<GradientError> {
  const model = modelOf(check);
  const random = randomNumbers(7);
  const like = (tensor: { dtype: Tensor['dtype']; dims: readonly number[] }): Tensor =>
    tensorOf(
      tensor.dtype,
      tensor.dims,
      Array.from({ length: tensor.dims.reduce((size, dim) => size * dim, 1) }, random),
    );
  const fed = Object.fromEntries(Object.entries(check.inputs).filter(([name]) => !name.startsWith('absent')));
  const types = await probeTypes(model, runtime, fed);
  const typed = lower({ model, types });
  const b = new GraphBuilder(typed.model, typed.types);
  const feeds: Record<string, Tensor> = { ...fed };

  const scalarOf = (value: string, weight: string): string => {
    const weighted = b.mul(value, weight);
    return b.reduceSum(
      weighted,
      b.dims(weighted).map((_, axis) => axis),
    );
  };
  const projection = (value: string, name: string): string => {
    feeds[name] = like(b.typeOf(value));
    return scalarOf(value, b.input(name, b.typeOf(value)));
  };
  const sum = (values: readonly string[]): string => values.reduce((total, value) => b.add(total, value));

  const floats = Object.keys(fed).filter((name) => isFloat(b.dtype(name)));
  const outputs = outputNames(check).filter((y) => isFloat(b.dtype(y)));
  const loss = sum(outputs.map((y) => projection(y, `weight_${y}`)));
  const one = b.constant(1, [], b.dtype(loss));
  const variables = [...floats, ...outputs.map((y) => `weight_${y}`)];
  const gradients = backward(b, new Map([[loss, one]]), variables);
  const slope = sum(variables.map((name) => projection(gradients.get(name)!, `along_${name}`)));
  const curvature = backward(b, new Map([[slope, one]]), variables);
  const bend = sum(variables.map((name) => scalarOf(curvature.get(name)!, `along_${name}`)));
  b.output('loss', loss);
  b.output('slope', slope);
  b.output('bend', bend);

  const session = await runtime.createSession(encodeModel(b.build()));
  try {
    const at = async (distance: number): Promise<Record<'loss' | 'slope' | 'bend', number>> => {
      const results = await session.run(moved(feeds, variables, distance));
      const number = (name: string): number => numbersOf(results[name]!)[0]!;
      return { loss: number('loss'), slope: number('slope'), bend: number('bend') };
    };
    const here = await at(0);
    const [before, after] = [await at(-step), await at(step)];
    const [farBefore, farAfter] = [await at(-2 * step), await at(2 * step)];
    const slopeOf = (name: 'loss' | 'slope'): number =>
      (8 * (after[name] - before[name]) - (farAfter[name] - farBefore[name])) / (12 * step);
    const relative = (analytic: number, numeric: number): number =>
      Math.abs(analytic - numeric) / Math.max(1, Math.abs(numeric));
    return {
      first: relative(here.slope, slopeOf('loss')),
      second: relative(here.bend, slopeOf('slope')),
    };
  } finally {
    await session.release();
  }
}

function moved(feeds: Feeds, variables: readonly string[], distance: number): Feeds {
  const result: Record<string, Tensor> = { ...feeds };
  for (const name of variables) {
    const direction = numbersOf(feeds[`along_${name}`]!);
    const origin = feeds[name]!;
    const values = numbersOf(origin).map((value, index) => value + distance * direction[index]!);
    result[name] = tensorOf(origin.dtype, origin.dims, values);
  }
  return result;
}
