import type { GraphBuilder } from '../onnx/builder';
import { sameDims } from '../onnx/dims';
import { isFloat } from '../onnx/dtype';
import type { Node } from '../onnx/graph';
import { hasBody } from '../onnx/topology';
import { WhenceError } from '../protocol/errors';
import type { GradientRule } from './rule';
import { gradientRules, portableRules } from './rules';

export interface BackwardOptions {
  /** Keeps to what every device has, at some cost in time: WebGPU's MaxPool cannot say where its maxima were. */
  readonly portable?: boolean;
}

/**
 * Appends the reverse pass through the nodes that the builder holds now, and returns each target's gradient. May be
 * called repeatedly on one builder; the forward pass is shared.
 *
 * @param seeds value to the name of its incoming gradient, of the same shape and type
 * @param targets intermediate values, graph inputs or initializers; zeros where the seeds do not depend on one
 * @param options see `BackwardOptions`
 * @throws WhenceError `unsupported-op` naming op, node and file, where a node between targets and seeds has no rule
 */
export function backward(
  builder: GraphBuilder,
  seeds: ReadonlyMap<string, string>,
  targets: readonly string[],
  options: BackwardOptions = {},
): ReadonlyMap<string, string> {
  const nodes = builder.nodes;
  const dependent = dependents(builder, nodes, targets);
  const gradients = new Map<string, string>();
  const receive = (value: string, gradient: string): void => {
    const sofar = gradients.get(value);
    gradients.set(value, sofar === undefined ? gradient : builder.add(sofar, gradient));
  };
  for (const [value, gradient] of seeds) {
    check(builder, value, gradient, 'seed');
    receive(value, gradient);
  }
  for (const node of [...nodes].reverse()) {
    if (!node.outputs.some((output) => gradients.has(output) && dependent.has(output))) continue;
    const needs = node.inputs.map((input) => dependent.has(input));
    const incoming = node.outputs.map((output) => gradients.get(output) ?? zeros(builder, output));
    const outgoing = ruleOf(builder, node, options)(builder, node, incoming, needs);
    node.inputs.forEach((input, index) => {
      const gradient = outgoing[index];
      if (!gradient || !needs[index]) return;
      check(builder, input, gradient, `node ${node.name} (${node.op})`);
      receive(input, gradient);
    });
  }
  return new Map(targets.map((target) => [target, gradients.get(target) ?? builder.zeros(builder.typeOf(target))]));
}

/** The targets and all floats computed from them. Integers and bools (shapes, indices, masks) carry no gradient. */
function dependents(builder: GraphBuilder, nodes: readonly Node[], targets: readonly string[]): ReadonlySet<string> {
  const found = new Set(targets);
  for (const node of nodes) {
    // A body may read any value around it, and what is no tensor may hold floats: both count, so that they are not
    // passed over in silence.
    if (!hasBody(node) && !node.inputs.some((input) => found.has(input))) continue;
    for (const output of node.outputs) {
      if (output !== '' && (!builder.has(output) || isFloat(builder.dtype(output)))) found.add(output);
    }
  }
  return found;
}

function zeros(builder: GraphBuilder, output: string): string {
  const carries = output !== '' && builder.has(output) && isFloat(builder.dtype(output));
  return carries ? builder.zeros(builder.typeOf(output)) : '';
}

function ruleOf(builder: GraphBuilder, node: Node, { portable = false }: BackwardOptions): GradientRule {
  if (node.domain === '') {
    if (portable && Object.hasOwn(portableRules, node.op)) return portableRules[node.op]!;
    if (Object.hasOwn(gradientRules, node.op)) return gradientRules[node.op]!;
  }
  throw withoutRule(builder, node);
}

function withoutRule(builder: GraphBuilder, node: Node): WhenceError {
  const op = node.domain === '' ? node.op : `${node.domain}.${node.op}`;
  const origin = node.source === undefined ? `node ${node.name}` : `node ${node.name}, made by ${node.source}`;
  const where = { ...(builder.file ? { file: builder.file } : {}), place: `node ${node.name}` };
  if (hasBody(node) || node.op === 'SequenceMap') {
    return new WhenceError(
      'unsupported-op',
      `Whence cannot differentiate through ${op}, which decides while the model runs what is computed (${origin}).`,
      {
        ...where,
        mend: 'Export without it: torch.where instead of an if on values, a fixed number of steps instead of a loop, torch.onnx.export(model.eval(), ..., dynamo=True, optimize=False).',
      },
    );
  }
  return new WhenceError('unsupported-op', `Whence has no gradient rule for the op ${op} (${origin}).`, {
    ...where,
    mend: 'Replace the layer by ops that have a rule, or add a rule for it (see CONTRIBUTING.md).',
  });
}

function check(builder: GraphBuilder, value: string, gradient: string, origin: string): void {
  const expected = builder.typeOf(value);
  const given = builder.typeOf(gradient);
  if (expected.dtype === given.dtype && sameDims(expected.dims, given.dims)) return;
  throw new WhenceError(
    'internal',
    `The gradient of ${value} is ${given.dtype} [${given.dims.join(', ')}], not ${expected.dtype} [${expected.dims.join(', ')}].`,
    { ...(builder.file ? { file: builder.file } : {}), place: origin },
  );
}
