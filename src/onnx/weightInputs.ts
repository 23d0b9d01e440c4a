import { product } from './dims';
import { bytesPerElement } from './dtype';
import type { Initializer, Model, ValueInfo } from './graph';
import type { Feeds, Tensor } from './runtime';
import { tensorFromBytes } from './tensor';

/**
 * The model with some of its initializers as inputs instead: their values are fed at every run, so that one session serves
 * all checkpoints and no graph holds a copy of them.
 */
export function withInputs(model: Model, names: ReadonlySet<string>): Model {
  const { graph } = model;
  const opened: ValueInfo[] = [];
  for (const { name, dtype, dims } of graph.initializers.values())
    if (names.has(name)) opened.push({ name, dtype, dims });
  if (opened.length === 0) return model;
  const initializers = new Map([...graph.initializers].filter(([name]) => !names.has(name)));
  return { ...model, graph: { ...graph, inputs: [...graph.inputs, ...opened], initializers } };
}

/** Zeros in the place of weights. Memory that nothing has written to takes no room. */
export function zeroFeeds(weights: readonly Pick<Initializer, 'name' | 'dtype' | 'dims'>[]): Feeds {
  const feeds: Record<string, Tensor> = {};
  for (const { name, dtype, dims } of weights) {
    const width = dtype === 'string' ? 0 : bytesPerElement[dtype];
    feeds[name] = tensorFromBytes(dtype, dims, new Uint8Array(product(dims) * width));
  }
  return feeds;
}
