import { fromBinary } from '@bufbuild/protobuf';
import { decodeNodes } from '../decode';
import { GraphProtoSchema } from '../proto/onnx_pb';
import type { Lowering, Lowerings } from './lowering';

/**
 * An If that shapes alone decide, which the older exporter writes wherever it does not know whether an axis has the length 1:
 * the branch taken is written in its place. Only branches of one operation and its constants, as that exporter's are; what
 * is decided by values stays, and is refused where a gradient comes by.
 */
const branch: Lowering = (b, node) => {
  const condition = b.constantOf(node.inputs[0]!);
  const body = node.attributes[condition?.[0] ? 'then_branch' : 'else_branch'];
  if (!condition || body?.kind !== 'graph' || node.outputs.length !== 1) return null;
  const graph = fromBinary(GraphProtoSchema, body.value);
  const nodes = decodeNodes(graph.node, b.file);
  const last = nodes.at(-1);
  const result = graph.output[0]?.name;
  if (!last || graph.initializer.length > 0 || last.outputs[0] !== result) return null;
  if (last.op === 'Constant' || last.domain !== '' || last.outputs.length !== 1) return null;
  const names = new Map<string, string>();
  for (const { op, outputs, attributes } of nodes.slice(0, -1)) {
    const { value } = attributes;
    if (op !== 'Constant' || value?.kind !== 'tensor') return null;
    names.set(outputs[0]!, b.constant(value.value.data, value.value.dims, value.value.dtype));
  }
  const inputs = last.inputs.map((input) => names.get(input) ?? input);
  if (inputs.some((input) => input !== '' && !b.has(input)) || !b.has(node.outputs[0]!)) return null;
  if (last.op === 'Identity') return [inputs[0]!];
  return [b.emit(last.op, inputs, b.typeOf(node.outputs[0]!), last.attributes)];
};

export const branches: Lowerings = { If: branch };
