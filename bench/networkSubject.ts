import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { probeRowOrders } from '../src/curvature/rowOrder';
import { findSites, untied, weightedActivations } from '../src/curvature/site';
import type { Subject } from '../src/curvature/subject';
import { readSafetensors } from '../src/formats/checkpoints/safetensors';
import { readTensor } from '../src/formats/tensor';
import { decodeModel } from '../src/onnx/decode';
import { lower } from '../src/onnx/lowering';
import type { Feeds, Tensor } from '../src/onnx/runtime';
import { probeTypes } from '../src/onnx/shape';
import { initializerTensor } from '../src/onnx/tensor';
import { nodeFiles } from '../src/worker/nodeFiles';
import { createRuntime } from '../src/worker/session';

/** A network of bench/reference/networks.py as the taps take it, with one batch and its weights. */
export interface BenchSubject {
  readonly subject: Subject;
  readonly inputs: Tensor;
  readonly labels: Tensor;
  readonly weights: Feeds;
}

export async function readSubject(folder: string, network: string): Promise<BenchSubject> {
  const file = join(folder, `${network}.onnx`);
  const whole = decodeModel(await readFile(file), file);
  const { tensors } = await readSafetensors(await nodeFiles().open(join(folder, `${network}.safetensors`)));
  const [inputs, labels] = await Promise.all(['inputs', 'labels'].map((name) => readTensor(tensors.get(name)!)));
  const runtime = createRuntime('cpu');
  const { model, types } = lower({ model: whole, types: await probeTypes(whole, runtime, { x: inputs! }) });
  const batch = inputs!.dims[0]!;
  // PyTorch's parameters have a module's name and a dot; what the exporter made has not.
  const trained = new Set(
    [...model.graph.initializers.values()]
      .filter(({ name, dtype }) => dtype === 'float32' && name.includes('.'))
      .map(({ name }) => name),
  );
  const search = { model, types, batch, trained: untied(trained) };
  const feeds = [{ x: copies(inputs!, 0) }, { x: copies(inputs!, 2) }] as const;
  const rowOrders = await probeRowOrders(model, runtime, feeds, { batch, changed: 1 }, weightedActivations(search));
  const sites = findSites({ ...search, rowOrders });
  const loss = labels!.dims.length === 2 ? 'next-token' : 'cross-entropy';
  const weights = [...trained].map((name): [string, Tensor] => [
    name,
    initializerTensor(model.graph.initializers.get(name)!)!,
  ]);
  return {
    subject: { model, types, batch, logits: 'logits', loss, trained, sites },
    inputs: inputs!,
    labels: labels!,
    weights: Object.fromEntries(weights),
  };
}

/** Copies of the first example, but another in the second's place. */
function copies(inputs: Tensor, second: number): Tensor {
  const data = inputs.data.slice();
  const count = inputs.dims[0]!;
  const each = data.length / count;
  for (let row = 1; row < count; row++) data.copyWithin(row * each, 0, each);
  data.set(inputs.data.subarray(second * each, (second + 1) * each) as Float32Array & BigInt64Array, each);
  return { ...inputs, data };
}
