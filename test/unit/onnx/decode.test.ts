import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { dataTypeNumber } from '../../../src/onnx/dataType';
import { decodeModel } from '../../../src/onnx/decode';
import type { DType } from '../../../src/onnx/dtype';
import { encodeModel } from '../../../src/onnx/encode';
import type { Model } from '../../../src/onnx/graph';
import {
  type GraphProto,
  type GraphProtoSchema,
  type ModelProto,
  ModelProtoSchema,
  type TensorProtoSchema,
} from '../../../src/onnx/proto/onnx_pb';
import { initializerTensor, numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { WhenceError } from '../../../src/protocol/errors';
import { createRuntime } from '../../../src/worker/session';
import { randomNumbers } from '../autodiff/gradientCheck';

const folder = fileURLToPath(new URL('../../fixtures/gradients/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.onnx'));
const runtime = createRuntime('cpu', 1);

type ModelInit = Omit<Exclude<MessageInitShape<typeof ModelProtoSchema>, ModelProto>, 'graph'>;
type GraphInit = Exclude<MessageInitShape<typeof GraphProtoSchema>, GraphProto>;
type TensorInit = MessageInitShape<typeof TensorProtoSchema>;

const vector = { tensorType: { elemType: 1, shape: { dim: [{ value: { case: 'dimValue', value: 2n } as const }] } } };

/** y = Exp(x) and what a test changes of it, as a file. */
function file(graph: GraphInit = {}, model: ModelInit = {}): Uint8Array {
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: [{ domain: '', version: 17n }],
      graph: {
        name: 'g',
        node: [{ name: 'n', opType: 'Exp', input: ['x'], output: ['y'] }],
        input: [{ name: 'x', type: vector }],
        output: [{ name: 'y', type: vector }],
        ...graph,
      },
      ...model,
    }),
  );
}

function decode(bytes: Uint8Array): Model {
  return decodeModel(bytes, '/models/m.onnx');
}

function failure(bytes: Uint8Array): WhenceError {
  try {
    decode(bytes);
  } catch (error) {
    if (error instanceof WhenceError) return error;
    throw error;
  }
  throw new Error('The file was read.');
}

async function outputsOf(bytes: Uint8Array, name: string): Promise<readonly number[]> {
  const session = await runtime.createSession(bytes);
  const dims = name.startsWith('mlp') ? [2, 196] : [2, 3, 32, 32];
  const random = randomNumbers(3);
  const values = Array.from({ length: dims.reduce((size, dim) => size * dim, 1) }, random);
  const results = await session.run({ x: tensorOf('float32', dims, values) });
  await session.release();
  return numbersOf(results.logits!);
}

describe('round trip', () => {
  test.each(files)('%s computes the same after reading and writing', async (name) => {
    const bytes = new Uint8Array(readFileSync(folder + name));
    const model = decodeModel(bytes, folder + name);
    const written = encodeModel(model);
    expect(await outputsOf(written, name)).toEqual(await outputsOf(bytes, name));
    expect(Buffer.compare(encodeModel(decode(written)), written)).toBe(0);
    expect(decode(written).graph.nodes).toEqual(model.graph.nodes);
  });

  test('big weights are views of the file', () => {
    const bytes = new Uint8Array(readFileSync(`${folder}mlp.dynamo.onnx`));
    const weight = decode(bytes).graph.initializers.get('fc1.weight')!;
    expect(weight.bytes!.buffer).toBe(bytes.buffer);
    expect(weight.bytes!.byteLength).toBe(64 * 196 * 4);
  });

  test('attributes of every kind survive, the largest integer too', () => {
    const attribute = [
      { name: 'i', type: 2, i: -3n },
      { name: 'end', type: 2, i: 2n ** 63n - 1n },
      { name: 'f', type: 1, f: 0.5 },
      { name: 's', type: 3, s: new TextEncoder().encode('größe') },
      { name: 'is', type: 7, ints: [1n, -1n] },
      { name: 'fs', type: 6, floats: [1, 0.25] },
      { name: 'ss', type: 8, strings: [new TextEncoder().encode('a')] },
      { name: 'g', type: 5, g: new Uint8Array([1, 2]) },
      { name: 't', type: 4, t: { dims: [1n], dataType: 7, int64Data: [5n] } },
    ];
    const model = decode(file({ node: [{ opType: 'Exp', input: ['x'], output: ['y'], attribute }] }));
    const again = decode(encodeModel(model));
    expect(again.graph.nodes[0]!.attributes).toEqual(model.graph.nodes[0]!.attributes);
    expect(Object.keys(model.graph.nodes[0]!.attributes)).toEqual(attribute.map(({ name }) => name));
    expect(model.graph.nodes[0]!.name).toBe('Exp_0');
  });

  test.each([
    [14n, 20n, 10],
    [14n, 23n, 13],
    [3n, 13n, 4],
    [8n, 17n, 8],
  ])('IR version %i at opset %i is written as %i', (irVersion, version, written) => {
    const model = decode(file({}, { irVersion, opsetImport: [{ domain: 'ai.onnx', version }] }));
    expect(model.irVersion).toBe(Number(irVersion));
    expect(model.opsets).toEqual(new Map([['', Number(version)]]));
    expect(decode(encodeModel(model)).irVersion).toBe(written);
  });
});

