import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { create, toBinary } from '@bufbuild/protobuf';
import { buildSync } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Model, Node } from '../../../src/onnx/graph';
import { GraphProtoSchema } from '../../../src/onnx/proto/onnx_pb';
import { bytesOf, tensorOf } from '../../../src/onnx/tensor';
import { tryGraph } from '../../../src/worker/trialProcess';
import { failure } from '../../support/failure';
import { modelOf, node, perceptron } from '../../support/tinyModel';

const root = join(import.meta.dirname, '../../..');
const x = tensorOf('float32', [4, 4], new Array(16).fill(0.5));
let folder = '';
let program: URL;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'whence-trial-'));
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const contents = "import { serveTrial } from './src/worker/trialProcess'; serveTrial();";
  const outfile = join(folder, 'trial.mjs');
  const stdin = { contents, resolveDir: root, loader: 'ts' as const };
  buildSync({ stdin, bundle: true, platform: 'node', format: 'esm', external: ['onnxruntime-node'], outfile });
  program = pathToFileURL(outfile);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** The perceptron with nodes before its own, which do not reach its output. */
function model(nodes: readonly Node[], constants: Readonly<Record<string, readonly number[]>> = {}): Model {
  return { ...modelOf({ ...perceptron, nodes: [...nodes, ...perceptron.nodes], constants }), file: '/models/m.onnx' };
}

it('lets a sound model pass, and what is refused in an orderly way', async () => {
  await tryGraph(program, model([]), { x });
  await tryGraph(program, model([node('Gemmm', ['x'], 'y')]), { x });
  await tryGraph(program, model([node('ConstantOfShape', ['i'], 'y')], { i: [2_000_000_000] }), { x });
});

it('takes weights in other files as zeros', async () => {
  const { graph, ...rest } = model([]);
  const external = { location: 'weights.bin', offset: 0, length: 80 };
  const weight = { name: 'fc1.weight', dtype: 'float32', dims: [5, 4], external } as const;
  const initializers = new Map([...graph.initializers, ['fc1.weight', weight]]);
  await tryGraph(program, { ...rest, graph: { ...graph, initializers } }, { x });
});

it('survives a model that crashes the runtime: a division by a size that overflows to zero', async () => {
  const crash = node('DepthToSpace', ['image'], 'y', { blocksize: 2 ** 53 });
  const crashing = model([node('Reshape', ['x', 'i'], 'image'), crash], { i: [1, 16, 1, 1] });
  const error = await failure(tryGraph(program, crashing, { x }));
  expect(error.code).toBe('runtime-failed');
  expect(error.message).toBe('onnxruntime crashes on this model.');
  expect(error.details).toMatchObject({ file: '/models/m.onnx', mend: expect.stringMatching(/^Export/) });
});

it('ends a model that does not end', async () => {
  const flag = (name: string, elemType: number) => ({ name, type: { tensorType: { elemType, shape: {} } } });
  const body = create(GraphProtoSchema, {
    name: 'body',
    input: [flag('count', 7), flag('go', 9), flag('value', 9)],
    output: [flag('on', 9), flag('same', 9)],
    node: ['go on', 'value same'].map((pair) => {
      const [input = '', output = ''] = pair.split(' ');
      return { opType: 'Identity', input: [input], output: [output] };
    }),
  });
  const forever: Node = {
    name: 'forever',
    op: 'Loop',
    domain: '',
    inputs: ['', 'always', 'always'],
    outputs: ['never'],
    attributes: { body: { kind: 'graph', value: toBinary(GraphProtoSchema, body) } },
  };
  const always = tensorOf('bool', [], [1]);
  const endless = model([forever]);
  const { dtype, dims } = always;
  const initializers = new Map([
    ...endless.graph.initializers,
    ['always', { name: 'always', dtype, dims, bytes: bytesOf(always) }],
  ]);
  const looping = { ...endless, graph: { ...endless.graph, initializers } };
  const error = await failure(tryGraph(program, looping, { x }, 4000));
  expect(error.code).toBe('runtime-failed');
  expect(error.message).toBe('onnxruntime does not come to an end on this model.');
});

it('tries nothing where the program cannot be started', async () => {
  await tryGraph(pathToFileURL(join(folder, 'missing.mjs')), model([]), { x });
});
