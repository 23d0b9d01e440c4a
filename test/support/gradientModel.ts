import { backward } from '../../src/autodiff/backward';
import { GraphBuilder } from '../../src/onnx/builder';
import { product } from '../../src/onnx/dims';
import { isFloat } from '../../src/onnx/dtype';
import type { Model } from '../../src/onnx/graph';
import { lower } from '../../src/onnx/lowering';
import type { Feeds, Tensor } from '../../src/onnx/runtime';
import { probeTypes } from '../../src/onnx/shape';
import { numbersOf, tensorOf } from '../../src/onnx/tensor';
import { createRuntime } from '../../src/worker/session';
import { type GradientCheck, modelOf, outputNames } from '../unit/autodiff/gradientCheck';
import { randomFloats, randomNumbers } from './random';

const cpu = createRuntime('cpu', 1);

export interface GradientModel {
  readonly model: Model;
  readonly feeds: Feeds;
}

/** A gradient check's graph in single precision with its backward pass: all its outputs, all its gradients. */
export async function gradientModel(check: GradientCheck): Promise<GradientModel> {
  const source = modelOf({ ...check, ...singles('inputs', check), ...singles('constants', check) });
  const feeds: Record<string, Tensor> = {};
  for (const [name, tensor] of Object.entries(check.inputs)) {
    if (!name.startsWith('absent')) feeds[name] = single(tensor);
  }
  const inputs = Object.keys(feeds);
  const { model, types } = lower({ model: source, types: await probeTypes(source, cpu, feeds) });
  const b = new GraphBuilder(model, types);
  const random = randomNumbers(7);
  const outputs = outputNames(check).filter((output) => isFloat(b.dtype(output)));
  const seeds = outputs.map((output): [string, string] => {
    const type = b.typeOf(output);
    const seed = `seed/${output}`;
    feeds[seed] = { dtype: 'float32', dims: type.dims, data: randomFloats(product(type.dims), random) };
    return [output, b.input(seed, type)];
  });
  const floats = inputs.filter((name) => isFloat(b.dtype(name)));
  const gradients = backward(b, new Map(seeds), floats, { portable: true });
  for (const output of outputs) b.output(`out/${output}`, output);
  for (const [name, gradient] of gradients) b.output(`gradient/${name}`, gradient);
  return { model: b.build(), feeds };
}

function single(tensor: Tensor): Tensor {
  return tensor.dtype === 'float64' ? tensorOf('float32', tensor.dims, numbersOf(tensor)) : tensor;
}

function singles(kind: 'inputs' | 'constants', check: GradientCheck): Partial<GradientCheck> {
  const entries = Object.entries(check[kind] ?? {}).map(([name, tensor]) => [name, single(tensor)] as const);
  return { [kind]: Object.fromEntries(entries) };
}
