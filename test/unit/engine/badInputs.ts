import { readFile, rename, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { encodeModel } from '../../../src/onnx/encode';
import type { Tensor } from '../../../src/onnx/runtime';
import type { ErrorCode } from '../../../src/protocol/errors';
import { modelOf, node, perceptron, type TinyModel } from '../../support/tinyModel';
import { type TinyRun, weightsAt, writeCheckpoint } from '../../support/tinyRun';

/** What is done to a run, what its user is told, and (where it isn't the file as it was) what mends it. */
export interface BadInput {
  readonly name: string;
  /** The file at fault, as seen from the run's folder. */
  readonly file: string;
  readonly spoil: (path: string, run: TinyRun) => Promise<void>;
  readonly code: ErrorCode;
  /** In the message, the place or the mend. */
  readonly says: RegExp;
}

export const last = 'checkpoints/step-100.safetensors';

async function edit(path: string, change: (bytes: Buffer) => Buffer): Promise<void> {
  await writeFile(path, change(await readFile(path)));
}

const editText = (path: string, change: (text: string) => string) =>
  edit(path, (bytes) => Buffer.from(change(bytes.toString())));

/** Rewrites the JSON header of a .safetensors file, its length kept. */
const editHeader = (path: string, from: string, to: string) =>
  edit(path, (bytes) => {
    const length = Number(bytes.readBigUInt64LE(0));
    const header = bytes.toString('latin1', 8, 8 + length);
    expect(header).toContain(from);
    bytes.write(header.replace(from, to).padEnd(length).slice(0, length), 8, 'latin1');
    return bytes;
  });

async function changeTensor(path: string, name: string, change: (tensor: Tensor) => Tensor | undefined): Promise<void> {
  const tensors = weightsAt(perceptron, 100);
  const changed = change(tensors.get(name)!);
  if (changed) tensors.set(name, changed);
  else tensors.delete(name);
  await writeCheckpoint(path, tensors);
}

const writeModel = (path: string, model: TinyModel) => writeFile(path, encodeModel(modelOf(model)));
const setConfig = (path: string, { settings }: TinyRun, change: object) =>
  writeFile(path, JSON.stringify({ ...settings, ...change }));

const checkpoints: BadInput[] = [
  {
    name: 'a checkpoint cut off in its tensors',
    file: last,
    spoil: (path) => truncate(path, 400),
    code: 'truncated-file',
    says: /400 bytes/,
  },
  {
    name: 'a checkpoint cut off in its header',
    file: last,
    spoil: (path) => truncate(path, 60),
    code: 'truncated-file',
    says: /header/,
  },
  {
    name: 'an empty checkpoint',
    file: last,
    spoil: (path) => truncate(path, 0),
    code: 'truncated-file',
    says: /0 bytes|empty/,
  },
  {
    name: 'a checkpoint before the last one cut off',
    file: 'checkpoints/step-20.safetensors',
    spoil: (path) => truncate(path, 400),
    code: 'truncated-file',
    says: /tensor/,
  },
  {
    name: 'a header that promises a larger tensor than there is room for',
    file: last,
    spoil: (path) => editHeader(path, '"shape":[5,4]', '"shape":[5,9]'),
    code: 'malformed-file',
    says: /fc1\.weight/,
  },
  {
    name: 'a header whose tensors overlap',
    file: last,
    spoil: (path) => editHeader(path, '"data_offsets":[20,100]', '"data_offsets":[10, 90]'),
    code: 'malformed-file',
    says: /overlaps/,
  },
  {
    name: 'a header longer than any file',
    file: last,
    spoil: (path) =>
      edit(path, (bytes) => {
        bytes.writeBigUInt64LE(2n ** 62n, 0);
        return bytes;
      }),
    code: 'malformed-file',
    says: /header/,
  },
  {
    name: 'a NaN among the weights',
    file: last,
    spoil: (path) =>
      changeTensor(path, 'fc2.weight', (tensor) => {
        (tensor.data as Float32Array)[7] = Number.NaN;
        return tensor;
      }),
    code: 'not-finite',
    says: /tensor fc2\.weight, element 7/,
  },
  {
    name: 'an infinite weight in an early checkpoint',
    file: 'checkpoints/step-10.safetensors',
    spoil: (path) =>
      changeTensor(path, 'fc1.bias', (tensor) => {
        (tensor.data as Float32Array)[0] = Number.POSITIVE_INFINITY;
        return tensor;
      }),
    code: 'not-finite',
    says: /tensor fc1\.bias, element 0/,
  },
  {
    name: 'a last checkpoint of another net',
    file: last,
    spoil: (path) =>
      changeTensor(path, 'fc1.weight', () => ({ dtype: 'float32', dims: [7, 4], data: new Float32Array(28) })),
    code: 'binding-failed',
    says: /fc1\.weight/,
  },
  {
    name: 'an early checkpoint of another net',
    file: 'checkpoints/step-10.safetensors',
    spoil: (path) =>
      changeTensor(path, 'fc1.weight', () => ({ dtype: 'float32', dims: [7, 4], data: new Float32Array(28) })),
    code: 'binding-failed',
    says: /fc1\.weight has the shape \[7, 4\]; the model wants \[5, 4\]/,
  },
  {
    name: 'a checkpoint that lacks a tensor',
    file: 'checkpoints/step-20.safetensors',
    spoil: (path) => changeTensor(path, 'fc2.bias', () => undefined),
    code: 'binding-failed',
    says: /fc2\.bias is missing/,
  },
  {
    name: 'weights of whole numbers',
    file: 'checkpoints/step-20.safetensors',
    spoil: (path) =>
      changeTensor(path, 'fc2.bias', () => ({ dtype: 'int32', dims: [3], data: Int32Array.of(1, 2, 3) })),
    code: 'unsupported-dtype',
    says: /fc2\.bias/,
  },
];

const data: BadInput[] = [
  { name: 'an empty data file', file: 'train.csv', spoil: (path) => truncate(path, 0), code: 'empty-data', says: /./ },
  {
    name: 'a data file with a header alone',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => `${text.split('\n')[0]}\n`),
    code: 'empty-data',
    says: /no examples|no rows/,
  },
  {
    name: 'a label out of range',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/,1\n/, ',3\n')),
    code: 'label-out-of-range',
    says: /line 3[\s\S]*label 3, but the model has the classes 0 to 2/,
  },
  {
    name: 'a label out of range in the test data',
    file: 'test.csv',
    spoil: (path) => editText(path, (text) => text.replace(/,1\n/, ',-1\n')),
    code: 'label-out-of-range',
    says: /line 3/,
  },
  {
    name: 'a training row without a label',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/,2\n/, ',\n')),
    code: 'label-out-of-range',
    says: /line 4[\s\S]*no label/,
  },
  {
    name: 'a feature that is no number',
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/\n[^,]*/, '\nnan')),
    code: 'not-finite',
    says: /line 2/,
  },
  {
    name: "examples that don't fit the model's input",
    file: 'train.csv',
    spoil: (path) => editText(path, (text) => text.replace(/^x0,/, '').replaceAll(/\n[^,\n]+,/g, '\n')),
    code: 'shape-mismatch',
    says: /\[3\].*\[4\]/,
  },
];

