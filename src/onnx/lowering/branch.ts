import { fromBinary } from '@bufbuild/protobuf';
import { decodeNodes } from '../decode';
import { GraphProtoSchema } from '../proto/onnx_pb';
import type { Lowering, Lowerings } from './lowering';

/**
 * An If that shapes alone decide, which the older exporter writes wherever it does not know an axis or a rank: the branch taken
 * is written in its place. Only branches whose every result is one operation on constants and values around, as that exporter's
 * are; what is decided by values stays, and is refused where a gradient comes by.
 */
const branch: Lowering = (b, node) => {
  const condition = b.constantOf(node.inputs[0]!);
  const body = node.attributes[condition?.[0] ? 'then_branch' : 'else_branch'];
  if (!condition || body?.kind !== 'graph') return null;
  const graph = fromBinary(GraphProtoSchema, body.value);
  if (graph.initializer.length > 0) return null;
  const nodes = decodeNodes(graph.node, b.file);
  const made = new Map(nodes.flatMap((inner) => inner.outputs.map((output) => [output, inner] as const)));
  const constants = new Map<string, string>();
  for (const { op, outputs, attributes } of nodes) {
    const { value } = attributes;
    if (op !== 'Constant' || value?.kind !== 'tensor') continue;
    constants.set(outputs[0]!, b.constant(value.value.data, value.value.dims, value.value.dtype));
  }
  const results = graph.output.map(({ name }) => made.get(name));
  const isKnown = (input: string): boolean =>
    input === '' || constants.has(input) || (!made.has(input) && b.has(input));
  const areSimple = results.every(
    (inner) =>
      inner &&
      inner.domain === '' &&
      inner.op !== 'Constant' &&
      inner.outputs.length === 1 &&
      inner.inputs.every(isKnown),
  );
  if (!areSimple || !node.outputs.every((output) => output === '' || b.has(output))) return null;
  return results.map((inner, index) => {
    const { op, inputs, attributes } = inner!;
    const output = node.outputs[index];
    if (!output) return null;
    const read = inputs.map((input) => constants.get(input) ?? input);
    return op === 'Identity' ? read[0]! : b.emit(op, read, b.typeOf(output), attributes);
  });
};

export const branches: Lowerings = { If: branch };
