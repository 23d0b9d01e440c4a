import type { Node } from './graph';

/** A node's attributes with ONNX's defaults in the caller's hand. */

export function intOf(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'int' ? attribute.value : otherwise;
}

export function floatOf(node: Node, name: string, otherwise: number): number {
  const attribute = node.attributes[name];
  return attribute?.kind === 'float' ? attribute.value : otherwise;
}

export function stringOf(node: Node, name: string, otherwise: string): string {
  const attribute = node.attributes[name];
  return attribute?.kind === 'string' && attribute.value !== '' ? attribute.value : otherwise;
}

/** Undefined where the attribute is absent or empty. */
export function intsOf(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute?.kind === 'ints' && attribute.value.length > 0 ? attribute.value : undefined;
}
