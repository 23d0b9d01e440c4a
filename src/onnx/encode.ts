import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { dataTypeNumber } from './dataType';
import type { Attribute, Dimension, Initializer, Model, Node, ValueInfo } from './graph';
import {
  type AttributeProtoSchema,
  TensorProto_DataLocation as DataLocation,
  AttributeProto_AttributeType as Kind,
  ModelProtoSchema,
  type NodeProtoSchema,
  type TensorProtoSchema,
  type ValueInfoProtoSchema,
} from './proto/onnx_pb';
import type { Tensor } from './runtime';
import { bytesOf } from './tensor';

const largestInt64 = 2n ** 63n - 1n;

/**
 * The model as an ONNX file. External data stays external. The IR version is lowered in what is written: onnxruntime
 * refuses versions above 13, and older runtimes those above 10.
 * @param fetches further values of the graph to make outputs of; their types are left to the runtime
 */
export function encodeModel(model: Model, fetches: readonly string[] = []): Uint8Array {
  const { graph } = model;
  const outputs = new Set(graph.outputs.map((output) => output.name));
  const proto = create(ModelProtoSchema, {
    irVersion: BigInt(writtenIrVersion(model)),
    producerName: model.producer,
    opsetImport: [...model.opsets].map(([domain, version]) => ({ domain, version: BigInt(version) })),
    graph: {
      name: graph.name || 'graph',
      node: graph.nodes.map(encodeNode),
      initializer: [...graph.initializers.values()].map(encodeInitializer),
      input: graph.inputs.map(encodeValueInfo),
      output: [
        ...graph.outputs.map(encodeValueInfo),
        ...fetches.filter((name) => !outputs.has(name)).map((name) => ({ name })),
      ],
    },
  });
  return toBinary(ModelProtoSchema, proto);
}

function writtenIrVersion(model: Model): number {
  // Initializers that are no graph inputs exist since version 4; opset 23 came with version 11.
  const highest = (model.opsets.get('') ?? 0) > 22 ? 13 : 10;
  return Math.max(4, Math.min(model.irVersion, highest));
}

function encodeNode(node: Node): MessageInitShape<typeof NodeProtoSchema> {
  return {
    name: node.name,
    opType: node.op,
    domain: node.domain,
    input: [...node.inputs],
    output: [...node.outputs],
    attribute: Object.entries(node.attributes).map(([name, attribute]) => encodeAttribute(name, attribute)),
  };
}

function encodeAttribute(name: string, attribute: Attribute): MessageInitShape<typeof AttributeProtoSchema> {
  const text = new TextEncoder();
  switch (attribute.kind) {
    case 'int':
      return { name, type: Kind.INT, i: toInt64(attribute.value) };
    case 'float':
      return { name, type: Kind.FLOAT, f: attribute.value };
    case 'string':
      return { name, type: Kind.STRING, s: text.encode(attribute.value) };
    case 'tensor':
      return { name, type: Kind.TENSOR, t: encodeTensor(attribute.value) };
    case 'ints':
      return { name, type: Kind.INTS, ints: attribute.value.map(toInt64) };
    case 'floats':
      return { name, type: Kind.FLOATS, floats: [...attribute.value] };
    case 'strings':
      return { name, type: Kind.STRINGS, strings: attribute.value.map((value) => text.encode(value)) };
    case 'graph':
      return { name, type: Kind.GRAPH, g: attribute.value };
  }
}

/** Exporters write "to the end" as the largest int64, which a JavaScript number rounds up beyond it. */
function toInt64(value: number): bigint {
  const exact = BigInt(value);
  return exact > largestInt64 ? largestInt64 : exact;
}

function encodeTensor(tensor: Tensor): MessageInitShape<typeof TensorProtoSchema> {
  return { dims: tensor.dims.map(BigInt), dataType: dataTypeNumber(tensor.dtype), rawData: bytesOf(tensor) };
}

function encodeInitializer(initializer: Initializer): MessageInitShape<typeof TensorProtoSchema> {
  const { name, dtype, dims, bytes, external } = initializer;
  const head = { name, dims: dims.map(BigInt), dataType: dataTypeNumber(dtype) };
  if (!external) return { ...head, rawData: bytes ?? new Uint8Array() };
  const externalData = [
    { key: 'location', value: external.location },
    { key: 'offset', value: String(external.offset) },
    ...(external.length === undefined ? [] : [{ key: 'length', value: String(external.length) }]),
  ];
  return { ...head, dataLocation: DataLocation.EXTERNAL, externalData };
}

function encodeValueInfo(value: ValueInfo): MessageInitShape<typeof ValueInfoProtoSchema> {
  const shape = value.dims && { dim: value.dims.map((dim) => ({ value: encodeDimension(dim) })) };
  return {
    name: value.name,
    type: { tensorType: { elemType: dataTypeNumber(value.dtype), ...(shape ? { shape } : {}) } },
  };
}

function encodeDimension(
  dim: Dimension,
): { case: 'dimValue'; value: bigint } | { case: 'dimParam'; value: string } | { case: undefined } {
  if (typeof dim === 'number') return { case: 'dimValue', value: BigInt(dim) };
  return dim === null ? { case: undefined } : { case: 'dimParam', value: dim };
}
