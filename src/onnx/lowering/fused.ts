import { floatOf, intOf, stringOf } from '../attributes';
import type { GraphBuilder } from '../builder';
import type { Attribute, Node } from '../graph';
import type { Lowering, Lowerings } from './lowering';
import { layerStatistics, rootMeanSquare } from './normalization';

/** Ops of onnxruntime's own domain that its optimisers fuse others to. */

function gelu(b: GraphBuilder, x: string): string {
  const erf = b.emit('Erf', [b.scale(x, Math.SQRT1_2)], b.typeOf(x));
  return b.mul(b.scale(x, 0.5), b.add(erf, b.scalar(1, x)));
}

function fastGelu(b: GraphBuilder, x: string): string {
  const inner = b.mul(x, b.add(b.scale(b.square(x), 0.044715), b.scalar(1, x)));
  const tanh = b.emit('Tanh', [b.scale(inner, Math.sqrt(2 / Math.PI))], b.typeOf(x));
  return b.mul(b.scale(x, 0.5), b.add(tanh, b.scalar(1, x)));
}

/** The first input plus the second, where there is one. */
function biased(b: GraphBuilder, node: Node): string {
  const [x, bias] = node.inputs as [string, string | undefined];
  return bias ? b.add(x, bias) : x;
}

const quickGelu: Lowering = (b, node) => {
  const x = node.inputs[0]!;
  return [b.mul(x, b.emit('Sigmoid', [b.scale(x, floatOf(node, 'alpha', 1.702))], b.typeOf(x)))];
};

const fusedMatMul: Lowering = (b, node) => {
  const [a, c] = node.inputs as [string, string];
  if (intOf(node, 'transBatchA', 0) === 1 || intOf(node, 'transBatchB', 0) === 1) return null;
  if (b.dims(a).length < 2 || b.dims(c).length < 2) return null;
  const left = intOf(node, 'transA', 0) === 1 ? b.transposeLast(a) : a;
  const right = intOf(node, 'transB', 0) === 1 ? b.transposeLast(c) : c;
  return [b.scale(b.matmul(left, right), floatOf(node, 'alpha', 1))];
};

/** A Gemm or Conv and an activation without parameters behind it. */
function withActivation(op: 'Gemm' | 'Conv'): Lowering {
  return (b, node) => {
    const activation = stringOf(node, 'activation', '');
    if (!['', 'Relu', 'Sigmoid', 'Tanh'].includes(activation) || node.inputs[3]) return null;
    const type = b.typeOf(node.outputs[0]!);
    const own = Object.entries(node.attributes).filter(([name]) => !name.startsWith('activation'));
    const value = b.emit(op, node.inputs.slice(0, 3), type, Object.fromEntries<Attribute>(own));
    return [activation === '' ? value : b.emit(activation, [value], type)];
  };
}

/** LayerNormalization of a sum, which is the fourth output. */
const skipLayerNormalization: Lowering = (b, node) => {
  const [x, skip, scale, bias, addend] = node.inputs as [string, string, string, string?, string?];
  const sum = b.add(x, skip);
  const whole = addend ? b.add(sum, addend) : sum;
  if (node.outputs[1] || node.outputs[2]) return [...layerStatistics(b, withEpsilon(node), whole, scale, bias), whole];
  const attributes: Record<string, Attribute> = {
    axis: { kind: 'int', value: -1 },
    epsilon: { kind: 'float', value: floatOf(node, 'epsilon', 1e-12) },
  };
  const inputs = bias ? [whole, scale, bias] : [whole, scale];
  return [b.emit('LayerNormalization', inputs, b.typeOf(whole), attributes), null, null, whole];
};

const skipSimplified: Lowering = (b, node, sequences) => {
  const [x, skip, scale, addend] = node.inputs as [string, string, string, string?];
  const sum = b.add(x, skip);
  const whole = addend ? b.add(sum, addend) : sum;
  const inner = { ...withEpsilon(node), inputs: [whole, scale], outputs: node.outputs.slice(0, 1) };
  return [rootMeanSquare(b, inner, sequences)![0]!, null, null, whole];
};

/** These ops' own default differs from LayerNormalization's. */
function withEpsilon(node: Node): Node {
  const epsilon: Attribute = { kind: 'float', value: floatOf(node, 'epsilon', 1e-12) };
  return { ...node, attributes: { ...node.attributes, epsilon } };
}

export const fused: Lowerings = {
  'com.microsoft.BiasGelu': (b, node) => [gelu(b, biased(b, node))],
  'com.microsoft.FastGelu': (b, node) => [fastGelu(b, biased(b, node))],
  'com.microsoft.FusedConv': withActivation('Conv'),
  'com.microsoft.FusedGemm': withActivation('Gemm'),
  'com.microsoft.FusedMatMul': fusedMatMul,
  'com.microsoft.Gelu': (b, node) => [gelu(b, node.inputs[0]!)],
  'com.microsoft.QuickGelu': quickGelu,
  'com.microsoft.SkipLayerNormalization': skipLayerNormalization,
  'com.microsoft.SkipSimplifiedLayerNormalization': skipSimplified,
};
