import type { Attribute, Initializer, Model, Node } from './graph';
import { bytesOf, tensorFromBytes } from './tensor';

/** Initializers up to here stay in memory: axes, scales, small tables, which rules look at. */
const keptBytes = 2 ** 16;

/**
 * The model without its file's memory: big initializers become ranges of that file, which are read when they are needed, and
 * all else is copied.
 * @param bytes what the model was decoded from
 * @param location the file's name, as seen from its own folder
 */
export function withReferences(model: Model, bytes: Uint8Array, location: string): Model {
  const { graph } = model;
  const initializers = new Map(
    [...graph.initializers].map(([name, one]) => [name, withReference(one, bytes, location)] as const),
  );
  return { ...model, graph: { ...graph, initializers, nodes: graph.nodes.map((node) => withOwnBytes(node, bytes)) } };
}

function withReference(initializer: Initializer, file: Uint8Array, location: string): Initializer {
  const { name, dtype, dims, bytes } = initializer;
  if (!bytes || bytes.buffer !== file.buffer) return initializer;
  if (bytes.byteLength <= keptBytes) return { name, dtype, dims, bytes: new Uint8Array(bytes) };
  const offset = bytes.byteOffset - file.byteOffset;
  return { name, dtype, dims, external: { location, offset, length: bytes.byteLength } };
}

function withOwnBytes(node: Node, file: Uint8Array): Node {
  const isView = ({ buffer }: { readonly buffer: ArrayBufferLike }) => buffer === file.buffer;
  const copied = Object.entries(node.attributes).map(([name, attribute]): [string, Attribute] => {
    if (attribute.kind === 'graph' && isView(attribute.value)) {
      return [name, { kind: 'graph', value: new Uint8Array(attribute.value) }];
    }
    if (attribute.kind !== 'tensor' || !isView(attribute.value.data)) return [name, attribute];
    const { dtype, dims } = attribute.value;
    return [name, { kind: 'tensor', value: tensorFromBytes(dtype, dims, new Uint8Array(bytesOf(attribute.value))) }];
  });
  return { ...node, attributes: Object.fromEntries(copied) };
}
