import { type DType, isFloat } from './dtype';
import type { Model, Node } from './graph';
import { hasBody } from './topology';

/** Ops whose output is fixed by their inputs' shapes alone. */
const ofShapes = new Set(['Shape', 'Size']);

/** Ops that draw at random. */
const random = new Set([
  'Bernoulli',
  'Multinomial',
  'RandomNormal',
  'RandomNormalLike',
  'RandomUniform',
  'RandomUniformLike',
]);

/**
 * Names of values that stay the same as long as the inputs' shapes do: computed from constants, integer initializers and
 * shapes. Weights are not among them, for checkpoints change them.
 */
export function staticValues(model: Model): ReadonlySet<string> {
  const { initializers, nodes } = model.graph;
  const found = new Set([...initializers.values()].filter(({ dtype }) => isIndex(dtype)).map(({ name }) => name));
  for (const node of nodes) {
    if (!isStatic(node, found)) continue;
    for (const output of node.outputs) if (output !== '') found.add(output);
  }
  return found;
}

function isStatic(node: Node, found: ReadonlySet<string>): boolean {
  return (node.domain === '' && ofShapes.has(node.op)) || isFixed(node, found);
}

/** Whether a node's outputs are fixed by those of its inputs that are. */
export function isFixed(node: Node, fixed: ReadonlySet<string>): boolean {
  if (node.domain !== '' || hasBody(node) || random.has(node.op)) return false;
  return node.inputs.every((input) => input === '' || fixed.has(input));
}

/** Types that axes, shapes and flags come in. */
export function isIndex(dtype: DType): boolean {
  return !isFloat(dtype) && dtype !== 'string';
}
