import { expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { GraphBuilder } from '../../../src/onnx/builder';
import { type DType, isFloat } from '../../../src/onnx/dtype';
import { encodeModel } from '../../../src/onnx/encode';
import { lower } from '../../../src/onnx/lowering';
import type { Tensor } from '../../../src/onnx/runtime';
import { probeTypes } from '../../../src/onnx/shape';
import { numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';
import { type GradientCheck, modelOf, outputNames } from './gradientCheck';
import { gradientChecks } from './gradientChecks';

/** Models in half precision: their gradients are those of single precision, rounded. */

const runtime = createRuntime('cpu', 1);

const ops = [
  ...['Gemm', 'MatMul', 'Conv', 'MaxPool', 'AveragePool', 'LayerNormalization', 'BatchNormalization', 'Softmax'],
  ...['Gather', 'GatherElements', 'GatherND', 'TopK', 'Slice', 'Gelu', 'Where', 'ReduceMax', 'ReduceMean', 'Resize'],
  ...['LSTM', 'GridSample', 'SoftmaxCrossEntropyLoss', 'Attention'],
];

function typed(tensors: Readonly<Record<string, Tensor>>, dtype: DType): Readonly<Record<string, Tensor>> {
  const converted = Object.entries(tensors).map(([name, tensor]) => [
    name,
    isFloat(tensor.dtype) ? tensorOf(dtype, tensor.dims, numbersOf(tensor)) : tensor,
  ]);
  return Object.fromEntries(converted);
}

/** The gradients of the sum of all outputs in all inputs. */
async function gradients(check: GradientCheck, dtype: DType): Promise<readonly (readonly number[])[]> {
  const cast: GradientCheck = {
    ...check,
    inputs: typed(check.inputs, dtype),
    constants: check.op === 'Resize' ? (check.constants ?? {}) : typed(check.constants ?? {}, dtype),
  };
  const model = modelOf(cast);
  const fed = Object.fromEntries(Object.entries(cast.inputs).filter(([name]) => !name.startsWith('absent')));
  const { model: plain, types } = lower({ model, types: await probeTypes(model, runtime, fed) });
  const b = new GraphBuilder(plain, types);
  const outputs = outputNames(check).filter((name) => isFloat(b.dtype(name)));
  const seeds = new Map(outputs.map((name) => [name, b.expand(b.scalar(1, name), b.dims(name))]));
  const inputs = Object.keys(fed).filter((name) => isFloat(b.dtype(name)));
  for (const [name, gradient] of backward(b, seeds, inputs)) b.output(`gradient/${name}`, gradient);
  const session = await runtime.createSession(encodeModel(b.build()));
  const found = await session.run(Object.fromEntries(session.inputs.map((name) => [name, fed[name]!])));
  await session.release();
  return inputs.map((name) => numbersOf(found[`gradient/${name}`]!));
}

const checks = gradientChecks.filter(({ op }) => ops.includes(op));

test.each(checks.map((check) => [`${check.op}: ${check.what}`, check] as const))('%s', async (_name, check) => {
  const [half, single] = [await gradients(check, 'float16'), await gradients(check, 'float32')];
  single.forEach((expected, input) => {
    const size = Math.max(1, ...expected.map(Math.abs));
    expected.forEach((value, index) => {
      expect.soft(Math.abs(half[input]![index]! - value) / size).toBeLessThan(2e-2);
    });
  });
});
