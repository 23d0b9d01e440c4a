import { probeRowOrders } from '../../src/curvature/rowOrder';
import { findSites, type OptionalSites, untied, weightedActivations } from '../../src/curvature/site';
import type { Subject } from '../../src/curvature/subject';
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
export async function subjectFor(
  tiny: TinyModel,
  batch: number,
  optional: ReadonlySet<OptionalSites> = new Set(),
): Promise<Subject> {
  const model = modelOf(tiny);
  const x = randomBatch(tiny, batch);
  const types = await probeTypes(model, runtime, { x });
  const trained = new Set(Object.keys(tiny.weights));
  const search = { model, types, batch, trained: untied(trained), optional };
  const each = count(tiny.example);
  const same = Float32Array.from(x.data as Float32Array, (_, at) => Number(x.data[at % each]));
  const changed = same.slice();
  if (batch > 1) changed.set(randomFloats(each, randomNumbers(6)), each);
  const feeds = [{ x: { ...x, data: same } }, { x: { ...x, data: changed } }] as const;
  const rowOrders = await probeRowOrders(model, runtime, feeds, { batch, changed: 1 }, weightedActivations(search));
  const sites = findSites({ ...search, rowOrders });
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
