import { describe, expect, test } from 'vitest';
import { type Binding, bindModel } from '../../../src/formats/bind';
import { describeExpression } from '../../../src/formats/binding/expression';
import { openCheckpoint } from '../../../src/formats/checkpoints';
import type { TensorRef } from '../../../src/formats/tensor';
import { decodeModel } from '../../../src/onnx/decode';
import type { Initializer, Model, Node } from '../../../src/onnx/graph';
import { initializerTensor } from '../../../src/onnx/tensor';
import { failureOf, fixture, sourceOf } from './files';

const readInitializer = async (initializer: Initializer) => initializerTensor(initializer)!;

async function model(name: string): Promise<Model> {
  const source = fixture(`${name}.onnx`);
  return decodeModel(await source.read(0, source.size), source.path);
}

/** The bindings of a run of one checkpoint. */
async function bindWeights(
  graph: Model,
  tensors: ReadonlyMap<string, TensorRef>,
  read: typeof readInitializer,
): Promise<readonly Binding[]> {
  return (await bindModel(graph, { length: 1, tensors: async () => tensors }, read)).bindings;
}

async function bindFiles(onnx: string, checkpoint: string) {
  const { tensors } = await openCheckpoint(fixture(`${checkpoint}.safetensors`));
  return bindWeights(await model(onnx), tensors, readInitializer);
}

/** `initializer <- tensor`, with ᵀ where transposed. */
function words(bindings: readonly Binding[]): string[] {
  return bindings.map(({ initializer, value }) => `${initializer} <- ${describeExpression(value)}`).sort();
}

const same = (names: readonly string[]) => names.map((name) => `${name} <- ${name}`).sort();
const mlp = ['fc1.weight', 'fc1.bias', 'fc2.weight', 'fc2.bias', 'fc3.weight', 'fc3.bias'];
const exporters = ['dynamo', 'dynamo-unoptimized', 'legacy', 'legacy-preserved'];

describe('models that PyTorch exported', () => {
  test.each(exporters)('mlp.%s binds by name, to its own checkpoint and to another', async (exporter) => {
    expect(words(await bindFiles(`mlp.${exporter}`, 'mlp'))).toEqual(same(mlp));
    expect(words(await bindFiles(`mlp.${exporter}`, 'mlp.other'))).toEqual(same(mlp));
  });

  test.each(['dynamo-unoptimized', 'legacy-preserved'])('cnn.%s binds its running statistics too', async (exporter) => {
    const names = ['c1', 'b1', 'fc'].flatMap((layer) => [`${layer}.weight`, `${layer}.bias`]);
    expect(words(await bindFiles(`cnn.${exporter}`, 'cnn'))).toEqual(
      same([...names, 'b1.running_mean', 'b1.running_var']),
    );
  });

  test.each(['dynamo', 'legacy'])(
    'cnn.%s, its batch normalisation folded, binds to its own checkpoint only',
    async (exporter) => {
      const bound = words(await bindFiles(`cnn.${exporter}`, 'cnn'));
      expect(bound.map((text) => text.replace(/.* <- /, '')).sort()).toEqual(
        ['c1.bias · b1', 'c1.weight · b1', 'fc.bias', 'fc.weight'].sort(),
      );
      const error = await failureOf(bindFiles(`cnn.${exporter}`, 'cnn.other'));
      expect(error).toMatchObject({
        code: 'binding-failed',
        details: { mend: expect.stringContaining('optimize=False') },
      });
      expect(error.message).toContain('folded a batch normalisation');
      expect(error.message).toContain('b1.weight [4]');
    },
  );

  test.each(['dynamo', 'legacy'])(
    'tokens.%s binds renamed, transposed, square weights by their values',
    async (exporter) => {
      const [square, oblong] = exporter === 'dynamo' ? ['val_0', 'val_2'] : ['onnx::MatMul_12', 'onnx::MatMul_13'];
      expect(words(await bindFiles(`tokens.${exporter}`, 'tokens'))).toEqual(
        [`${oblong} <- down.weightᵀ`, `${square} <- up.weightᵀ`, 'up.bias <- up.bias'].sort(),
      );
    },
  );

  test('a renamed square weight is not guessed from a checkpoint of other values', async () => {
    const error = await failureOf(bindFiles('tokens.legacy', 'tokens.other'));
    expect(error.code).toBe('binding-failed');
    expect(error.message).toContain('onnx::MatMul_12 [5, 5] could be filled by up.weight or up.weight transposed');
  });
});

