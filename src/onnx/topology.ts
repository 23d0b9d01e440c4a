import { WhenceError } from '../protocol/errors';
import type { Node } from './graph';

/** True where a node has a body (If, Loop, Scan), which may read any value around it without listing it. */
export function hasBody(node: Node): boolean {
  return Object.values(node.attributes).some((attribute) => attribute.kind === 'graph');
}

/**
 * `nodes` such that each comes after those whose outputs it reads, otherwise in the given order.
 * @param given names of inputs and initializers
 * @throws WhenceError `malformed-file` for a value defined twice, read but never defined, or defined by a cycle
 */
export function sortNodes(
  nodes: readonly Node[],
  given: ReadonlySet<string>,
  outputs: readonly string[],
  file: string,
): readonly Node[] {
  const producers = new Map<string, Node>();
  for (const node of nodes) {
    for (const output of node.outputs) {
      if (output === '') continue;
      if (producers.has(output) || given.has(output)) throw malformed(`defines the value ${output} twice`, node, file);
      producers.set(output, node);
    }
  }
  for (const node of nodes) {
    const missing = node.inputs.find((input) => input !== '' && !given.has(input) && !producers.has(input));
    if (missing !== undefined) throw malformed(`reads the value ${missing}, which nothing defines`, node, file);
  }
  for (const output of outputs) {
    if (given.has(output) || producers.has(output)) continue;
    throw new WhenceError('malformed-file', `The graph's output ${output} is defined by nothing.`, {
      file,
      place: `output ${output}`,
      mend: 'Export the model again.',
    });
  }
  return depthFirst(nodes, producers, file);
}

/** Without recursion: a hostile graph may be a chain of a million nodes. */
function depthFirst(nodes: readonly Node[], producers: ReadonlyMap<string, Node>, file: string): readonly Node[] {
  const sorted: Node[] = [];
  const state = new Map<Node, 'open' | 'done'>();
  for (const root of nodes) {
    const stack = [root];
    for (let node = stack.at(-1); node; node = stack.at(-1)) {
      if (state.get(node) === 'done') {
        stack.pop();
        continue;
      }
      const waiting = state.get(node) === 'open' ? [] : node.inputs.flatMap((input) => producers.get(input) ?? []);
      const next = waiting.filter((producer) => state.get(producer) !== 'done');
      if (state.get(node) === 'open' || next.length === 0) {
        state.set(node, 'done');
        sorted.push(node);
        stack.pop();
        continue;
      }
      state.set(node, 'open');
      const cyclic = next.find((producer) => state.get(producer) === 'open');
      if (cyclic) throw malformed('depends on its own output', cyclic, file);
      for (const producer of next) stack.push(producer);
    }
  }
  return sorted;
}

function malformed(what: string, node: Node, file: string): WhenceError {
  return new WhenceError('malformed-file', `Node ${node.name} (${node.op}) ${what}.`, {
    file,
    place: `node ${node.name}`,
    mend: 'Export the model again.',
  });
}

/**
 * Of `nodes`, in topological order, those that `outputs` are computed with, and all values that these read.
 * @param given names of inputs and initializers
 */
export function neededFor(
  outputs: readonly string[],
  nodes: readonly Node[],
  given: readonly string[],
): { readonly nodes: readonly Node[]; readonly values: ReadonlySet<string> } {
  const values = new Set(outputs);
  const kept: Node[] = [];
  let everything = false;
  for (const node of [...nodes].reverse()) {
    if (!everything && !node.outputs.some((output) => values.has(output))) continue;
    // What a body reads is unknown, so all that comes before it stays.
    if (hasBody(node) && !everything) {
      everything = true;
      for (const name of given) values.add(name);
    }
    for (const input of node.inputs) values.add(input);
    kept.push(node);
  }
  return { nodes: kept.reverse(), values };
}
