import { backward } from '../../src/autodiff/backward';
import { crossEntropy } from '../../src/autodiff/loss';
import { positionInputs, siteActivation, siteGradient } from '../../src/curvature/positions';
import { scaledWeights } from '../../src/curvature/subject';
import { perExampleGradient } from '../../src/curvature/taps/projection';
import { GraphBuilder } from '../../src/onnx/builder';
import { product } from '../../src/onnx/dims';
import { encodeModel } from '../../src/onnx/encode';
import type { Model } from '../../src/onnx/graph';
import type { Feeds, Runtime, Tensor } from '../../src/onnx/runtime';
import { numbersOf } from '../../src/onnx/tensor';
import { type ExportedNetwork, networkFeeds } from './goldenNetwork';
import { type SiteElements, siteElements } from './siteElements';

/** What a site gives: [batch, outputs, inputs] and rows [batch, positions, width]. */
interface SiteNumbers {
  readonly gradient: Tensor;
  readonly activation: Tensor;
  readonly output: Tensor;
}

/** Forward, backward and taps of one batch, and what the graph takes. */
export async function siteGraph(
  exported: ExportedNetwork,
  portable: boolean,
): Promise<{ readonly model: Model; readonly feeds: Feeds }> {
  const { network, bindings, model, types, sites, mask } = exported;
  const all: Feeds = { ...(await networkFeeds(exported)), labels: network.labels };
  const builder = new GraphBuilder(model, types);
  for (const { initializer } of bindings) builder.weightInput(initializer);
  if (mask) builder.input(positionInputs.mask, mask);
  for (const weight of scaledWeights(sites).keys()) {
    const name = positionInputs.scale(weight);
    builder.input(name, all[name]!);
  }
  const logits = builder.dims('logits');
  const rows = builder.reshape('logits', [product(logits.slice(0, -1)), logits.at(-1)!]);
  const loss = crossEntropy(builder, rows, builder.input('labels', network.labels));
  const seed = builder.expand(builder.scalar(1, loss), builder.dims(loss));
  const targets = [...new Set(sites.flatMap(({ uses }) => uses.map(({ output }) => output)))];
  const gradients = backward(builder, new Map([[loss, seed]]), targets, { portable });
  sites.forEach((site, index) => {
    const activation = siteActivation(builder, site);
    const gradient = siteGradient(builder, site, gradients);
    builder.output(`gradient/${index}`, perExampleGradient(builder, site, { activation, gradient }));
    builder.output(`activation/${index}`, activation);
    builder.output(`output/${index}`, gradient);
  });
  const built = builder.build();
  return { model: built, feeds: Object.fromEntries(built.graph.inputs.map(({ name }) => [name, all[name]!])) };
}

async function siteNumbers(exported: ExportedNetwork, runtime: Runtime): Promise<readonly SiteNumbers[]> {
  const { model, feeds } = await siteGraph(exported, runtime.provider !== 'cpu');
  const session = await runtime.createSession(encodeModel(model));
  const found = await session.run(Object.fromEntries(session.inputs.map((name) => [name, feeds[name]!])));
  await session.release();
  return exported.sites.map((_, index) => ({
    gradient: found[`gradient/${index}`]!,
    activation: found[`activation/${index}`]!,
    output: found[`output/${index}`]!,
  }));
}

/** How a network's sites compare with PyTorch. Errors are the largest difference over the largest element. */
export interface SiteErrors {
  /** Per-example gradients by parameter: of those parameters that sites cover. */
  readonly gradients: ReadonlyMap<string, number>;
  /** What hooks on layers saw, by `activation/<weight>` and `output/<weight>`. */
  readonly hooks: ReadonlyMap<string, number>;
  /** Parameters of which no element is in any site. */
  readonly uncovered: readonly string[];
  /** Parameters of which only some elements are in sites, and elements that are in more than one. */
  readonly torn: readonly string[];
}

