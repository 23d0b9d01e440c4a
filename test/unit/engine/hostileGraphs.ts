import { create } from '@bufbuild/protobuf';
import {
  AttributeProtoSchema,
  type FunctionProto,
  FunctionProtoSchema,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  type NodeProto,
  NodeProtoSchema,
  type TensorProto,
  TensorProtoSchema,
} from '../../../src/onnx/proto/onnx_pb';
import type { ErrorCode } from '../../../src/protocol/errors';
import { edit, type Hostile, varint, weight } from './hostile';

type Change = Parameters<typeof edit>[0];

const hostile = (name: string, change: Change, code: ErrorCode, says: RegExp, file = 'model.onnx'): Hostile => [
  name,
  edit(change),
  code,
  says,
  file,
];

const call = (opType: string, input: readonly string[], output: string, domain = '') =>
  create(NodeProtoSchema, { name: `node_${output}`, opType, domain, input: [...input], output: [output] });

const ownFunction = (name: string, node: NodeProto[]): FunctionProto =>
  create(FunctionProtoSchema, { name, domain: 'own', input: ['a'], output: ['b'], node });

const constant = (name: string, values: readonly number[]) =>
  create(TensorProtoSchema, { name, dataType: 7, dims: [BigInt(values.length)], int64Data: values.map(BigInt) });

const hidden = (graph: GraphProto) => graph.node.find(({ output }) => output[0] === 'hidden')!;

/** Graphs within graphs: GraphProto.node, NodeProto.attribute, AttributeProto.g, and again. */
function nested(depth: number): Uint8Array {
  const heads: Uint8Array[] = [];
  let length = 0;
  for (let level = 0; level < 3 * depth; level++) {
    const head = Uint8Array.from([[0x32, 0x2a, 0x0a][level % 3]!, ...varint(length)]);
    length += head.length;
    heads.push(head);
  }
  return new Uint8Array(Buffer.concat(heads.reverse()));
}

/** Graphs that contradict themselves, or ask for more than there is. */
export const hostileGraphs: readonly Hostile[] = [
  hostile(
    'nodes in a circle',
    (graph) => {
      hidden(graph).input[0] = 'active';
    },
    'malformed-file',
    /node node_\w+[\s\S]*its own output/,
  ),
  hostile(
    'a node that reads what nothing makes',
    (graph) => {
      hidden(graph).input[0] = 'nowhere';
    },
    'malformed-file',
    /node node_hidden[\s\S]*nowhere/,
  ),
  hostile(
    'a weight twice',
    (graph) => graph.initializer.push(weight(graph, 'fc1.bias')),
    'malformed-file',
    /fc1\.bias twice/,
  ),
  hostile(
    'a weight of another shape than its bytes',
    (graph) => {
      weight(graph, 'fc1.weight').dims = [5n, 5n];
    },
    'malformed-file',
    /tensor fc1\.weight[\s\S]*100 bytes and has 80/,
  ),
  hostile(
    'a weight of another shape than the checkpoints have',
    (graph) => {
      weight(graph, 'fc1.weight').dims = [2n, 10n];
    },
    'binding-failed',
    /fc1\.weight/,
    'checkpoints/step-100.safetensors',
  ),
  hostile(
    'a weight of a negative shape',
    (graph) => {
      weight(graph, 'fc1.weight').dims = [-5n, -4n];
    },
    'malformed-file',
    /tensor fc1\.weight[\s\S]*\[-5, -4\]/,
  ),
  hostile(
    'an operator of nobody',
    (graph) => graph.node.push(call('Trick', ['logits'], 'extra', 'evil')),
    'unsupported-op',
    /node node_extra[\s\S]*evil/,
  ),
  hostile(
    'an operator that ONNX does not have',
    (graph) => {
      hidden(graph).opType = 'Gemmm';
    },
    'runtime-failed',
    /Gemmm/,
  ),
  hostile(
    'an opset of the future',
    (_, model) => {
      model.opsetImport[0]!.version = 99n;
    },
    'unsupported-op',
    /opset 99/,
  ),
  hostile(
    'an opset of the past',
    (_, model) => {
      model.opsetImport[0]!.version = 7n;
    },
    'unsupported-op',
    /opset 7/,
  ),
  hostile(
    'a billion elements from a few bytes',
    (graph) => {
      graph.initializer.push(constant('length', [1_000_000_000]));
      graph.node.push(
        call('ConstantOfShape', ['length'], 'bomb'),
        call('ReduceSum', ['bomb'], 'sum'),
        call('Add', ['logits', 'sum'], 'out'),
      );
      graph.output[0]!.name = 'out';
    },
    'out-of-memory',
    /node node_bomb[\s\S]*1,000,000,000/,
  ),
  hostile(
    'more nodes than any network has',
    (graph) => graph.node.push(...new Array<NodeProto>(100_000).fill(call('Relu', ['hidden'], ''))),
    'malformed-file',
    /more than 100000 nodes/,
  ),
  hostile(
    'a hundred thousand weights',
    (graph) => graph.initializer.push(...new Array<TensorProto>(100_000).fill(constant('w', []))),
    'malformed-file',
    /more than 20000 tensors/,
  ),
  hostile(
    'a name of ten million letters',
    (graph) => {
      hidden(graph).name = 'a'.repeat(10_000_000);
    },
    'malformed-file',
    /name in the model has 10000000 bytes/,
  ),
  hostile(
    'a function that calls itself',
    (graph, model) => {
      graph.node.push(call('F', ['logits'], 'again', 'own'));
      model.functions = [ownFunction('F', [call('F', ['a'], 'b', 'own')])];
    },
    'malformed-file',
    /function F[\s\S]*calls itself/,
  ),
  hostile(
    'functions that call each other twice and do nothing',
    (graph, model) => {
      graph.node.push(call('F0', ['logits'], 'again', 'own'));
      model.functions = Array.from({ length: 60 }, (_, level) => {
        const next = `F${level + 1}`;
        return ownFunction(
          `F${level}`,
          level === 59 ? [] : [call(next, ['a'], 'm', 'own'), call(next, ['m'], 'b', 'own')],
        );
      });
    },
    'malformed-file',
    /more than 100000 times/,
  ),
  hostile(
    'branches within branches, thousands deep',
    (graph) => {
      const branch = call('If', ['logits'], 'chosen');
      branch.attribute = ['then_branch', 'else_branch'].map((name) =>
        create(AttributeProtoSchema, { name, type: Kind.GRAPH, g: nested(3000) }),
      );
      graph.node.push(branch);
    },
    'runtime-failed',
    /onnxruntime/,
  ),
];
