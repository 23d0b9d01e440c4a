import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { positionInputs } from '../../src/curvature/positions';
import { probeRowOrders } from '../../src/curvature/rowOrder';
import { findSites, type Site, type SiteSearch, weightedActivations } from '../../src/curvature/site';
import { scaleFeeds } from '../../src/engine/network/feeds';
import { searchedWeights } from '../../src/engine/network/trainedWeights';
import { type Binding, bindModel } from '../../src/formats/bind';
import { apply, outputScale } from '../../src/formats/binding/apply';
import { readSafetensors } from '../../src/formats/checkpoints/safetensors';
import { readFloat32, readTensor, type TensorRef } from '../../src/formats/tensor';
import { decodeModel } from '../../src/onnx/decode';
import { product } from '../../src/onnx/dims';
import { lower, type TypedModel } from '../../src/onnx/lowering';
import type { Feeds, Tensor } from '../../src/onnx/runtime';
import { probeTypes } from '../../src/onnx/shape';
import { initializerTensor } from '../../src/onnx/tensor';
import { nodeFiles } from '../../src/worker/nodeFiles';
import { createRuntime } from '../../src/worker/session';

/** Networks of test/fixtures/models and test/fixtures/sites: what PyTorch's exporters made of them, and PyTorch's numbers. */

const models = 'test/fixtures/models';
const own = 'test/fixtures/sites';
const cpu = createRuntime('cpu', 1);

export const variants = ['dynamo', 'dynamo-noopt', 'legacy', 'legacy-preserve'] as const;
export type Variant = (typeof variants)[number];

/** Every network that has an ONNX file and numbers of its own. */
export const networkNames: readonly string[] = [models, own].flatMap((folder) => {
  const files = readdirSync(folder).filter((file) => file.endsWith('.onnx'));
  const names = new Set(files.map((file) => file.slice(0, file.indexOf('.'))));
  return [...names].filter((name) => existsSync(numbersOf(name)));
});

/** Kinds of attention compute the same: their per-example numbers are written once. */
function numbersOf(name: string): string {
  return `${own}/${name.replace('-eager', '-sdpa')}.safetensors`;
}

export interface GoldenNetwork {
  readonly name: string;
  /** A checkpoint of the parameters and of what BatchNorm estimated. */
  readonly checkpoint: ReadonlyMap<string, TensorRef>;
  /** Names of what training moves. */
  readonly parameters: readonly string[];
  /** Every number of the golden files, by its name there. */
  readonly golden: ReadonlyMap<string, Tensor>;
  readonly inputs: Feeds;
  readonly batch: number;
  readonly labels: Tensor;
}

export async function readNetwork(name: string): Promise<GoldenNetwork> {
  const numbers = numbersOf(name);
  const files = [`${models}/${name}.safetensors`, numbers].filter((file) => existsSync(file));
  const golden = new Map<string, Tensor>();
  const checkpoint = new Map<string, TensorRef>();
  const parameters: string[] = [];
  for (const file of files) {
    const { tensors } = await readSafetensors(await nodeFiles().open(file));
    for (const [key, ref] of tensors) {
      const [kind, tensor] = [key.slice(0, key.indexOf('/')), key.slice(key.indexOf('/') + 1)];
      // Gradients of the batch's sum are others' concern: those of this name are each example's own.
      if (file !== numbers && (kind === 'gradient' || kind === 'product')) continue;
      if (kind === 'state') parameters.push(tensor);
      if (kind === 'state' || kind === 'buffer') checkpoint.set(tensor, { ...ref, name: tensor });
      else golden.set(key, await readTensor(ref));
    }
  }
  const entries = [...golden].filter(([key]) => key.startsWith('input/'));
  const inputs = Object.fromEntries(entries.map(([key, tensor]) => [key.slice('input/'.length), tensor]));
  const batch = entries[0]![1].dims[0]!;
  return { name, checkpoint, parameters, golden, inputs, batch, labels: golden.get('labels')! };
}

/** A network as one exporter wrote it, bound to its checkpoint and searched. */
export interface ExportedNetwork extends TypedModel {
  readonly network: GoldenNetwork;
  readonly bindings: readonly Binding[];
  readonly sites: readonly Site[];
  /** float32 [batch, tokens], where padding does not count. */
  readonly mask: Tensor | undefined;
}

/** Whether the exporter could write the network at all. */
export function fileOf(name: string, variant: Variant): string | undefined {
  return [models, own].map((folder) => `${folder}/${name}.${variant}.onnx`).find((file) => existsSync(file));
}

export async function openNetwork(
  network: GoldenNetwork,
  variant: Variant,
  options: Partial<SiteSearch> = {},
): Promise<ExportedNetwork> {
  const { checkpoint, inputs, batch } = network;
  const file = fileOf(network.name, variant)!;
  const source = decodeModel(await readFile(file), file);
  const series = { length: 1, tensors: async () => checkpoint };
  const { bindings } = await bindModel(source, series, async (initializer) => initializerTensor(initializer)!);
  const { model, types } = lower({ model: source, types: await probeTypes(source, cpu, inputs) });
  const mask = maskOf(inputs.attention_mask);
  const search = { model, types, batch, tokens: mask?.dims[1], ...searchedWeights(bindings), ...options };
  const feeds = [copies(inputs, batch, 0), copies(inputs, batch, batch - 1)] as const;
  const rowOrders = await probeRowOrders(model, cpu, feeds, { batch, changed: 1 }, weightedActivations(search));
  return { network, bindings, model, types, sites: findSites({ ...search, rowOrders }), mask };
}

/** Inputs, the checkpoint as the graph's weights, scales of folded normalisations, and the mask of tokens. */
export async function networkFeeds({ network, bindings, model, sites, mask }: ExportedNetwork): Promise<Feeds> {
  const feeds: Record<string, Tensor> = { ...network.inputs };
  const scales = new Map<string, Float32Array>();
  const read = (name: string) => readFloat32(network.checkpoint.get(name)!);
  for (const { initializer, value } of bindings) {
    const { dims } = model.graph.initializers.get(initializer)!;
    feeds[initializer] = { dtype: 'float32', dims, data: await apply(value, read) };
    const scale = await outputScale(value, read);
    if (scale) scales.set(initializer, scale);
  }
  return { ...feeds, ...scaleFeeds(sites, scales), ...(mask ? { [positionInputs.mask]: mask } : {}) };
}

function maskOf(mask: Tensor | undefined): Tensor | undefined {
  return mask && { dtype: 'float32', dims: mask.dims, data: Float32Array.from(mask.data, Number) };
}

/** A batch of the first example, with another in its second row. */
function copies(inputs: Feeds, batch: number, second: number): Feeds {
  const entries = Object.entries(inputs).map(([name, tensor]): [string, Tensor] => {
    const width = product(tensor.dims.slice(1));
    const data = tensor.data.slice();
    for (let row = 0; row < batch; row++) data.copyWithin(row * width, 0, width);
    const from = second * width;
    for (let at = 0; at < width; at++) data[width + at] = tensor.data[from + at]!;
    return [name, { ...tensor, data }];
  });
  return Object.fromEntries(entries);
}
