import type { Subject } from '../../src/curvature/instrument';
import { findSites } from '../../src/curvature/site';
import { encodeModel } from '../../src/onnx/encode';
import type { Model } from '../../src/onnx/graph';
import type { Feeds, Tensor } from '../../src/onnx/runtime';
import { probeTypes } from '../../src/onnx/shape';
import { createRuntime } from '../../src/worker/session';
import { randomFloats, randomNumbers } from './random';
import { count, modelOf, type TinyModel } from './tinyModel';

export const runtime = createRuntime('cpu', 1);

/** A batch of random examples. */
export function randomBatch({ example }: TinyModel, batch: number, seed = 5): Tensor {
  const dims = [batch, ...example];
  return { dtype: 'float32', dims, data: randomFloats(count(dims), randomNumbers(seed)) };
}

/** The tiny network as the taps take it, at one batch size; all its weights are trained. */
export async function subjectFor(tiny: TinyModel, batch: number): Promise<Subject> {
  const model = modelOf(tiny);
  const types = await probeTypes(model, runtime, { x: randomBatch(tiny, batch) });
  const trained = new Set(Object.keys(tiny.weights));
  const sites = findSites(model, types, trained, batch);
  return { model, types, batch, logits: 'logits', loss: 'cross-entropy', trained, sites };
}

/** The weights that the model was made with, as a built graph takes them. */
export function weightFeeds(tiny: TinyModel): Feeds {
  const { initializers } = modelOf(tiny).graph;
  return Object.fromEntries(
    Object.entries(tiny.weights).map(([name, dims]) => {
      const bytes = initializers.get(name)!.bytes!;
      const data = new Float32Array(bytes.buffer, bytes.byteOffset, count(dims));
      return [name, { dtype: 'float32' as const, dims, data }];
    }),
  );
}

/** All outputs of a graph as plain arrays; of the feeds those that it takes. */
export async function outputsOf(model: Model, feeds: Feeds): Promise<(name: string) => Float32Array> {
  const session = await runtime.createSession(encodeModel(model));
  try {
    const taken = Object.entries(feeds).filter(([name]) => session.inputs.includes(name));
    const outputs = await session.run(Object.fromEntries(taken));
    return (name) => outputs[name]!.data as Float32Array;
  } finally {
    await session.release();
  }
}
