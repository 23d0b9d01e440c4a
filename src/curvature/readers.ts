import type { Graph, Node } from '../onnx/graph';
import { isMove, type Origin } from './weightOrigin';

/** What reads a tensor: a node through an origin. */
export interface Reader {
  /** Its first output. */
  readonly node: string;
  readonly op: string;
  readonly origin: Origin;
}

export type Readers = ReadonlyMap<string, readonly Reader[]>;

/** By tensor all nodes that do more with it than move it, '' for the graph's own outputs. */
export function readersOf(graph: Graph, origins: ReadonlyMap<string, Origin>): Readers {
  const readers = new Map<string, Reader[]>();
  const read = (value: string, node: string, op: string) => {
    const origin = origins.get(value);
    for (const tensor of origin?.tensors ?? []) {
      readers.set(tensor, [...(readers.get(tensor) ?? []), { node, op, origin: origin! }]);
    }
  };
  for (const node of graph.nodes) {
    if (isMove(node, origins)) continue;
    node.inputs.forEach((input, index) => {
      if (!readsOnlyType(node, index)) read(input, node.outputs[0]!, node.op);
    });
  }
  for (const { name } of graph.outputs) read(name, '', '');
  return readers;
}

/** Exporters ask weights for their shapes and dtypes, which no gradient goes through. */
function readsOnlyType({ op }: Node, input: number): boolean {
  return op === 'Shape' || op === 'Size' || (op === 'CastLike' && input === 1);
}

/** Different cuts of a tensor are taken to be disjoint, as those of packed projections are. */
export function isOtherPart(a: Origin, b: Origin): boolean {
  return a.key !== b.key && a.part === true && b.part === true && !a.repeats && !b.repeats;
}
