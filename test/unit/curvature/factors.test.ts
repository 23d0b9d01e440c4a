import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Eigensolver, loadEigensolver } from '../../../src/curvature/eigen';
import type { FisherKind } from '../../../src/curvature/fisher';
import { covarianceGraph, eigenvalueGraph } from '../../../src/curvature/instrument';
import { inputNames, outputNames, type Subject } from '../../../src/curvature/subject';
import { readSafetensors } from '../../../src/formats/checkpoints/safetensors';
import { readFloat32 } from '../../../src/formats/tensor';
import type { Feeds, Tensor } from '../../../src/onnx/runtime';
import { nodeFiles } from '../../../src/worker/nodeFiles';
import { type ExportedNetwork, networkFeeds, openNetwork, readNetwork, variants } from '../../support/goldenNetwork';
import { siteElements } from '../../support/siteElements';
import { outputsOf } from '../../support/tinySubject';

/** EK-FAC of whole networks against `test/fixtures/factors/make.py`: loops over examples and labels in PyTorch, in float64. */

const networks: readonly (readonly [string, FisherKind])[] = [
  ['cnn', 'exact'],
  ['vit-sdpa', 'exact'],
  ['bert-sdpa', 'exact'],
  ['gpt2-sdpa', 'empirical'],
  ['gpt2-sdpa', 'sampled'],
];

async function readFactors(name: string, fisher: FisherKind): Promise<ReadonlyMap<string, Float32Array>> {
  const file = await nodeFiles().open(`test/fixtures/factors/${name}.${fisher}.safetensors`);
  const { tensors } = await readSafetensors(file);
  return new Map(await Promise.all([...tensors].map(async ([key, ref]) => [key, await readFloat32(ref)] as const)));
}

function subjectOf({ network, bindings, model, types, sites, mask }: ExportedNetwork): Subject {
  const trained = new Set(bindings.map(({ initializer }) => initializer));
  const tokens = mask?.dims[1];
  return { model, types, batch: network.batch, logits: 'logits', loss: 'cross-entropy', trained, sites, tokens };
}

/** `a b`, or with `b` transposed, of [n, k] and [k, m]. */
function times(a: ArrayLike<number>, b: ArrayLike<number>, n: number, k: number, m: number, turned = false) {
  const result = new Float64Array(n * m);
  for (let i = 0; i < n; i++) {
    for (let l = 0; l < k; l++) {
      for (let j = 0; j < m; j++) result[i * m + j]! += a[i * k + l]! * b[turned ? j * k + l : l * m + j]!;
    }
  }
  return result;
}

function turned(a: ArrayLike<number>, n: number): Float64Array {
  return Float64Array.from({ length: n * n }, (_, at) => a[(at % n) * n + Math.floor(at / n)]!);
}

/** `V_Sᵀ (F(Λ) ∘ (V_S V V_Aᵀ)) V_A` of the fixed matrix V. */
function applied(
  values: Float64Array,
  [left, right]: readonly [ArrayLike<number>, ArrayLike<number>],
  [outputs, inputs]: readonly [number, number],
  of: (value: number) => number,
): Float64Array {
  const fixed = Float64Array.from({ length: values.length }, (_, at) => (((7 * at + 3) % 11) - 5) / 10);
  const coordinates = times(times(left, fixed, outputs, outputs, inputs), right, outputs, inputs, inputs, true);
  const scaled = coordinates.map((value, at) => value * of(values[at]!));
  return times(times(turned(left, outputs), scaled, outputs, outputs, inputs), right, outputs, inputs, inputs);
}

/** Frobenius norm of the difference over that of `b`: eigenvectors of eigenvalues that lie close turn by float32's rounding. */
function normError(a: ArrayLike<number>, b: Float32Array): number {
  const norm = (values: Float32Array) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
  return norm(b.map((value, at) => value - a[at]!)) / norm(b);
}

function basis(vectors: Float64Array, size: number): Tensor {
  return { dtype: 'float32', dims: [size, size], data: Float32Array.from(vectors) };
}

describe.each(networks)('%s, %s Fisher', (name, fisher) => {
  test.each(variants)("%s: covariances, eigenvalues and their functions are PyTorch's", async (variant) => {
    const golden = await readFactors(name, fisher);
    const exported = await openNetwork(await readNetwork(name), variant);
    const subject = subjectOf(exported);
    const { labels, batch } = exported.network;
    const logits = subject.types.get('logits')!.dims;
    const noise = golden.get('noise') ?? new Float32Array(batch);
    const feeds: Feeds = {
      ...(await networkFeeds(exported)),
      [inputNames.labels]: { ...labels, dims: logits.slice(0, -1) },
      [inputNames.weights]: { dtype: 'float32', dims: [batch], data: new Float32Array(batch).fill(1) },
      [inputNames.noise]: { dtype: 'float32', dims: logits.slice(0, -1), data: noise },
    };
    const decompose: Eigensolver = await loadEigensolver(await readFile('media/eigh.wasm'));
    const sums = await outputsOf(covarianceGraph(subject, fisher, new Set(subject.sites.keys())), feeds);
    const bases = subject.sites.map(({ inputs, outputs }, site) => ({
      activation: decompose(Float64Array.from(sums(outputNames.activation(site))), inputs).vectors,
      gradient: decompose(Float64Array.from(sums(outputNames.gradient(site))), outputs).vectors,
    }));
    const basisFeeds = bases.flatMap(({ activation, gradient }, site): [string, Tensor][] => [
      [inputNames.activationBasis(site), basis(activation, subject.sites[site]!.inputs)],
      [inputNames.gradientBasis(site), basis(gradient, subject.sites[site]!.outputs)],
    ]);
    const squares = await outputsOf(eigenvalueGraph(subject, fisher), { ...feeds, ...Object.fromEntries(basisFeeds) });
    const elements = await siteElements(exported);
    const layers = elements.map((site) => site[0]![0]!.tensor);
    const expected = [...golden.keys()].filter((key) => key.startsWith('trace/')).map((key) => key.slice(6));
    expect([...layers].sort()).toEqual(expected.sort());
    layers.forEach((layer, site) => {
      const { inputs, outputs } = subject.sites[site]!;
      const close = (kind: string, found: ArrayLike<number>) =>
        expect.soft(normError(found, golden.get(`${kind}/${layer}`)!), `${kind} of ${layer}`).toBeLessThan(1e-4);
      close('activation', sums(outputNames.activation(site)));
      close('gradient', sums(outputNames.gradient(site)));
      const values = Float64Array.from(squares(outputNames.eigenvalues(site)), (sum) => sum / batch);
      const trace = values.reduce((sum, value) => sum + value, 0);
      close('trace', [trace]);
      const mean = trace / values.length;
      const vectors = [bases[site]!.gradient, bases[site]!.activation] as const;
      const apply = (of: (value: number) => number) => applied(values, vectors, [outputs, inputs], of);
      close(
        'inverse',
        apply((value) => 1 / (value + mean)),
      );
      close(
        'respond',
        apply((value) => (value > 0 ? -Math.expm1((-2 / mean) * value) / value : 2 / mean)),
      );
    });
  });
});
