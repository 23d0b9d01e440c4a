import type { Attribute, Model, Node } from './graph';

/** All that the builder emits means the same from here on. */
const lowestOpset = 17;

/** The opset of a graph that the builder began with `model`: 17 for older ones, otherwise the model's own. */
export function emittedOpset(model: Model): number {
  return Math.max(lowestOpset, model.opsets.get('') ?? lowestOpset);
}

/** A node of `model` as it means the same there: between opsets 13 and 17 one default changed, where RoiAlign's coordinates lie. */
export function upgraded(node: Node, model: Model): Node {
  const opset = model.opsets.get('') ?? lowestOpset;
  const changed = opset < 16 && node.op === 'RoiAlign' && node.domain === '';
  if (!changed || node.attributes.coordinate_transformation_mode) return node;
  const mode: Attribute = { kind: 'string', value: 'output_half_pixel' };
  return { ...node, attributes: { ...node.attributes, coordinate_transformation_mode: mode } };
}