const models: BadInput[] = [
  {
    name: 'an op without a gradient rule',
    file: 'model.onnx',
    spoil: async (path) => {
      const { graph, ...model } = modelOf(perceptron);
      const step = { op: 'Binarizer', domain: 'ai.onnx.ml' };
      const nodes = graph.nodes.map((one) => (one.op === 'Relu' ? { ...one, ...step } : one));
      const opsets = new Map([...model.opsets, [step.domain, 3] as const]);
      await writeFile(path, encodeModel({ ...model, opsets, graph: { ...graph, nodes } }));
    },
    code: 'unsupported-op',
    says: /node node_active[\s\S]*Binarizer/,
  },
  {
    name: 'a model of two inputs',
    file: 'model.onnx',
    spoil: (path) =>
      writeModel(path, { ...perceptron, inputs: [{ name: 'mask', dtype: 'float32', dims: ['batch', 4] }] }),
    code: 'shape-mismatch',
    says: /an input mask, for which the data have nothing/,
  },
  {
    name: 'a float16 model',
    file: 'model.onnx',
    spoil: async (path) => {
      const model = modelOf(perceptron);
      const inputs = [{ name: 'x', dtype: 'float16' as const, dims: ['batch', 4] }];
      await writeFile(path, encodeModel({ ...model, graph: { ...model.graph, inputs } }));
    },
    code: 'unsupported-dtype',
    says: /input x is float16/,
  },
  {
    name: "a model whose nodes don't fit together",
    file: 'model.onnx',
    spoil: (path) =>
      writeModel(path, {
        ...perceptron,
        nodes: perceptron.nodes.map((one) => (one.op === 'Gemm' ? { ...one, attributes: {} } : one)),
      }),
    code: 'runtime-failed',
    says: /./,
  },
  {
    name: 'a model cut off',
    file: 'model.onnx',
    spoil: (path) => truncate(path, 300),
    code: 'malformed-file',
    says: /./,
  },
  {
    name: 'an output that is no row an example',
    file: 'model.onnx',
    spoil: (path) =>
      writeModel(path, {
        ...perceptron,
        nodes: [
          ...perceptron.nodes.slice(0, 2),
          node('Gemm', ['active', 'fc2.weight', 'fc2.bias'], 'table', { transB: 1 }),
          node('ReduceSum', ['table'], 'logits', { keepdims: 0 }),
        ],
      }),
    code: 'shape-mismatch',
    says: /output logits/,
  },
];

const configs: BadInput[] = [
  {
    name: 'a whence.json that is no JSON',
    file: 'whence.json',
    spoil: (path) => editText(path, (text) => text.slice(0, -20)),
    code: 'config-invalid',
    says: /character \d+/,
  },
  {
    name: 'a setting of the wrong type',
    file: 'whence.json',
    spoil: (path, run) => setConfig(path, run, { optimizer: { kind: 'sgd', learningRate: 'fast' } }),
    code: 'config-invalid',
    says: /character \d+/,
  },
  {
    name: 'checkpoints that are not there',
    file: '',
    spoil: (path, run) => setConfig(join(path, 'whence.json'), run, { checkpoints: 'epoch-*.safetensors' }),
    code: 'not-found',
    says: /epoch-\*\.safetensors/,
  },
  {
    name: 'a model that is not there',
    file: 'model.onnx',
    spoil: (path) => rename(path, `${path}.away`),
    code: 'not-found',
    says: /./,
  },
  {
    name: 'a segment without checkpoints',
    file: 'whence.json',
    spoil: (path, run) => setConfig(path, run, { segments: [5, 100] }),
    code: 'config-invalid',
    says: /segments[\s\S]*Segment 1 \(steps 0 to 5\) holds no checkpoint/,
  },
  {
    name: 'no learning rate anywhere',
    file: 'whence.json',
    spoil: (path, run) => setConfig(path, run, { optimizer: { kind: 'sgd' } }),
    code: 'config-invalid',
    says: /learningRate/,
  },
];

export const badInputs: readonly BadInput[] = [...checkpoints, ...data, ...models, ...configs];
