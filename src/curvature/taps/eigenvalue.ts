import type { GraphBuilder } from '../../onnx/builder';
import { isRankOne, siteActivation, siteGradient } from '../positions';
import type { Site } from '../site';
import { transposedTimes } from './products';
import { type BasisInputs, perExampleGradient, rotateGradients, rotateRows, rotatesRows } from './projection';

/**
 * `Σ_i Σ_c (V_S G_ic V_Aᵀ)²` [outputs, inputs] over a batch and the Fisher's draws c: squares of each example's own
 * gradient, summed over its positions first (George et al. 2018, eq. 12).
 * @param draws each draw's gradients, by the graph value that they are of
 */
export function eigenvalueSum(
  builder: GraphBuilder,
  site: Site,
  draws: readonly ReadonlyMap<string, string>[],
  bases: BasisInputs,
): string {
  const own = siteActivation(builder, site);
  const gradients = draws.map((draw) => siteGradient(builder, site, draw));
  if (!isRankOne(site) && !rotatesRows(site, draws.length)) {
    return sumOfSquares(
      builder,
      gradients.map((gradient) =>
        rotateGradients(builder, perExampleGradient(builder, site, { activation: own, gradient }), bases),
      ),
    );
  }
  const activation = rotateRows(builder, own, bases.activation);
  const rotated = gradients.map((gradient) => rotateRows(builder, gradient, bases.gradient));
  if (isRankOne(site)) {
    // (d aᵀ)² = d² (a²)ᵀ, so the draws are summed before the one product.
    const squares = rotated.map((gradient) => builder.mul(gradient, gradient));
    const sum = squares.reduce((total, square) => builder.add(total, square));
    return transposedTimes(builder, sum, builder.mul(activation, activation));
  }
  return sumOfSquares(
    builder,
    rotated.map((gradient) => perExampleGradient(builder, site, { activation, gradient })),
  );
}

/** Squares of [batch, outputs, inputs] summed over the batch and over all that are given. */
function sumOfSquares(builder: GraphBuilder, gradients: readonly string[]): string {
  const terms = gradients.map((gradient) => builder.reduceSum(builder.mul(gradient, gradient), [0], false));
  return terms.reduce((total, term) => builder.add(total, term));
}
