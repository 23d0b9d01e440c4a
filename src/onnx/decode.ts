import { fromBinary } from '@bufbuild/protobuf';
import { WhenceError } from '../protocol/errors';
import { takeCensus } from './census';
import { dtypeOfNumber } from './dataType';
import { decodeInitializer, decodeTensor } from './decodeTensor';
import type { Attribute, Dimension, Graph, Initializer, Model, Node, ValueInfo } from './graph';
import { inlineFunctions } from './inline';
import {
  type AttributeProto,
  type FunctionProto,
  type GraphProto,
  AttributeProto_AttributeType as Kind,
  type ModelProto,
  ModelProtoSchema,
  type NodeProto,
  type ValueInfoProto,
} from './proto/onnx_pb';
import { sourceOf } from './source';
import { sortNodes } from './topology';
import { explicitPadding } from './upgrade';

export const oldestOpset = 13;
export const newestOpset = 23;
/** Where the runtime has operators. */
const domains: ReadonlySet<string> = new Set(['', 'com.microsoft', 'ai.onnx.ml']);
const reexport = 'Export the model again with torch.onnx.export(model.eval(), ..., dynamo=True, optimize=False).';

/**
 * Reads an ONNX file. Big initializers are views of `bytes`, which must therefore stay unchanged.
 * Source: https://onnx.ai/onnx/repo-docs/IR.html
 * @throws WhenceError `malformed-file` for bytes that are no ONNX graph; `unsupported-op`, `unsupported-dtype` or
 * `unsupported-format` for graphs beyond what Whence computes with.
 */
export function decodeModel(bytes: Uint8Array, file: string): Model {
  const proto = parse(bytes, file);
  if (!proto.graph) {
    throw new WhenceError('malformed-file', 'This is not an ONNX model: it holds no graph.', { file, mend: reexport });
  }
  const opsets = new Map(proto.opsetImport.map(({ domain, version }) => [ownDomain(domain), Number(version)]));
  checkOpset(opsets.get(''), file);
  const graph = decodeGraph(proto.graph, proto.functions, file);
  // Functions are written out, so the runtime need not hear of the domains that they were in.
  const used = new Set(['', ...graph.nodes.map(({ domain }) => domain)]);
  for (const { domain } of proto.functions) if (!used.has(ownDomain(domain))) opsets.delete(domain);
  return {
    file,
    irVersion: Number(proto.irVersion),
    producer: [proto.producerName, proto.producerVersion].filter(Boolean).join(' '),
    opsets,
    graph,
  };
}

function parse(bytes: Uint8Array, file: string): ModelProto {
  takeCensus(bytes, file);
  try {
    return fromBinary(ModelProtoSchema, bytes, { readUnknownFields: false });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new WhenceError(
      'malformed-file',
      `This is not a whole ONNX model (${reason}).`,
      { file, mend: 'Copy the file again, or export the model again.' },
      { cause },
    );
  }
}

function checkOpset(opset: number | undefined, file: string): void {
  if (opset === undefined || opset < 1) {
    throw new WhenceError('malformed-file', "The model does not say which version of ONNX's operators it uses.", {
      file,
      mend: reexport,
    });
  }
  if (opset < oldestOpset || opset > newestOpset) {
    throw new WhenceError(
      'unsupported-op',
      `The model uses opset ${opset}; Whence reads opsets ${oldestOpset} to ${newestOpset}.`,
      { file, mend: `Export it with opset_version=18, or convert it with onnx.version_converter.` },
    );
  }
}

function decodeGraph(proto: GraphProto, functions: readonly FunctionProto[], file: string): Graph {
  if (proto.sparseInitializer.length > 0) {
    throw new WhenceError('unsupported-format', 'The model holds sparse weights.', {
      file,
      mend: 'Export it with dense weights.',
    });
  }
  const initializers = new Map<string, Initializer>();
  for (const tensor of proto.initializer) {
    if (initializers.has(tensor.name)) throw twice(tensor.name, file);
    initializers.set(tensor.name, decodeInitializer(tensor, file));
  }
  // Before IR version 4 initializers were graph inputs with defaults; they are constants to us.
  const inputs = proto.input.filter((input) => !initializers.has(input.name)).map((input) => valueInfo(input, file));
  const outputs = proto.output.map((output) => valueInfo(output, file));
  const given = new Set(initializers.keys());
  for (const input of inputs) {
    if (given.has(input.name)) throw twice(input.name, file);
    given.add(input.name);
  }
  const nodes = sortNodes(
    decodeNodes(inlineFunctions(proto.node, functions, file), file),
    given,
    outputs.map((output) => output.name),
    file,
  );
  return { name: proto.name, inputs, outputs, initializers, nodes };
}