describe('tensors', () => {
  const typed: readonly (readonly [DType, TensorInit])[] = [
    ['float32', { floatData: [1, 2] }],
    ['float64', { doubleData: [1, 2] }],
    ['float16', { int32Data: [0x3c00, 0x4000] }],
    ['bfloat16', { int32Data: [0x3f80, 0x4000] }],
    ['int8', { int32Data: [1, 2] }],
    ['int16', { int32Data: [1, 2] }],
    ['int32', { int32Data: [1, 2] }],
    ['uint8', { int32Data: [1, 2] }],
    ['uint16', { int32Data: [1, 2] }],
    ['int64', { int64Data: [1n, 2n] }],
    ['uint32', { uint64Data: [1n, 2n] }],
    ['uint64', { uint64Data: [1n, 2n] }],
  ];

  test.each(typed)('%s in typed fields', (dtype, fields) => {
    const tensor = { name: 'w', dims: [2n], dataType: dataTypeNumber(dtype), ...fields };
    const initializer = decode(file({ initializer: [tensor] })).graph.initializers.get('w')!;
    expect(initializer.dtype).toBe(dtype);
    expect(numbersOf(initializerTensor(initializer)!)).toEqual([1, 2]);
  });

  test('raw bytes that are not aligned, in a Node buffer too', () => {
    const raw = new Uint8Array(Float32Array.of(1.5, -2).buffer);
    for (const pad of ['', 'x', 'xx', 'xxx']) {
      const bytes = Buffer.from(
        file({ name: pad, initializer: [{ name: 'w', dims: [2n], dataType: 1, rawData: raw }] }),
      );
      expect(numbersOf(initializerTensor(decode(bytes).graph.initializers.get('w')!)!)).toEqual([1.5, -2]);
    }
  });

  test('external data is referred to, not read', () => {
    const entries = { location: 'weights.bin', offset: '16', length: '8' };
    const external = Object.entries(entries).map(([key, value]) => ({ key, value }));
    const tensor = { name: 'w', dims: [2n], dataType: 1, dataLocation: 1, externalData: external };
    const model = decode(file({ initializer: [tensor] }));
    expect(model.graph.initializers.get('w')!.external).toEqual({ location: 'weights.bin', offset: 16, length: 8 });
    expect(decode(encodeModel(model)).graph).toEqual(model.graph);
  });

  test('initializers that old files list as inputs too are constants', () => {
    const initializer = [{ name: 'w', dims: [1n], dataType: 1, floatData: [1] }];
    const input = ['x', 'w'].map((name) => ({ name, type: vector }));
    expect(decode(file({ initializer, input })).graph.inputs.map(({ name }) => name)).toEqual(['x']);
  });
});

describe('topology', () => {
  const chain = (...steps: readonly (readonly [string, string])[]) =>
    steps.map(([input, output]) => ({ name: `${input}>${output}`, opType: 'Exp', input: [input], output: [output] }));

  test('nodes are put in order, and otherwise left in theirs', () => {
    const model = decode(file({ node: chain(['b', 'y'], ['x', 'c'], ['a', 'b'], ['x', 'a']) }));
    expect(model.graph.nodes.map(({ name }) => name)).toEqual(['x>a', 'a>b', 'b>y', 'x>c']);
    const ordered = decode(file({ node: chain(['x', 'c'], ['x', 'a'], ['a', 'y']) }));
    expect(ordered.graph.nodes.map(({ name }) => name)).toEqual(['x>c', 'x>a', 'a>y']);
  });

  test('nodes without a name get one of their own', () => {
    const node = [
      { name: 'Exp_1', opType: 'Exp', input: ['x'], output: ['a'] },
      { opType: 'Exp', input: ['a'], output: ['y'] },
    ];
    expect(decode(file({ node })).graph.nodes.map(({ name }) => name)).toEqual(['Exp_1', 'Exp_1_']);
  });

  test('nodes of one name get names of their own', () => {
    const names = ['n', 'n', 'n_1', 'n'];
    const node = names.map((name, index) => ({
      name,
      opType: 'Exp',
      input: [index === 0 ? 'x' : `v${index - 1}`],
      output: [index === 3 ? 'y' : `v${index}`],
    }));
    expect(decode(file({ node })).graph.nodes.map(({ name }) => name)).toEqual(['n', 'n_1_', 'n_1', 'n_3']);
  });

  test('a chain of 100,000 nodes in reverse', () => {
    const steps = Array.from({ length: 100_000 }, (_, i) => [`v${i}`, i === 99_999 ? 'y' : `v${i + 1}`] as const);
    const input = [{ name: 'v0', type: vector }];
    expect(decode(file({ node: chain(...steps).reverse(), input })).graph.nodes.at(-1)!.outputs).toEqual(['y']);
  });

  test.each([
    ['a cycle', { node: chain(['x', 'a'], ['b', 'c'], ['c', 'b'], ['a', 'y']) }, 'node b>c'],
    ['a node that reads itself', { node: chain(['y', 'y']) }, 'node y>y'],
    ['a value defined twice', { node: chain(['x', 'y'], ['x', 'y']) }, 'node x>y_1'],
    ['a value defined by a node and the input', { node: chain(['x', 'y'], ['y', 'x']) }, 'node y>x'],
    ['a value that nothing defines', { node: chain(['z', 'y']) }, 'node z>y'],
    ['an output that nothing defines', { output: [{ name: 'z', type: vector }] }, 'output z'],
    ['an input twice', { input: [1, 2].map(() => ({ name: 'x', type: vector })) }, 'value x'],
    [
      'a weight twice',
      { initializer: [1, 2].map(() => ({ name: 'w', dims: [1n], dataType: 1, floatData: [1] })) },
      'value w',
    ],
  ])('%s is refused', (_, graph, place) => {
    const error = failure(file(graph));
    expect(error.code).toBe('malformed-file');
    expect(error.details.file).toBe('/models/m.onnx');
    expect(error.details.place).toBe(place);
  });
});

