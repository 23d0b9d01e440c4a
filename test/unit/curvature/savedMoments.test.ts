import { expect, test } from 'vitest';
import { marginalGraph } from '../../../src/curvature/savedMoments';
import { optionalSites } from '../../../src/curvature/site';
import { outputNames, type Subject } from '../../../src/curvature/subject';
import { apply } from '../../../src/formats/binding/apply';
import { arrangement } from '../../../src/formats/binding/expression';
import { encodeModel } from '../../../src/onnx/encode';
import type { Tensor } from '../../../src/onnx/runtime';
import { createRuntime } from '../../../src/worker/session';
import { fileOf, networkNames, openNetwork, readNetwork } from '../../support/goldenNetwork';
import { randomNumbers } from '../../support/random';
import { siteElements } from '../../support/siteElements';
import { relativeError } from '../../support/statistics';

const runtime = createRuntime('cpu', 1);
const variants = ['dynamo-noopt', 'legacy'] as const;
const cases = networkNames.flatMap((name) =>
  variants.filter((variant) => fileOf(name, variant)).map((variant) => [name, variant] as const),
);

/** Where each element of a tensor lies in the sites is known from elsewhere (test/support/siteElements). */
test.for(cases)('%s, %s: rows and columns of what belongs to the weights', async ([name, variant]) => {
  const network = await readNetwork(name);
  const optional = new Set(optionalSites);
  const exported = await openNetwork(network, variant, { optional });
  const { model, types, sites, bindings } = exported;
  if (sites.length === 0) return;
  const random = randomNumbers(7);
  const kept = new Map(
    network.parameters.map((parameter) => {
      const size = network.checkpoint.get(parameter)!.dims.reduce((product, n) => product * n, 1);
      return [parameter, Float32Array.from({ length: size }, () => 1.5 + random())];
    }),
  );
  const feeds: Record<string, Tensor> = { ...network.inputs };
  for (const { initializer, value } of bindings) {
    const moved = arrangement(value);
    const { dims } = model.graph.initializers.get(initializer)!;
    const data = moved ? await apply(moved, async (tensor) => kept.get(tensor)!) : new Float32Array(dims[0]!);
    feeds[initializer] = { dtype: 'float32', dims, data };
  }
  const trained = new Set(bindings.map(({ initializer }) => initializer));
  const subject: Subject = {
    model,
    types,
    batch: network.batch,
    logits: 'logits',
    loss: 'cross-entropy',
    trained,
    sites,
  };
  const session = await runtime.createSession(encodeModel(marginalGraph(subject)));
  const found = await session.run(Object.fromEntries(session.inputs.map((input) => [input, feeds[input]!])));
  await session.release();
  for (const [index, elements] of (await siteElements(exported)).entries()) {
    const { inputs, outputs } = sites[index]!;
    const rows = new Float64Array(outputs);
    const columns = new Float64Array(inputs);
    elements.forEach((places, at) => {
      const mean = places.reduce((sum, place) => sum + kept.get(place.tensor)![place.index]!, 0) / places.length;
      const [row, column] = [Math.floor(at / inputs), at % inputs];
      rows[row] = rows[row]! + mean / inputs;
      columns[column] = columns[column]! + mean / outputs;
    });
    expect(relativeError(found[outputNames.squaredRows(index)]!.data as Float32Array, rows)).toBeLessThan(1e-5);
    expect(relativeError(found[outputNames.squaredColumns(index)]!.data as Float32Array, columns)).toBeLessThan(1e-5);
  }
});
