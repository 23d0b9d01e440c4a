import { intsOf, stringOf } from './attributes';
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

/**
 * A Conv that pads to keep its input's size, with the padding in numbers: where it dilates, onnxruntime knows no other way.
 * Steps of more than one would need the input's size, and stay as they are.
 */
export function explicitPadding(node: Node): Node {
  const mode = stringOf(node, 'auto_pad', 'NOTSET');
  const [kernel, dilations, strides] = ['kernel_shape', 'dilations', 'strides'].map((name) => intsOf(node, name));
  if (node.op !== 'Conv' || node.domain !== '' || !mode.startsWith('SAME') || !kernel || !dilations) return node;
  if (strides?.some((step) => step > 1) || dilations.every((step) => step === 1)) return node;
  const totals = kernel.map((length, axis) => dilations[axis]! * (length - 1));
  const [less, more] = [totals.map((total) => Math.floor(total / 2)), totals.map((total) => Math.ceil(total / 2))];
  const { auto_pad: _mode, ...others } = node.attributes;
  const pads: Attribute = { kind: 'ints', value: mode === 'SAME_UPPER' ? [...less, ...more] : [...more, ...less] };
  return { ...node, attributes: { ...others, pads } };
}
