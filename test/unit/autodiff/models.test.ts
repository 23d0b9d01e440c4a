import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { backward } from '../../../src/autodiff/backward';
import { crossEntropy } from '../../../src/autodiff/loss';
import { hessianVector } from '../../../src/autodiff/products';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import { readTensor } from '../../../src/formats/tensor';
import { GraphBuilder } from '../../../src/onnx/builder';
import { decodeModel } from '../../../src/onnx/decode';
import { product, sameDims } from '../../../src/onnx/dims';
import { encodeModel } from '../../../src/onnx/encode';
import type { Model } from '../../../src/onnx/graph';
import { lower } from '../../../src/onnx/lowering';
import type { Feeds, Tensor } from '../../../src/onnx/runtime';
import { probeTypes } from '../../../src/onnx/shape';
import { initializerTensor, numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { createRuntime } from '../../../src/worker/session';

/** Many architectures against PyTorch's own numbers: `test/fixtures/models/make.py` wrote models and numbers. */

const folder = fileURLToPath(new URL('../../fixtures/models/', import.meta.url));
const runtime = createRuntime('cpu', 1);
const variants = ['dynamo', 'dynamo-noopt', 'legacy', 'legacy-preserve'] as const;
const networks = readdirSync(folder)
  .filter((file) => file.endsWith('.safetensors'))
  .map((file) => file.replace('.safetensors', ''));

/** How many parameters the default exports keep, where not all: what folds BatchNorms, reorders gates, cuts off positions. */
const held: Readonly<Record<string, { readonly dynamo?: number; readonly legacy?: number }>> = {
  'bert-eager': { dynamo: 40 },
  'bert-sdpa': { dynamo: 40 },
  cnn: { dynamo: 4, legacy: 4 },
  'gpt2-eager': { dynamo: 27 },
  'gpt2-sdpa': { dynamo: 27 },
  gru: { dynamo: 3, legacy: 3 },
  highway: { dynamo: 14 },
  lstm: { dynamo: 3, legacy: 3 },
  mobile: { dynamo: 10, legacy: 10 },
  pair: { dynamo: 9 },
  picker: { dynamo: 5 },
  relative: { dynamo: 6 },
  resnet: { dynamo: 2, legacy: 2 },
  signal: { dynamo: 8, legacy: 8 },
  states: { dynamo: 18 },
  swin: { dynamo: 17, legacy: 17 },
};

/** Opset 17 has no affine grid, and the older exporter no Fourier transform. */
const unexported: readonly string[] = [
  'sampled.legacy',
  'sampled.legacy-preserve',
  'spectrum.legacy',
  'spectrum.legacy-preserve',
];

function kept(network: string, variant: (typeof variants)[number], parameters: number): number {
  return variant === 'dynamo' || variant === 'legacy' ? (held[network]?.[variant] ?? parameters) : parameters;
}

/** Embeddings whose first word is padding, which PyTorch does not train; a graph does not say so. */
const padding: Readonly<Record<string, string>> = { causal: 'words.weight' };

function withoutPadding(network: string, name: string, tensor: Tensor): Tensor {
  if (padding[network] !== name) return tensor;
  const width = tensor.dims[1]!;
  return tensorOf(
    tensor.dtype,
    tensor.dims,
    numbersOf(tensor).map((value, index) => (index < width ? 0 : value)),
  );
}

type Golden = ReadonlyMap<string, Tensor>;

async function readGolden(network: string): Promise<Golden> {
  const { tensors } = await readSafetensors(await nodeFiles().open(`${folder}${network}.safetensors`));
  const entries = [...tensors.values()].map(async (tensor) => [tensor.name, await readTensor(tensor)] as const);
  return new Map(await Promise.all(entries));
}

/** Those of `golden` below a prefix, by the rest of their names. */
function part(golden: Golden, prefix: string): ReadonlyMap<string, Tensor> {
  const entries = [...golden].filter(([name]) => name.startsWith(prefix));
  return new Map(entries.map(([name, tensor]) => [name.slice(prefix.length), tensor]));
}

function transposed({ dtype, dims, data }: Tensor): Tensor {
  const [rows, columns] = dims as [number, number];
  const values = Array.from({ length: data.length }, (_, at) =>
    Number(data[(at % rows) * columns + Math.floor(at / rows)]!),
  );
  return tensorOf(dtype, [columns, rows], values);
}

function equal(a: Tensor, b: Tensor): boolean {
  return sameDims(a.dims, b.dims) && a.data.every((value, index) => value === b.data[index]);
}

/** A parameter and the initializers that hold it, one as it is and another transposed where the exporter copied it. */
interface Bound {
  readonly name: string;
  readonly copies: readonly { readonly initializer: string; readonly transposed: boolean }[];
}

function bindByValue(model: Model, state: ReadonlyMap<string, Tensor>): readonly Bound[] {
  const floats = [...model.graph.initializers.values()].filter(({ dtype }) => dtype === 'float32');
  return [...state].flatMap(([name, tensor]) => {
    const turned = tensor.dims.length === 2 ? transposed(tensor) : null;
    const copies = floats.flatMap((initializer) => {
      const held = initializerTensor(initializer);
      if (!held) return [];
      if (equal(held, tensor)) return [{ initializer: initializer.name, transposed: false }];
      return turned && equal(held, turned) ? [{ initializer: initializer.name, transposed: true }] : [];
    });
    return copies.length > 0 ? [{ name, copies }] : [];
  });
}

/** The vector whose products make.py has computed. */
function fixedVector({ dims }: Tensor): Tensor {
  return tensorOf(
    'float32',
    dims,
    Array.from({ length: product(dims) }, (_, index) => (((7 * index + 3) % 11) - 5) / 10),
  );
}

function largest(tensor: Tensor): number {
  return numbersOf(tensor).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
}

/** The largest difference over the largest element. */
function relativeError(ours: Tensor, theirs: Tensor, floor = 0): number {
  if (!sameDims(ours.dims, theirs.dims)) return Number.POSITIVE_INFINITY;
  const [actual, expected] = [numbersOf(ours), numbersOf(theirs)];
  const differences = expected.map((value, index) => Math.abs(value - actual[index]!));
  if (differences.some(Number.isNaN)) return Number.POSITIVE_INFINITY;
  return Math.max(...differences) / Math.max(largest(theirs), floor);
}

/**
 * Errors of all of a kind's tensors. Some are zero but for rounding (a bias that a normalisation takes out again, that of
 * attention's keys): these are held to a hundredth of the largest element of all.
 */
function errors(
  network: string,
  bound: readonly Bound[],
  found: Readonly<Record<string, Tensor>>,
  golden: Golden,
  kind: string,
) {
  const expected = bound.map(({ name }) => golden.get(`${kind}/${name}`)!);
  const floor = Math.max(...expected.map(largest)) / 100;
  return bound.map((one, index) => ({
    name: `${kind} of ${one.name}`,
    error: relativeError(withoutPadding(network, one.name, summed(one, found, kind)), expected[index]!, floor),
  }));
}

/** Rows of logits whose label counts. */
function counted(logits: Tensor, labels: readonly number[]): Tensor {
  const width = logits.dims.at(-1)!;
  const values = numbersOf(logits).filter((_, index) => labels[Math.floor(index / width)]! >= 0);
  return tensorOf('float32', [values.length / width, width], values);
}

/** The sum over a parameter's copies, in its own orientation. */
function summed({ copies }: Bound, results: Readonly<Record<string, Tensor>>, prefix: string): Tensor {
  const parts = copies.map((copy) => {
    const found = results[`${prefix}/${copy.initializer}`]!;
    return copy.transposed ? transposed(found) : found;
  });
  const [first] = parts as [Tensor];
  const values = numbersOf(first).map((_, index) => parts.reduce((sum, { data }) => sum + Number(data[index]!), 0));
  return tensorOf('float32', first.dims, values);
}

async function results(
  network: string,
  model: Model,
  golden: Golden,
  bound: readonly Bound[],
  twice: boolean,
): Promise<Readonly<Record<string, Tensor>>> {
  const inputs: Feeds = Object.fromEntries(part(golden, 'input/'));
  const typed = lower({ model, types: await probeTypes(model, runtime, inputs) });
  const b = new GraphBuilder(typed.model, typed.types);
  const copies = bound.flatMap(({ name, copies }) => copies.map((copy) => ({ name, ...copy })));
  for (const { initializer } of copies) b.weightInput(initializer);
  const labels = golden.get('labels')!;
  const logits = b.dims('logits');
  const rows = b.reshape('logits', [product(logits.slice(0, -1)), logits.at(-1)!]);
  const loss = crossEntropy(b, rows, b.input('labels', { dtype: 'int64', dims: labels.dims }));
  const seed = b.expand(b.scalar(1, loss), b.dims(loss));
  const weights = copies.map(({ initializer }) => initializer);
  const gradients = backward(b, new Map([[loss, seed]]), weights);
  for (const [name, value] of gradients) b.output(`gradient/${name}`, value);
  if (twice) {
    const vector = copies.map(({ name, initializer, transposed: turned }): [string, string] => {
      const along = withoutPadding(network, name, fixedVector(golden.get(`state/${name}`)!));
      const { dims, data } = turned ? transposed(along) : along;
      return [initializer, b.constant(data, dims)];
    });
    for (const [name, value] of hessianVector(b, loss, new Map(vector))) b.output(`product/${name}`, value);
  }
  b.output('out/logits', 'logits');
  const session = await runtime.createSession(encodeModel(b.build()));
  const own = (initializer: string): Tensor => initializerTensor(model.graph.initializers.get(initializer)!)!;
  const fed: Feeds = { ...inputs, labels, ...Object.fromEntries(weights.map((name) => [name, own(name)])) };
  const found = await session.run(Object.fromEntries(session.inputs.map((name) => [name, fed[name]!])));
  await session.release();
  return found;
}

describe.each(networks)('%s', (network) => {
  const exported = variants.filter((variant) => !unexported.includes(`${network}.${variant}`));
  test.each(exported)("%s: logits, gradients and Hessian-vector products equal PyTorch's", async (variant) => {
    const golden = await readGolden(network);
    const file = `${folder}${network}.${variant}.onnx`;
    const model = decodeModel(await readFile(file), file);
    const state = part(golden, 'state/');
    const bound = bindByValue(model, state);
    const whole = bound.length === state.size;
    const found = await results(network, model, golden, bound, whole);
    const labels = numbersOf(golden.get('labels')!);
    const logits = counted(found['out/logits']!, labels);
    // What an exporter merges or folds is bound in another way; what it keeps is all that this test is of.
    expect(bound.length, 'parameters held as they are').toBe(kept(network, variant, state.size));
    expect(relativeError(logits, counted(golden.get('logits')!, labels))).toBeLessThan(1e-5);
    const gradients = errors(network, bound, found, golden, 'gradient');
    const products = whole ? errors(network, bound, found, golden, 'product') : [];
    for (const { name, error } of gradients) expect.soft(error, name).toBeLessThan(1e-5);
    for (const { name, error } of products) expect.soft(error, name).toBeLessThan(1e-4);
  });
});

test("the padding word's row has a gradient in the graph and, never being trained, none in PyTorch", async () => {
  const golden = await readGolden('causal');
  const file = `${folder}causal.dynamo-noopt.onnx`;
  const model = decodeModel(await readFile(file), file);
  const bound = bindByValue(model, part(golden, 'state/'));
  const found = await results('causal', model, golden, bound, false);
  const words = bound.find(({ name }) => name === 'words.weight')!;
  const row = (tensor: Tensor) => numbersOf(tensor).slice(0, tensor.dims[1]!);
  expect(row(golden.get('gradient/words.weight')!).every((value) => value === 0)).toBe(true);
  expect(row(summed(words, found, 'gradient')).every((value) => Math.abs(value) > 1e-4)).toBe(true);
});
