import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import { readTensor } from '../../../src/formats/tensor';
import { decodeModel } from '../../../src/onnx/decode';
import { product } from '../../../src/onnx/dims';
import { isFloat } from '../../../src/onnx/dtype';
import { encodeModel } from '../../../src/onnx/encode';
import type { Initializer } from '../../../src/onnx/graph';
import { tensorOutputs } from '../../../src/onnx/inference';
import type { Feeds, Tensor } from '../../../src/onnx/runtime';
import { probeTypes } from '../../../src/onnx/shape';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { createRuntime } from '../../../src/worker/session';

/** What is inferred against what a run of the whole graph shows, for every export among the fixtures. */

const folder = fileURLToPath(new URL('../../fixtures/models/', import.meta.url));
const runtime = createRuntime('cpu', 1);
const networks = readdirSync(folder).filter((file) => file.endsWith('.onnx'));

async function inputsOf(network: string): Promise<Feeds> {
  const source = await nodeFiles().open(`${folder}${network}.safetensors`);
  const { tensors } = await readSafetensors(source);
  const inputs = [...tensors.values()].filter(({ name }) => name.startsWith('input/'));
  const entries = inputs.map(async (ref): Promise<[string, Tensor]> => [ref.name.slice(6), await readTensor(ref)]);
  return Object.fromEntries(await Promise.all(entries));
}

describe.each(networks)('%s', (name) => {
  test('types without the weights equal those of a run with them', async () => {
    const model = decodeModel(await readFile(folder + name), name);
    const feeds = await inputsOf(name.split('.')[0]!);
    // Scales and axes are no weights: they decide shapes.
    const isWeight = ({ dtype, dims }: Initializer) => isFloat(dtype) && product(dims) > 4;
    const weights = [...model.graph.initializers.values()].filter(isWeight);
    const types = await probeTypes(model, runtime, feeds, new Set(weights.map((weight) => weight.name)));
    const values = model.graph.nodes.flatMap(tensorOutputs);
    const session = await runtime.createSession(encodeModel(model, values));
    const run = await session.run(feeds, values);
    await session.release();
    const found = Object.fromEntries(values.map((value) => [value, types.get(value)]));
    const expected = values.map((value) => [value, { dtype: run[value]!.dtype, dims: [...run[value]!.dims] }]);
    expect(found).toMatchObject(Object.fromEntries(expected));
    for (const [value, { dims = [], constant }] of Object.entries(found).map(([key, type]) => [key, type!] as const)) {
      expect(dims.length, value).toBe(run[value]!.dims.length);
      if (constant) expect(constant, value).toEqual(Array.from(run[value]!.data as Int32Array, Number));
    }
  });
});