/** A graph of one Gemm a weight, and a checkpoint, both in memory. */
function gemms(
  weights: Readonly<Record<string, readonly number[]>>,
  values?: Readonly<Record<string, number[]>>,
): Model {
  const initializers = new Map<string, Initializer>();
  const nodes: Node[] = [];
  for (const [name, dims] of Object.entries(weights)) {
    initializers.set(name, { name, dtype: 'float32', dims, bytes: bytes(dims, values?.[name] ?? [9, 8]) });
    nodes.push({ name, op: 'Gemm', domain: '', inputs: ['x', name], outputs: [`${name}:y`], attributes: {} });
  }
  const graph = { name: 'g', inputs: [], outputs: [], initializers, nodes };
  return { file: '/run/model.onnx', irVersion: 8, producer: '', opsets: new Map([['', 17]]), graph };
}

function checkpoint(shapes: Readonly<Record<string, readonly number[]>>, values?: Readonly<Record<string, number[]>>) {
  return new Map<string, TensorRef>(
    Object.entries(shapes).map(([name, dims]) => {
      const content = bytes(dims, values?.[name] ?? [1, 2]);
      const source = sourceOf(content, '/run/step-5.safetensors');
      return [name, { name, dtype: 'float32', dims, source, offset: 0, length: content.length }];
    }),
  );
}

/** `values`, repeated to fill the shape. */
function bytes(dims: readonly number[], values: readonly number[]): Uint8Array {
  const length = dims.reduce((product, dim) => product * dim, 1);
  const floats = Float32Array.from({ length }, (_, index) => values[index % values.length]!);
  return new Uint8Array(floats.buffer);
}

