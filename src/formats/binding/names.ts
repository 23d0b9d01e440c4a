import { isFloat } from '../../onnx/dtype';
import type { Model } from '../../onnx/graph';
import { elementCount } from '../tensor';

/** `module.net.0.weight` and `net.0.weight`: one name is the other's end, at a dot. */
export function endsAlike(a: string, b: string): boolean {
  return a === b || a.endsWith(`.${b}`) || b.endsWith(`.${a}`);
}

/** What normalisation layers and others count or average, and no gradient moves. */
export function isStatistic(name: string): boolean {
  return /(^|\.)(running_mean|running_var|num_batches_tracked|position_ids)$/.test(name);
}

/** Weights that PEFT's adapters put beside those of a layer. */
export function isAdapterPart(name: string): boolean {
  return /\.(lora_(A|B|magnitude_vector|embedding_A|embedding_B)|ia3_l|hada_w[12]_[ab]|vera_lambda_[bd])(\.|$)/.test(
    name,
  );
}

/** Inputs of an op that weights stand at. */
const weightInputs: Readonly<Record<string, readonly number[]>> = {
  Gemm: [1, 2],
  MatMul: [0, 1],
  Conv: [1, 2],
  ConvTranspose: [1, 2],
  Gather: [0],
  BatchNormalization: [1, 2],
  LayerNormalization: [1, 2],
  GroupNormalization: [1, 2],
  InstanceNormalization: [1, 2],
  LSTM: [1, 2, 3],
  GRU: [1, 2, 3],
  RNN: [1, 2, 3],
  PRelu: [1],
};

/** Initializers with more than one element that stand where weights do, or are added as a bias right after a MatMul. */
export function weightNames(model: Model): ReadonlySet<string> {
  const { nodes, initializers } = model.graph;
  const source = new Map<string, string>();
  const products = new Set<string>();
  const names = new Set<string>();
  for (const { op, inputs, outputs } of nodes) {
    const origin = (name: string | undefined) => (name === undefined ? undefined : (source.get(name) ?? name));
    if (op === 'Transpose' || op === 'Identity' || op === 'Cast') source.set(outputs[0]!, origin(inputs[0])!);
    if (op === 'MatMul') products.add(outputs[0]!);
    const positions = weightInputs[op] ?? (op === 'Add' && inputs.some((name) => products.has(name)) ? [0, 1] : []);
    for (const position of positions) {
      const initializer = initializers.get(origin(inputs[position]) ?? '');
      if (initializer && isFloat(initializer.dtype) && elementCount(initializer.dims) > 1) names.add(initializer.name);
    }
  }
  return names;
}

/** The initializer that an Add puts on a value. */
export function addedVector({ graph }: Model, value: string): string | undefined {
  const add = graph.nodes.find(({ op, inputs }) => op === 'Add' && inputs.includes(value));
  return add?.inputs.find((name) => name !== value && graph.initializers.has(name));
}
