import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { describe, expect, test } from 'vitest';
import { decodeModel } from '../../../src/onnx/decode';
import { encodeModel } from '../../../src/onnx/encode';
import {
  type FunctionProto,
  type FunctionProtoSchema,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProto,
  type NodeProtoSchema,
} from '../../../src/onnx/proto/onnx_pb';
import { numbersOf, tensorOf } from '../../../src/onnx/tensor';
import { createRuntime } from '../../../src/worker/session';

type NodeInit = Exclude<MessageInitShape<typeof NodeProtoSchema>, NodeProto>;
type FunctionInit = Exclude<MessageInitShape<typeof FunctionProtoSchema>, FunctionProto>;

const vector = { tensorType: { elemType: 1, shape: { dim: [{ value: { case: 'dimValue', value: 3n } as const }] } } };

function decode(node: readonly NodeInit[], functions: readonly FunctionInit[]) {
  const proto = create(ModelProtoSchema, {
    irVersion: 8n,
    opsetImport: [
      { domain: '', version: 17n },
      { domain: 'own', version: 1n },
    ],
    functions: [...functions],
    graph: {
      name: 'g',
      node: [...node],
      input: [{ name: 'x', type: vector }],
      output: [{ name: 'y', type: vector }],
    },
  });
  return decodeModel(toBinary(ModelProtoSchema, proto), '/models/m.onnx');
}

async function run(model: ReturnType<typeof decode>): Promise<readonly number[]> {
  const session = await createRuntime('cpu', 1).createSession(encodeModel(model));
  const { y } = await session.run({ x: tensorOf('float32', [3], [-2, 0.5, 3]) });
  await session.release();
  return numbersOf(y!);
}

/** y = a leaky ReLU, then twice the sum with itself; its slope is the caller's or 0.5. */
const leak: FunctionInit = {
  domain: 'own',
  name: 'Leak',
  input: ['a'],
  output: ['c'],
  attribute: ['slope'],
  attributeProto: [{ name: 'fallback', type: Kind.FLOAT, f: 0.5 }],
  node: [
    {
      name: 'inner',
      opType: 'LeakyRelu',
      input: ['a'],
      output: ['x'],
      attribute: [{ name: 'alpha', type: Kind.FLOAT, refAttrName: 'slope' }],
    },
    {
      opType: 'LeakyRelu',
      input: ['x'],
      output: ['b'],
      attribute: [{ name: 'alpha', type: Kind.FLOAT, refAttrName: 'fallback' }],
    },
    { opType: 'Add', input: ['x', 'b'], output: ['c'] },
  ],
};

test('calls are written out, each with its own values and attributes', async () => {
  const call = (input: string, output: string, slope: number): NodeInit => ({
    domain: 'own',
    opType: 'Leak',
    input: [input],
    output: [output],
    attribute: [{ name: 'slope', type: Kind.FLOAT, f: slope }],
  });
  const model = decode([call('x', 'm', 0.25), call('m', 'y', 1)], [leak]);
  expect(model.graph.nodes.map(({ op }) => op)).toEqual([
    'LeakyRelu',
    'LeakyRelu',
    'Add',
    'LeakyRelu',
    'LeakyRelu',
    'Add',
  ]);
  expect([...model.opsets.keys()]).toEqual(['']);
  // First: -2 becomes -0.5 - 0.25; then -0.75 - 0.375. Positive numbers double twice.
  expect(await run(model)).toEqual([-1.125, 2, 12]);
});

test('functions call functions, and may hand their input back', async () => {
  const outer: FunctionInit = {
    domain: 'own',
    name: 'Outer',
    input: ['a'],
    output: ['a', 'b'],
    node: [{ domain: 'own', opType: 'Leak', input: ['a'], output: ['b'] }],
  };
  const nodes: readonly NodeInit[] = [
    { domain: 'own', opType: 'Outer', input: ['x'], output: ['same', 'changed'] },
    { opType: 'Sub', input: ['changed', 'same'], output: ['y'] },
  ];
  const found = await run(decode(nodes, [outer, leak]));
  // Without an attribute of the caller's, LeakyRelu's own default is 0.01.
  expect(found[0]).toBeCloseTo(-0.03 + 2, 6);
  expect(found.slice(1)).toEqual([0.5, 3]);
});

describe('refused', () => {
  const call: NodeInit = { domain: 'own', opType: 'F', input: ['x'], output: ['y'] };
  const named = (node: readonly NodeInit[]): FunctionInit => ({
    domain: 'own',
    name: 'F',
    input: ['a'],
    output: ['b'],
    node: [...node],
  });

  test.each<readonly [string, readonly FunctionInit[], string]>([
    ['a function that calls itself', [named([{ ...call, input: ['a'], output: ['b'] }])], 'malformed-file'],
    [
      'a function that doubles itself beyond memory',
      Array.from({ length: 30 }, (_, level) => ({
        ...named([
          { domain: 'own', opType: `F${level + 1}`, input: ['a'], output: ['m'] },
          { domain: 'own', opType: `F${level + 1}`, input: ['m'], output: ['b'] },
        ]),
        name: level === 0 ? 'F' : `F${level}`,
      })),
      'malformed-file',
    ],
    [
      'a body within a function',
      [named([{ opType: 'If', input: ['a'], output: ['b'], attribute: [{ name: 'then_branch', type: Kind.GRAPH }] }])],
      'unsupported-op',
    ],
  ])('%s', (_what, functions, code) => {
    expect(() => decode([call], functions)).toThrow(expect.objectContaining({ code }));
  });
});

test('a node tells the line of the source that made it, not that of a package', () => {
  const trace = [
    'File "/home/me/net.py", line 12, in forward',
    '    y = F.relu(x)',
    '  File "/usr/lib/python3/site-packages/torch/nn/functional.py", line 9, in relu',
    '    return torch.relu(x)',
  ].join('\n');
  const metadataProps = [{ key: 'pkg.torch.onnx.stack_trace', value: trace }];
  const { graph } = decode([{ opType: 'Relu', input: ['x'], output: ['y'], metadataProps }], []);
  expect(graph.nodes[0]!.source).toBe('net.py, line 12: y = F.relu(x)');
});
