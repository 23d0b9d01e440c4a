import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { crossEntropy } from '../../../src/autodiff/loss';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import { readTensor } from '../../../src/formats/tensor';
import { GraphBuilder } from '../../../src/onnx/builder';
import { decodeModel } from '../../../src/onnx/decode';
import { sameDims } from '../../../src/onnx/dims';
import { encodeModel } from '../../../src/onnx/encode';
import type { Model, Node } from '../../../src/onnx/graph';
import type { Tensor } from '../../../src/onnx/runtime';
import { probeTypes } from '../../../src/onnx/shape';
import { initializerTensor } from '../../../src/onnx/tensor';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { createRuntime } from '../../../src/worker/session';

/** Compares with PyTorch's own gradients of the same networks: `test/fixtures/gradients/make.py` wrote both. */

const folder = fileURLToPath(new URL('../../fixtures/gradients/', import.meta.url));
const runtime = createRuntime('cpu', 1);
const variants = ['dynamo', 'dynamo-noopt', 'legacy', 'legacy-preserve'] as const;
/** Of each network: what its layers with weights are called, in the order of their nodes, and all its parameters. */
const networks = {
  mlp: { layers: ['fc1', 'fc2', 'fc3'], parameters: 6, whenFolded: 6 },
  cnn: { layers: ['c1', 'c2', 'c3', 'fc'], parameters: 11, whenFolded: 4 },
} as const;

type Golden = ReadonlyMap<string, Tensor>;

async function readGolden(network: string): Promise<Golden> {
  const { tensors } = await readSafetensors(await nodeFiles().open(`${folder}${network}.safetensors`));
  const entries = [...tensors.values()].map(async (tensor) => [tensor.name, await readTensor(tensor)] as const);
  return new Map(await Promise.all(entries));
}

async function readModel(network: string, variant: string): Promise<Model> {
  const file = `${folder}${network}.${variant}.onnx`;
  return decodeModel(await readFile(file), file);
}

/** The largest difference over the largest element. */
function relativeError(actual: Tensor, expected: Tensor): number {
  if (!sameDims(actual.dims, expected.dims)) return Number.POSITIVE_INFINITY;
  const [ours, theirs] = [actual.data as Float32Array, expected.data as Float32Array];
  let [difference, largest] = [0, 0];
  theirs.forEach((value, index) => {
    difference = Math.max(difference, Math.abs(value - ours[index]!));
    largest = Math.max(largest, Math.abs(value));
  });
  return difference / largest;
}

/** Initializers that hold a parameter of the state dict under its own name: same shape, same values. */
function boundNames(model: Model, golden: Golden): readonly string[] {
  return [...model.graph.initializers.values()].flatMap((initializer) => {
    const state = golden.get(`state/${initializer.name}`);
    const gradient = golden.get(`gradient/${initializer.name}`);
    const tensor = initializerTensor(initializer);
    return state && gradient && tensor && relativeError(tensor, state) === 0 ? [initializer.name] : [];
  });
}

/** What a folded BatchNorm's gradient is compared with: the Conv node then returns what the BatchNorm returned. */
function layerGradient(golden: Golden, layer: string, folded: boolean): Tensor {
  const batchNorm = golden.get(`output/${layer.replace('c', 'b')}`);
  return folded && batchNorm ? batchNorm : golden.get(`output/${layer}`)!;
}

describe.each(Object.keys(networks) as (keyof typeof networks)[])('%s', (network) => {
  let golden: Golden;
  beforeAll(async () => {
    golden = await readGolden(network);
  });

  test.each(variants)("%s: gradients equal PyTorch's", async (variant) => {
    const { layers, parameters, whenFolded } = networks[network];
    const model = await readModel(network, variant);
    const types = await probeTypes(model, runtime, { x: golden.get('input')! });
    const builder = new GraphBuilder(model, types);
    const folded = !model.graph.nodes.some((node) => node.op === 'BatchNormalization');
    const bound = boundNames(model, golden);
    expect(bound).toHaveLength(folded ? whenFolded : parameters);
    for (const name of bound) builder.weightInput(name);
    const outputs = model.graph.nodes
      .filter((node: Node) => node.op === 'Conv' || node.op === 'Gemm')
      .map((node) => node.outputs[0]!);
    expect(outputs).toHaveLength(layers.length);

    const labels = builder.input('labels', { dtype: 'int64', dims: golden.get('labels')!.dims });
    const loss = crossEntropy(builder, 'logits', labels);
    const seed = builder.expand(builder.scalar(1, loss), builder.dims(loss));
    const gradients = backward(builder, new Map([[loss, seed]]), [...bound, ...outputs]);
    builder.output('loss', loss);
    for (const [value, gradient] of gradients) builder.output(`gradient/${value}`, gradient);
    const session = await runtime.createSession(encodeModel(builder.build()));
    const weights = Object.fromEntries(bound.map((name) => [name, golden.get(`state/${name}`)!]));
    const results = await session.run({ x: golden.get('input')!, labels: golden.get('labels')!, ...weights });
    await session.release();

    expect(relativeError(results.loss!, golden.get('loss')!)).toBeLessThan(1e-5);
    for (const name of bound) {
      expect
        .soft(relativeError(results[`gradient/${name}`]!, golden.get(`gradient/${name}`)!), name)
        .toBeLessThan(1e-5);
    }
    layers.forEach((layer, index) => {
      const ours = results[`gradient/${outputs[index]}`]!;
      expect.soft(relativeError(ours, layerGradient(golden, layer, folded)), layer).toBeLessThan(1e-5);
    });
  });

  test("each example's gradients have PyTorch's norms", async () => {
    const model = await readModel(network, 'dynamo-noopt');
    const names = boundNames(model, golden);
    const examples = golden.get('labels')!.dims[0]!;
    const one = (tensor: Tensor, example: number): Tensor => {
      const length = tensor.data.length / examples;
      const data = tensor.data.slice(example * length, (example + 1) * length);
      return { dtype: tensor.dtype, dims: [1, ...tensor.dims.slice(1)], data };
    };
    const types = await probeTypes(model, runtime, { x: one(golden.get('input')!, 0) });
    const builder = new GraphBuilder(model, types);
    const loss = crossEntropy(builder, 'logits', builder.input('labels', { dtype: 'int64', dims: [1] }));
    const gradients = backward(builder, new Map([[loss, builder.expand(builder.scalar(1, loss), [1])]]), names);
    for (const [name, gradient] of gradients) {
      const axes = builder.dims(gradient).map((_, axis) => axis);
      builder.output(`norm/${name}`, builder.sqrt(builder.reduceSum(builder.square(gradient), axes)));
    }
    const session = await runtime.createSession(encodeModel(builder.build()));
    for (let example = 0; example < examples; example++) {
      const feeds = { x: one(golden.get('input')!, example), labels: one(golden.get('labels')!, example) };
      const results = await session.run(feeds);
      for (const name of names) {
        const expected = Number(golden.get(`norms/${name}`)!.data[example]);
        const actual = Number(results[`norm/${name}`]!.data[0]);
        expect.soft(Math.abs(actual / expected - 1), `${name}, example ${example}`).toBeLessThan(1e-5);
      }
    }
    await session.release();
  });
});
