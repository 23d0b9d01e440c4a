import { mkdtemp, open, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeSafetensors } from '../src/formats/checkpoints/safetensors';
import { product } from '../src/onnx/dims';
import { encodeModel } from '../src/onnx/encode';
import type { Initializer, Model, Node } from '../src/onnx/graph';
import { bytesOf } from '../src/onnx/tensor';
import { randomNumbers } from '../test/support/random';

/** A perceptron too big to be held in memory more than once. */
export interface BigModel {
  readonly name: string;
  readonly layers: number;
  readonly width: number;
  /** Weights in a file beside the model, as files over 2 GB have them. */
  readonly external: boolean;
}

const features = 64;
const classes = 10;
const examples = 64;
const steps = [10, 20];
const alignment = 4096;

export function weightBytes(model: BigModel): number {
  return shapesOf(model).reduce((sum, [, dims]) => sum + 4 * product(dims), 0);
}

/** Writes a run: the model as exported at the last of two checkpoints, a table of examples, `whence.json`. */
export async function writeBigRun(model: BigModel): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), `whence-${model.name}-`));
  const shapes = shapesOf(model);
  const values = new Values(Math.max(...shapes.map(([, dims]) => product(dims))));
  for (const step of steps) {
    // Memory that is never touched stands for the tensors, of which only the header is taken.
    const empty = new Map(
      shapes.map(([name, dims]) => [name, { dtype: 'float32', dims, data: new Float32Array(product(dims)) } as const]),
    );
    const [header] = encodeSafetensors(empty);
    const file = await open(join(folder, `step-${step}.safetensors`), 'w');
    await file.write(header!);
    for (const [index, [, dims]] of [...shapes].sort(([a], [b]) => (a < b ? -1 : 1)).entries()) {
      await file.write(values.of(index, step, dims));
    }
    await file.close();
  }
  await writeModel(folder, model, values);
  const random = randomNumbers(7);
  const row = (index: number) =>
    [...Array.from({ length: features }, () => random().toFixed(4)), index % classes].join();
  const head = [...Array.from({ length: features }, (_, i) => `x${i}`), 'label'].join();
  const rows = Array.from({ length: examples }, (_, index) => row(index));
  await writeFile(join(folder, 'train.csv'), `${[head, ...rows].join('\n')}\n`);
  const config = {
    model: 'model.onnx',
    checkpoints: 'step-*.safetensors',
    data: { train: { format: 'csv', file: 'train.csv' }, test: { format: 'csv', file: 'train.csv' } },
    optimizer: { kind: 'sgd', learningRate: 0.01 },
    segments: 1,
    // What curvature would take, were it asked for: a run states it beforehand.
    memory: 24_000,
  };
  await writeFile(join(folder, 'whence.json'), JSON.stringify(config));
  return folder;
}

async function writeModel(folder: string, model: BigModel, values: Values): Promise<void> {
  const initializers = new Map<string, Initializer>();
  const data = model.external ? await open(join(folder, 'model.onnx.data'), 'w') : undefined;
  let offset = 0;
  for (const [index, [name, dims]] of [...shapesOf(model)].sort(([a], [b]) => (a < b ? -1 : 1)).entries()) {
    const bytes = values.of(index, steps.at(-1)!, dims);
    if (!data) {
      initializers.set(name, { name, dtype: 'float32', dims, bytes: bytes.slice() });
      continue;
    }
    await data.write(bytes, 0, bytes.length, offset);
    initializers.set(name, {
      name,
      dtype: 'float32',
      dims,
      external: { location: 'model.onnx.data', offset, length: bytes.length },
    });
    offset = Math.ceil((offset + bytes.length) / alignment) * alignment;
  }
  await data?.close();
  await writeFile(join(folder, 'model.onnx'), encodeModel(graphOf(model, initializers)));
}

function graphOf({ layers }: BigModel, initializers: ReadonlyMap<string, Initializer>): Model {
  const nodes: Node[] = [];
  const add = (op: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}) =>
    nodes.push({ name: `node_${output}`, op, domain: '', inputs, outputs: [output], attributes });
  let value = 'x';
  for (let layer = 0; layer < layers; layer++) {
    const last = layer === layers - 1;
    const output = last ? 'logits' : `hidden${layer}`;
    add('Gemm', [value, `layers.${layer}.weight`, `layers.${layer}.bias`], output, {
      transB: { kind: 'int', value: 1 },
    });
    if (!last) add('Relu', [output], `active${layer}`);
    value = `active${layer}`;
  }
  return {
    file: '',
    irVersion: 8,
    producer: 'bench',
    opsets: new Map([['', 18]]),
    graph: {
      name: 'big',
      inputs: [{ name: 'x', dtype: 'float32', dims: ['batch', features] }],
      outputs: [{ name: 'logits', dtype: 'float32', dims: ['batch', classes] }],
      initializers,
      nodes,
    },
  };
}

function shapesOf({ layers, width }: BigModel): (readonly [string, readonly number[]])[] {
  return Array.from({ length: layers }, (_, layer) => {
    const [inputs, outputs] = [layer === 0 ? features : width, layer === layers - 1 ? classes : width];
    return [
      [`layers.${layer}.weight`, [outputs, inputs]],
      [`layers.${layer}.bias`, [outputs]],
    ] as const;
  }).flat();
}

/** Small numbers, other ones for each tensor and step, made fast from one table. */
class Values {
  private readonly table: Float32Array;
  private readonly made: Float32Array;

  constructor(length: number) {
    const random = randomNumbers(1);
    this.table = Float32Array.from({ length: 2 ** 20 }, random);
    this.made = new Float32Array(length);
  }

  /** Valid until the next call. */
  of(tensor: number, step: number, dims: readonly number[]): Uint8Array {
    const length = product(dims);
    const size = Math.sqrt(6 / (dims[1] ?? 1e4)) * (1 + step / 1000);
    // An odd stride visits the whole table in an order of the tensor's own; rows begin anywhere in it.
    const stride = 2 * tensor + 2 ** 10 + 1;
    const mask = this.table.length - 1;
    for (let at = 0, from = tensor * 7919; at < length; at++, from += stride) {
      this.made[at] = this.table[(from ^ (at >>> 17)) & mask]! * size;
    }
    return bytesOf({ dtype: 'float32', dims, data: this.made.subarray(0, length) });
  }
}
