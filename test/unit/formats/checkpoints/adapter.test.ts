import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { bindModel } from '../../../../src/formats/bind';
import { apply } from '../../../../src/formats/binding/apply';
import { openCheckpoint } from '../../../../src/formats/checkpoints';
import { readFloat32 } from '../../../../src/formats/tensor';
import { decodeModel } from '../../../../src/onnx/decode';
import type { Initializer } from '../../../../src/onnx/graph';
import { initializerTensor } from '../../../../src/onnx/tensor';
import { nodeFiles } from '../../../../src/worker/nodeFiles';
import { checkpointFixtures } from './fixtures';

const files = nodeFiles();
const folder = join(checkpointFixtures, 'adapter');

const adapted = [
  'fc1.lora_A.default.weight',
  'fc1.lora_B.default.weight',
  'fc2.lora_A.default.weight',
  'fc2.lora_B.default.weight',
  'head.modules_to_save.default.bias',
  'head.modules_to_save.default.weight',
];

async function open(step: number) {
  const source = await files.open(join(folder, `step-${step}`, 'adapter_model.safetensors'));
  return openCheckpoint(source, files);
}

async function bind(steps: readonly number[]) {
  const file = await files.open(join(folder, 'model.onnx'));
  const model = decodeModel(await file.read(0, file.size), file.path);
  const series = { length: steps.length, tensors: async (index: number) => (await open(steps[index]!)).tensors };
  const bound = await bindModel(model, series, async (one: Initializer) => initializerTensor(one)!);
  return { model, ...bound };
}

describe('an adapter of PEFT', () => {
  test('has the names of the adapted model', async () => {
    const { tensors, metadata } = await open(1);
    expect([...tensors.keys()].sort()).toEqual(adapted);
    expect(metadata.adapter).toBe('PEFT');
  });

  test('fills its own weights of the exported model; the others stay', async () => {
    const { model, bindings, exportedFrom, unused } = await bind([1, 2]);
    expect(exportedFrom).toBe(1);
    expect(unused).toEqual([]);
    const bound = new Set(bindings.map(({ initializer }) => initializer));
    const frozen = [...model.graph.initializers.keys()].filter((name) => /base_layer\.weight/.test(name));
    expect(frozen.length).toBeGreaterThan(0);
    expect(frozen.filter((name) => bound.has(name))).toEqual([]);
    // What is put into the graph is the values that it holds already.
    const { tensors } = await open(2);
    const used: string[] = [];
    for (const { initializer, value } of bindings) {
      const data = await apply(value, (name) => {
        used.push(name);
        return readFloat32(tensors.get(name)!);
      });
      expect(data).toEqual(initializerTensor(model.graph.initializers.get(initializer)!)!.data);
    }
    expect(used.sort()).toEqual(adapted);
  });

  test('is put together by names where the model was exported from another', async () => {
    const { bindings, exportedFrom } = await bind([1]);
    expect(exportedFrom).toBeUndefined();
    expect(bindings.length).toBe(adapted.length);
  });
});