function valueInfo(proto: ValueInfoProto, file: string): ValueInfo {
  const type = proto.type?.tensorType;
  const dtype = type && dtypeOfNumber(type.elemType);
  if (!dtype) {
    throw new WhenceError(
      'unsupported-dtype',
      `The graph's input or output ${proto.name} is not a tensor Whence reads.`,
      {
        file,
        place: `value ${proto.name}`,
        mend: reexport,
      },
    );
  }
  return { name: proto.name, dtype, dims: type.shape?.dim.map(({ value }): Dimension => dimension(value)) ?? null };
}

function dimension(
  value: { case: 'dimValue'; value: bigint } | { case: 'dimParam'; value: string } | { case: undefined },
): Dimension {
  // Old exporters write -1 for a dimension that varies.
  if (value.case === 'dimValue') return value.value < 0n ? null : Number(value.value);
  return value.case === 'dimParam' && value.value ? value.value : null;
}

/** Nodes without a name, or with that of another, get one, for messages: onnxruntime refuses two of the same name. */
export function decodeNodes(protos: readonly NodeProto[], file: string): readonly Node[] {
  const names = new Set(protos.map((proto) => proto.name));
  const used = new Set<string>();
  return protos.map((proto, index) => {
    const isTaken = proto.name !== '' && used.has(proto.name);
    let name = isTaken ? `${proto.name}_${index}` : proto.name || `${proto.opType}_${index}`;
    while (name !== proto.name && names.has(name)) name += '_';
    names.add(name);
    used.add(name);
    return explicitPadding(decodeNode(proto, name, file));
  });
}

function decodeNode(proto: NodeProto, name: string, file: string): Node {
  if (!domains.has(ownDomain(proto.domain))) {
    throw new WhenceError(
      'unsupported-op',
      `Node ${name} calls ${proto.opType} of the domain ${proto.domain}, which the model does not define.`,
      { file, place: `node ${name}`, mend: 'Export the model without operators of your own.' },
    );
  }
  const attributes = proto.attribute.map((attribute) => [attribute.name, decodeAttribute(attribute, name, file)]);
  const source = sourceOf(proto);
  return {
    name,
    op: proto.opType,
    domain: ownDomain(proto.domain),
    inputs: proto.input,
    outputs: proto.output,
    attributes: Object.fromEntries(attributes),
    ...(source === undefined ? {} : { source }),
  };
}

function decodeAttribute(proto: AttributeProto, node: string, file: string): Attribute {
  const text = new TextDecoder();
  switch (proto.type) {
    case Kind.FLOAT:
      return { kind: 'float', value: proto.f };
    case Kind.INT:
      return { kind: 'int', value: Number(proto.i) };
    case Kind.STRING:
      return { kind: 'string', value: text.decode(proto.s) };
    case Kind.GRAPH:
      return { kind: 'graph', value: proto.g };
    case Kind.FLOATS:
      return { kind: 'floats', value: proto.floats };
    case Kind.INTS:
      return { kind: 'ints', value: proto.ints.map(Number) };
    case Kind.STRINGS:
      return { kind: 'strings', value: proto.strings.map((bytes) => text.decode(bytes)) };
    case Kind.TENSOR:
      if (proto.t) return { kind: 'tensor', value: decodeTensor(proto.t, file, `node ${node}`) };
  }
  throw new WhenceError(
    'unsupported-op',
    `Attribute ${proto.name} of node ${node} is of a kind that Whence cannot read.`,
    {
      file,
      place: `node ${node}`,
      mend: reexport,
    },
  );
}

/** ONNX's own domain has two spellings. */
function ownDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

function twice(name: string, file: string): WhenceError {
  return new WhenceError('malformed-file', `The graph defines the value ${name} twice.`, {
    file,
    place: `value ${name}`,
    mend: reexport,
  });
}