describe('bindWeights', () => {
  test.each([
    ['module.net.0.weight', '0.weight'],
    ['0.weight', 'net.0.weight'],
    ['fc.weight', '_orig_mod.fc.weight'],
  ])('%s takes %s, the end of the one being the other', async (initializer, tensor) => {
    const bindings = await bindWeights(
      gemms({ [initializer]: [2, 2] }),
      checkpoint({ [tensor]: [2, 2] }),
      readInitializer,
    );
    expect(words(bindings)).toEqual([`${initializer} <- ${tensor}`]);
  });

  test('a shape that occurs once on both sides binds, transposed too', async () => {
    const bindings = await bindWeights(
      gemms({ w0: [3, 2], w1: [4, 5] }),
      checkpoint({ a: [3, 2], b: [5, 4] }),
      readInitializer,
    );
    expect(words(bindings)).toEqual(['w0 <- a', 'w1 <- bᵀ']);
  });

  test('values win over names', async () => {
    const crossed = gemms({ a: [2, 2], b: [2, 2] }, { a: [1, 2, 3, 4], b: [5, 6, 7, 8] });
    const saved = checkpoint({ a: [2, 2], b: [2, 2] }, { a: [5, 6, 7, 8], b: [1, 2, 3, 4] });
    expect(words(await bindWeights(crossed, saved, readInitializer))).toEqual(['a <- b', 'b <- a']);
  });

  test('constant values, as of fresh biases, tell nothing: names decide', async () => {
    const fresh = gemms({ 'a.bias': [2], 'b.bias': [2] }, { 'a.bias': [0], 'b.bias': [0] });
    const saved = checkpoint({ 'b.bias': [2], 'a.bias': [2] }, { 'a.bias': [0], 'b.bias': [0] });
    expect(words(await bindWeights(fresh, saved, readInitializer))).toEqual(same(['a.bias', 'b.bias']));
  });

  test('tied weights that are saved twice bind once', async () => {
    const values = [1, 2, 3, 4, 5, 6];
    const saved = checkpoint(
      { 'wte.weight': [3, 2], 'head.weight': [3, 2] },
      { 'wte.weight': values, 'head.weight': values },
    );
    const bindings = await bindWeights(
      gemms({ 'wte.weight': [3, 2] }, { 'wte.weight': values }),
      saved,
      readInitializer,
    );
    expect(words(bindings)).toEqual(same(['wte.weight']));
  });

  test('constants of the graph that are no weights stay alone', async () => {
    const graph = gemms({ w: [2, 3] });
    const initializers = new Map(graph.graph.initializers);
    initializers.set('scale', { name: 'scale', dtype: 'float32', dims: [3], bytes: bytes([3], [1, 2, 3]) });
    initializers.set('shape', { name: 'shape', dtype: 'int64', dims: [2], bytes: new Uint8Array(16) });
    const withConstants = { ...graph, graph: { ...graph.graph, initializers } };
    expect(words(await bindWeights(withConstants, checkpoint({ w: [2, 3] }), readInitializer))).toEqual(same(['w']));
  });

  test('running statistics without a place are a normalisation that was folded into what kept its name', async () => {
    const saved = checkpoint({ w: [2, 3], 'bn.running_mean': [3], 'bn.running_var': [3] });
    const error = await failureOf(bindWeights(gemms({ w: [2, 3] }), saved, readInitializer));
    expect(error.message).toContain('folded a batch normalisation');
  });

  test('layers whose names were swapped bind by their values', async () => {
    const shapes = { a: [2, 2], b: [2, 2], c: [2, 3] };
    const [one, two, three] = [
      [1, 2, 3, 4],
      [5, 6, 7, 8],
      [1, 4, 2],
    ];
    const graph = gemms(shapes, { a: one, b: two, c: three });
    const bound = await bindWeights(graph, checkpoint(shapes, { a: two, b: one, c: three }), readInitializer);
    expect(words(bound)).toEqual(['a <- b', 'b <- a', 'c <- c']);
  });

  test('a weight of other values than its tensor is no weight of the checkpoint that the others are of', async () => {
    const shapes = { a: [2, 2], b: [2, 2] };
    const graph = gemms(shapes, { a: [1, 2, 3, 4], b: [5, 6, 7, 9] });
    const saved = checkpoint(shapes, { a: [1, 2, 3, 4], b: [5, 6, 7, 8] });
    const error = await failureOf(bindWeights(graph, saved, readInitializer));
    expect(error.message).toContain("The model's weight b [2, 2] holds none of the values");
  });

  test('a fused weight binds to its parts, in rows and in columns', async () => {
    const parts = { q: [1, 3, 2, 5], k: [6, 4, 7, 2], v: [8, 1, 3, 9] };
    const saved = checkpoint({ q: [2, 2], k: [2, 2], v: [2, 2] }, parts);
    const rows = gemms({ w: [6, 2] }, { w: [...parts.q, ...parts.k, ...parts.v] });
    expect(words(await bindWeights(rows, saved, readInitializer))).toEqual(['w <- [q; k; v]']);
    const columns = gemms({ w: [2, 6] }, { w: [1, 2, 6, 7, 8, 3, 3, 5, 4, 2, 1, 9] });
    expect(words(await bindWeights(columns, saved, readInitializer))).toEqual(['w <- [q; k; v]ᵀ']);
  });

  test('a split weight binds each part to its rows', async () => {
    const whole = [1, 3, 2, 5, 6, 4, 7, 2, 8, 1, 3, 9];
    const graph = gemms(
      { q: [2, 2], k: [2, 2], v: [2, 2] },
      { q: whole.slice(0, 4), k: [6, 7, 4, 2], v: whole.slice(8) },
    );
    const bound = await bindWeights(graph, checkpoint({ qkv: [6, 2] }, { qkv: whole }), readInitializer);
    expect(words(bound)).toEqual(['k <- qkvᵀ[:,2:4]', 'q <- qkv[0:2]', 'v <- qkv[4:6]']);
  });

  test.each<[string, Record<string, number[]>, Record<string, number[]>, string]>([
    [
      'another shape under the same name',
      { 'fc1.weight': [4, 6], 'fc2.weight': [2, 4] },
      { 'fc1.weight': [8, 6], 'fc2.weight': [2, 8] },
      "The checkpoint's tensor fc1.weight has the shape [8, 6], but model.onnx wants [4, 6].",
    ],
    [
      'shapes swapped between names',
      { 'fc1.weight': [4, 6], 'fc2.weight': [6, 4] },
      { 'fc1.weight': [6, 4], 'fc2.weight': [4, 6] },
      "The checkpoint's tensor fc1.weight has the shape [6, 4], but model.onnx wants [4, 6].",
    ],
    [
      'a tensor too many',
      { w: [4, 6] },
      { w: [4, 6], extra: [7, 7] },
      'The model has no weight for extra [7, 7] of the checkpoint.',
    ],
    [
      'a tensor too few',
      { w: [4, 6], v: [3, 3] },
      { w: [4, 6] },
      "The checkpoint has no tensor for the model's v [3, 3]. It holds w [4, 6].",
    ],
    [
      'an empty checkpoint',
      { w: [4, 6] },
      {},
      "The checkpoint has no tensor for the model's w [4, 6]. It holds nothing.",
    ],
    [
      'two tensors of one shape',
      { w: [4, 6], v: [4, 6] },
      { a: [4, 6], b: [4, 6] },
      "The model's weight w [4, 6] could be filled by a or b; its name and values do not tell.",
    ],
    [
      'two ends of one name',
      { '0.weight': [4, 6] },
      { 'net.0.weight': [4, 6], 'head.0.weight': [4, 6] },
      "The model's weight 0.weight [4, 6] could be filled by net.0.weight or head.0.weight",
    ],
    [
      'nothing in common',
      { w: [4, 6] },
      { a: [9, 9] },
      "The model has no weight for a [9, 9] of the checkpoint. Still without a tensor are the model's w [4, 6].",
    ],
  ])('refuses %s', async (_, weights, saved, message) => {
    const error = await failureOf(bindWeights(gemms(weights), checkpoint(saved), readInitializer));
    expect(error.message).toContain(message);
    expect(error).toMatchObject({ code: 'binding-failed' });
    expect(error.details.file).toBeTruthy();
    expect(error.details.mend).toBeTruthy();
  });
});
