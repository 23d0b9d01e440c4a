import type { GraphBuilder } from '../../onnx/builder';
import type { Site } from '../site';
import { timesTransposed } from './products';
import { type Projected, perExampleGradient } from './projection';

/** `<W_q, G_i>` for every query and example: queries [Q, outputs, inputs] and a batch's gradients to [Q, batch]. */
export function score(builder: GraphBuilder, site: Site, projected: Projected, queries: string): string {
  const width = site.outputs * site.inputs;
  const [batch] = builder.dims(projected.activation) as [number];
  const [count] = builder.dims(queries) as [number];
  const gradients = builder.reshape(perExampleGradient(builder, site, projected), [batch, width]);
  return timesTransposed(builder, builder.reshape(queries, [count, width]), gradients);
}

/** `Σ F ∘ G_i²` for every example: a matrix function's eigenvalues [outputs, inputs] and a batch to [batch]. */
export function selfScore(builder: GraphBuilder, site: Site, projected: Projected, responses: string): string {
  const gradients = perExampleGradient(builder, site, projected);
  return builder.reduceSum(builder.mul(builder.mul(gradients, gradients), responses), [1, 2], false);
}