describe('refusals', () => {
  test.each([
    ['opset 12', {}, { opsetImport: [{ version: 12n }] }, 'unsupported-op'],
    ['opset 24', {}, { opsetImport: [{ version: 24n }] }, 'unsupported-op'],
    ['no opset', {}, { opsetImport: [] }, 'malformed-file'],
    ['sparse weights', { sparseInitializer: [new Uint8Array(2)] }, {}, 'unsupported-format'],
    [
      'too few bytes',
      { initializer: [{ name: 'w', dims: [3n], dataType: 1, floatData: [1, 2] }] },
      {},
      'malformed-file',
    ],
    ['a negative dimension', { initializer: [{ name: 'w', dims: [-1n], dataType: 1 }] }, {}, 'malformed-file'],
    [
      'an immense shape',
      { initializer: [{ name: 'w', dims: [2n ** 40n, 2n ** 40n], dataType: 1 }] },
      {},
      'malformed-file',
    ],
    ['text as a weight', { initializer: [{ name: 'w', dims: [1n], dataType: 8 }] }, {}, 'unsupported-dtype'],
    ['8-bit floats', { initializer: [{ name: 'w', dims: [1n], dataType: 17 }] }, {}, 'unsupported-dtype'],
    ['a weight without a name', { initializer: [{ dims: [1n], dataType: 1, floatData: [1] }] }, {}, 'malformed-file'],
    ['an input that is no tensor', { input: [{ name: 'x', type: {} }] }, {}, 'unsupported-dtype'],
  ] as const)('%s', (_name, graph, model, code) => {
    const error = failure(file(graph as GraphInit, model as ModelInit));
    expect(error.code).toBe(code);
    expect(error.details.file).toBe('/models/m.onnx');
  });

  test('a file without a graph', () => {
    const bytes = toBinary(ModelProtoSchema, create(ModelProtoSchema, { opsetImport: [{ version: 17n }] }));
    expect(failure(bytes).code).toBe('malformed-file');
  });

  test.each(['', '../secret', 'a/../../secret', '/etc/passwd', 'C:\\secret', '..\\secret'])(
    'external data at "%s"',
    (location) => {
      const externalData = [{ key: 'location', value: location }];
      const tensor = { name: 'w', dims: [2n], dataType: 1, dataLocation: 1, externalData };
      expect(failure(file({ initializer: [tensor] })).code).toBe('malformed-file');
    },
  );

  test('a file cut off anywhere is malformed', () => {
    const bytes = new Uint8Array(readFileSync(`${folder}mlp.legacy.onnx`));
    for (let length = 0; length < bytes.length; length += 97) {
      expect(failure(bytes.subarray(0, length)).code, `${length} bytes`).toBe('malformed-file');
    }
  });

  test('flipped bytes are read or refused, never anything else', () => {
    const random = randomNumbers(5);
    const whole = file({ initializer: [{ name: 'w', dims: [2n], dataType: 1, floatData: [1, 2] }] });
    let refused = 0;
    for (let trial = 0; trial < 5000; trial++) {
      const bytes = whole.slice();
      for (let flips = 0; flips < 1 + (trial % 3); flips++) {
        bytes[Math.floor(((random() + 1) / 2) * bytes.length)] = Math.floor(((random() + 1) / 2) * 256);
      }
      try {
        decode(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(WhenceError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(1000);
  });
});
