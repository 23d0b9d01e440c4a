import { positionInputs } from '../../src/curvature/positions';
import { inputNames, type Subject } from '../../src/curvature/subject';
import { product } from '../../src/onnx/dims';
import type { Feeds, Tensor } from '../../src/onnx/runtime';
import { initializerTensor } from '../../src/onnx/tensor';
import { openNetwork, readNetwork, type Variant } from './goldenNetwork';
import { randomFloats, randomNumbers } from './random';

/** A network of the fixtures as the taps take it, with all that its graphs may ask for. */
export interface FixtureSubject {
  readonly subject: Subject;
  readonly feeds: Feeds;
}

/** How many queries the score graphs of these feeds take. */
export const fixtureQueries = 2;

/** @param name of a network with logits [batch, classes] */
export async function fixtureSubject(name: string, variant: Variant = 'dynamo-noopt'): Promise<FixtureSubject> {
  const network = await readNetwork(name);
  const { bindings, model, types, sites, mask } = await openNetwork(network, variant);
  const trained = new Set(bindings.map(({ initializer }) => initializer));
  const { batch } = network;
  const tokens = mask?.dims[1];
  const subject: Subject = { model, types, batch, logits: 'logits', loss: 'cross-entropy', trained, sites, tokens };
  const weights = [...trained].map((weight) => [weight, initializerTensor(model.graph.initializers.get(weight)!)!]);
  const feeds = { ...network.inputs, ...Object.fromEntries(weights), ...tapFeeds(subject) };
  return { subject, feeds: mask ? { ...feeds, [positionInputs.mask]: mask } : feeds };
}

/** Those of the feeds that a graph takes. */
export function takenFeeds(feeds: Feeds, { graph }: Subject['model']): Feeds {
  return Object.fromEntries(graph.inputs.map(({ name }) => [name, feeds[name]!]));
}

/** Labels, a last row that is padding, draws, and bases, queries and responses of random numbers. */
function tapFeeds({ batch, types, logits, sites }: Subject): Feeds {
  const random = randomNumbers(11);
  const matrix = (...dims: number[]): Tensor => ({
    dtype: 'float32',
    dims,
    data: randomFloats(product(dims), random),
  });
  const column = (value: (row: number) => number): Tensor => ({
    dtype: 'float32',
    dims: [batch],
    data: Float32Array.from({ length: batch }, (_, row) => value(row)),
  });
  const classes = types.get(logits)!.dims[1]!;
  const labels = BigInt64Array.from({ length: batch }, (_, row) => BigInt((3 * row + 1) % classes));
  const ofSites = sites.flatMap(({ inputs, outputs }, site) => [
    [inputNames.activationBasis(site), matrix(inputs, inputs)],
    [inputNames.gradientBasis(site), matrix(outputs, outputs)],
    [inputNames.queries(site), matrix(fixtureQueries, outputs, inputs)],
    [inputNames.responses(site), matrix(outputs, inputs)],
  ]);
  return {
    [inputNames.labels]: { dtype: 'int64', dims: [batch], data: labels },
    [inputNames.weights]: column((row) => (row === batch - 1 ? 0 : 1)),
    [inputNames.noise]: column((row) => (row + 0.5) / batch),
    ...Object.fromEntries(ofSites),
  };
}
