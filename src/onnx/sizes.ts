import { WhenceError } from '../protocol/errors';
import { product } from './dims';
import { bytesPerElement } from './dtype';
import type { Model, Node, TensorType } from './graph';
import { tensorOutputs } from './inference';

/** Most bytes of one value, and of all values that are needed at one time, in one batch's forward pass. */
const largestValue = 2 ** 31;
const largestLive = 2 ** 32;

/** Refuses a value that no machine of today should be asked to hold, before anything allocates it. */
export function checkValue(type: TensorType, node: Node, name: string, file: string): void {
  const bytes = bytesOfType(type);
  if (bytes <= largestValue) return;
  throw tooLarge(
    `would make ${name} of ${product(type.dims).toLocaleString('en')} ${type.dtype} numbers (${gigabytes(bytes)})`,
    node,
    file,
  );
}

/** Refuses a graph whose values are each of fair size, but are all needed at once. */
export function checkLive(model: Model, types: ReadonlyMap<string, TensorType>): void {
  const { nodes, inputs, initializers, outputs } = model.graph;
  const kept = new Set(outputs.map(({ name }) => name));
  const lastUse = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const input of node.inputs) lastUse.set(input, index);
  });
  // The runtime computes once what constants alone decide, and keeps it.
  const constant = new Set(initializers.keys());
  const given = new Set(inputs.map(({ name }) => name));
  let live = 0;
  nodes.forEach((node, index) => {
    const isConstant = node.inputs.every((input) => input === '' || constant.has(input));
    for (const name of tensorOutputs(node)) {
      if (isConstant) constant.add(name);
      live += bytesOfType(types.get(name)!);
    }
    if (live > largestLive)
      throw tooLarge(`comes when ${gigabytes(live)} of values are needed at once`, node, model.file);
    for (const name of new Set([...node.inputs, ...tensorOutputs(node)])) {
      const isDone = (lastUse.get(name) ?? index) === index && !kept.has(name);
      if (isDone && !constant.has(name) && !given.has(name)) live -= bytesOfType(types.get(name));
    }
  });
}

/** The error of a value whose size has no bound that could be told beforehand, or one beyond any number of bytes. */
export function immeasurable(node: Node, name: string, file: string): WhenceError {
  return tooLarge(`may make ${name} of more than 2³¹ rows or columns (over ${gigabytes(largestValue)})`, node, file);
}

/** Sequences have no type; the tensors in them are counted where they come out. */
export function bytesOfType(type: TensorType | undefined): number {
  return type && type.dtype !== 'string' ? product(type.dims) * bytesPerElement[type.dtype] : 0;
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}

function tooLarge(what: string, node: Node, file: string): WhenceError {
  return new WhenceError('out-of-memory', `Node ${node.name} (${node.op}) ${what}.`, {
    file,
    place: `node ${node.name}`,
    mend: 'Check the shapes that the model was exported with, and export it again.',
  });
}
