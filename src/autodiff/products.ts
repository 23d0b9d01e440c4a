import type { GraphBuilder } from '../onnx/builder';
import { range } from '../onnx/dims';
import { backward } from './backward';

/** Weight (an initializer or input of the graph) to a value of its shape and type: a point in the space of weights. */
export type WeightVector = ReadonlyMap<string, string>;

/**
 * H v, with H the Hessian of a loss in the weights that `vector` names: the gradient's product with v is differentiated
 * again.
 * @param loss a scalar, or one loss an example, which are summed
 */
export function hessianVector(builder: GraphBuilder, loss: string, vector: WeightVector): WeightVector {
  const weights = [...vector.keys()];
  const gradient = backward(builder, new Map([[loss, ones(builder, loss)]]), weights);
  const slope = innerProduct(builder, gradient, vector);
  return backward(builder, new Map([[slope, ones(builder, slope)]]), weights);
}

/**
 * G v, with G = J' (d²loss / d outputs²) J the Gauss-Newton matrix, J the derivative of the outputs in the weights. For
 * cross-entropy on logits and for squared error it is the Fisher matrix, and never indefinite.
 * @param loss a scalar or one loss an example, summed, computed from `outputs` and not otherwise from the weights
 */
export function gaussNewtonVector(
  builder: GraphBuilder,
  loss: string,
  outputs: string,
  vector: WeightVector,
): WeightVector {
  const direction = jacobianVector(builder, outputs, vector);
  const bent = hessianVector(builder, loss, new Map([[outputs, direction]])).get(outputs)!;
  return backward(builder, new Map([[outputs, bent]]), [...vector.keys()]);
}

/**
 * J v, how the outputs change along v. J' u is linear in u, so the derivative of its product with v in u is J v: forward
 * mode by two reverse passes.
 */
export function jacobianVector(builder: GraphBuilder, outputs: string, vector: WeightVector): string {
  // Any u will do; a node of its own keeps it apart from other zeros of the graph.
  const seed = builder.identity(builder.zeros(builder.typeOf(outputs)));
  const pulled = backward(builder, new Map([[outputs, seed]]), [...vector.keys()]);
  const slope = innerProduct(builder, pulled, vector);
  return backward(builder, new Map([[slope, ones(builder, slope)]]), [seed]).get(seed)!;
}

/** The sum of all products of elements, a scalar. */
function innerProduct(builder: GraphBuilder, left: WeightVector, right: WeightVector): string {
  return [...right]
    .map(([name, value]) => {
      const products = builder.mul(left.get(name)!, value);
      return builder.reduceSum(products, range(builder.dims(products).length));
    })
    .reduce((sum, term) => builder.add(sum, term));
}

function ones(builder: GraphBuilder, value: string): string {
  return builder.expand(builder.scalar(1, value), builder.dims(value));
}
