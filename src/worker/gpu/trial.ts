import { product } from '../../onnx/dims';
import { encodeModel } from '../../onnx/encode';
import type { Attribute, Model, Node } from '../../onnx/graph';
import type { Tensor } from '../../onnx/runtime';
import type { ProviderTrial } from '../measureProvider';

/** A graph with a convolution and a product, which need cuDNN and cuBLAS, on a batch of four. */
export function deviceTrial(): ProviderTrial {
  const feeds = {
    x: waves([4, 8, 16, 16], 0.37),
    kernel: waves([16, 8, 3, 3], 0.71),
    weight: waves([3136, 32], 0.53),
  };
  const flat: Record<string, Attribute> = { axis: { kind: 'int', value: 1 } };
  const model: Model = {
    file: '',
    irVersion: 8,
    producer: 'whence',
    opsets: new Map([['', 17]]),
    graph: {
      name: 'trial',
      inputs: Object.entries(feeds).map(([name, { dtype, dims }]) => ({ name, dtype, dims })),
      outputs: [{ name: 'y', dtype: 'float32', dims: [4, 32] }],
      initializers: new Map(),
      nodes: [
        node('Conv', ['x', 'kernel'], 'features'),
        node('Tanh', ['features'], 'bounded'),
        node('Flatten', ['bounded'], 'flat', flat),
        node('MatMul', ['flat', 'weight'], 'y'),
      ],
    },
  };
  return { model: encodeModel(model), feeds };
}

function node(op: string, inputs: readonly string[], output: string, attributes: Node['attributes'] = {}): Node {
  return { name: output, op, domain: '', inputs, outputs: [output], attributes };
}

function waves(dims: readonly number[], step: number): Tensor {
  return { dtype: 'float32', dims, data: Float32Array.from({ length: product(dims) }, (_, at) => Math.sin(step * at)) };
}