export async function siteErrors(exported: ExportedNetwork, runtime: Runtime): Promise<SiteErrors> {
  const { network, sites } = exported;
  const { golden, batch, parameters } = network;
  const elements = await siteElements(exported);
  const numbers = sites.length > 0 ? await siteNumbers(exported, runtime) : [];
  const size = (name: string) => product(network.checkpoint.get(name)!.dims);
  const found = new Map(parameters.map((name) => [name, new Float64Array(batch * size(name))]));
  const counts = new Map(parameters.map((name) => [name, new Uint8Array(size(name))]));
  elements.forEach((site, index) => {
    const { data } = numbers[index]!.gradient;
    site.forEach((places, at) => {
      for (const place of places) {
        counts.get(place.tensor)![place.index]!++;
        for (let row = 0; row < batch; row++) {
          // √n times each of n vectors that are added up.
          const value = Number(data[row * site.length + at]) / Math.sqrt(places.length);
          found.get(place.tensor)![row * size(place.tensor) + place.index]! += value;
        }
      }
    });
  });
  const uncovered = parameters.filter((name) => counts.get(name)!.every((count) => count === 0));
  const covered = parameters.filter((name) => !uncovered.includes(name));
  const expected = new Map(covered.map((name) => [name, ofProducts(golden, name)]));
  // Some gradients are zero but for rounding (the bias of attention's keys): these are held to a hundredth of the largest.
  const floor = Math.max(...[...expected.values()].map(largest)) / 100;
  return {
    gradients: new Map(covered.map((name) => [name, relative(found.get(name)!, expected.get(name)!, floor)])),
    hooks: hookErrors(exported, numbers, elements),
    uncovered,
    torn: covered.filter((name) => counts.get(name)!.some((count) => count !== 1)),
  };
}

/** A parameter's per-example gradients, without the part of a tied weight that its lookups as an embedding gave. */
function ofProducts(golden: ReadonlyMap<string, Tensor>, name: string): readonly number[] {
  const lookup = golden.get(`lookup/${name}`);
  const part = lookup && numbersOf(lookup);
  return numbersOf(golden.get(`gradient/${name}`)!).map((value, at) => value - (part?.[at] ?? 0));
}

/** The golden files keep every k-th position of a layer's rows, of all groups side by side. */
function hookErrors(
  { network, sites, mask }: ExportedNetwork,
  numbers: readonly SiteNumbers[],
  elements: readonly SiteElements[],
): ReadonlyMap<string, number> {
  const keys = [...network.golden.keys()].filter((key) => key.startsWith('output/'));
  const floor = Math.max(0, ...keys.map((key) => largest(numbersOf(network.golden.get(key)!)))) / 100;
  const errors = new Map<string, number>();
  for (const weight of keys.map((key) => key.slice('output/'.length))) {
    const own = [...sites.keys()].filter((index) => elements[index]![0]![0]?.tensor === weight);
    for (const kind of ['activation', 'output'] as const) {
      const expected = network.golden.get(`${kind}/${weight}`)!;
      const values = numbersOf(expected);
      const [batch, kept, width] = expected.dims as [number, number, number];
      const side = width / own.length;
      const theirs: number[] = [];
      const ours: number[] = [];
      for (const [part, index] of own.entries()) {
        const { positions, uses } = sites[index]!;
        const { data, dims } = numbers[index]![kind];
        for (let row = 0; row < batch * kept; row++) {
          const at = Math.floor(row / kept) * positions + (row % kept) * Math.ceil(positions / kept);
          const counts = mask && uses[0]!.masked ? Number(mask.data[at]) : 1;
          for (let column = 0; column < side; column++) {
            ours.push(Number(data[at * dims.at(-1)! + column]));
            theirs.push(counts * values[row * width + part * side + column]!);
          }
        }
      }
      if (own.length > 0) errors.set(`${kind}/${weight}`, relative(ours, theirs, floor));
    }
  }
  return errors;
}

function relative(ours: ArrayLike<number>, theirs: readonly number[], floor: number): number {
  const differences = theirs.map((value, at) => Math.abs(value - ours[at]!));
  return differences.some(Number.isNaN)
    ? Number.POSITIVE_INFINITY
    : largest(differences) / Math.max(largest(theirs), floor);
}

function largest(values: readonly number[]): number {
  return values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}
