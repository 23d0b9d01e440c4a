import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bindModel } from '../../../../src/formats/bind';
import { openCheckpoint } from '../../../../src/formats/checkpoints';
import { decodeModel } from '../../../../src/onnx/decode';
import type { Initializer, Model, Node } from '../../../../src/onnx/graph';
import { bytesOf, initializerTensor, numbersOf, tensorOf } from '../../../../src/onnx/tensor';
import { memorySource } from '../../../../src/worker/fileSource';
import { failureOf } from '../files';

function bytes(name: string): Uint8Array {
  return new Uint8Array(readFileSync(fileURLToPath(new URL(`../../../fixtures/binding/${name}`, import.meta.url))));
}

/** The model with one weight as 8-bit integers and a scale for each row, as quantizers write it. */
function quantized(model: Model, weight: string): Model {
  const own = initializerTensor(model.graph.initializers.get(weight)!)!;
  const [rows, columns] = own.dims as [number, number];
  const values = numbersOf(own);
  const scales = Array.from(
    { length: rows },
    (_, row) => Math.max(...values.slice(row * columns, (row + 1) * columns).map(Math.abs)) / 127,
  );
  const whole = values.map((value, index) => Math.round(value / scales[Math.floor(index / columns)]!));
  const stored = { ...tensorOf('int8', own.dims, whole), name: 'quantized' };
  const scale = { ...tensorOf('float32', [rows], scales), name: 'scale' };
  const initializers = new Map<string, Initializer>(model.graph.initializers);
  initializers.delete(weight);
  for (const tensor of [stored, scale]) {
    initializers.set(tensor.name, {
      name: tensor.name,
      dtype: tensor.dtype,
      dims: tensor.dims,
      bytes: bytesOf(tensor),
    });
  }
  const node: Node = {
    name: '/dequantize',
    op: 'DequantizeLinear',
    domain: '',
    inputs: ['quantized', 'scale'],
    outputs: [weight],
    attributes: { axis: { kind: 'int', value: 0 } },
  };
  return { ...model, graph: { ...model.graph, initializers, nodes: [node, ...model.graph.nodes] } };
}

test('a weight that is kept in 8 bits is named, with the model to use instead', async () => {
  const model = quantized(decodeModel(bytes('averaged.legacy-preserved.onnx'), 'model.onnx'), 'fc.weight');
  const { tensors } = await openCheckpoint(memorySource('step-3.safetensors', bytes('averaged.step-3.safetensors')));
  const series = { length: 1, tensors: async () => tensors };
  const error = await failureOf(
    bindModel(model, series, async (initializer: Initializer) => initializerTensor(initializer)!),
  );
  expect(error.code).toBe('binding-failed');
  expect(error.message).toContain('is quantized: of fc.weight [3, 6]');
  expect(error.details.mend).toContain('before it was quantized');
});
