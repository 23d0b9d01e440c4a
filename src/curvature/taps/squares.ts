import type { GraphBuilder } from '../../onnx/builder';
import { isRankOne } from '../positions';
import type { Site } from '../site';
import { transposedTimes } from './products';
import { perExampleGradient, type SiteRows } from './projection';

/** Sums over a batch of one site's per-example gradients G_i [outputs, inputs], and of their squares by rows and by columns. */
export interface GradientSums {
  /** `Σ_i G_i` [outputs, inputs] */
  readonly sum: string;
  /** `Σ_i Σ_k G_i[o, k]²` [outputs] */
  readonly rows: string;
  /** `Σ_i Σ_o G_i[o, k]²` [inputs] */
  readonly columns: string;
}

/** Squares are of each example's own gradient, summed over its positions first. */
export function gradientSums(builder: GraphBuilder, site: Site, rows: SiteRows): GradientSums {
  const squared = (value: string) => builder.mul(value, value);
  if (isRankOne(site)) {
    // (d aᵀ)² = d² (a²)ᵀ, so that no example's gradient has to be written out.
    const [d, a] = [squared(rows.gradient), squared(rows.activation)];
    return {
      sum: transposedTimes(builder, rows.gradient, rows.activation),
      rows: builder.reduceSum(builder.mul(d, builder.reduceSum(a, [1], true)), [0]),
      columns: builder.reduceSum(builder.mul(a, builder.reduceSum(d, [1], true)), [0]),
    };
  }
  const gradients = perExampleGradient(builder, site, rows);
  const squares = squared(gradients);
  return {
    sum: builder.reduceSum(gradients, [0]),
    rows: builder.reduceSum(squares, [0, 2]),
    columns: builder.reduceSum(squares, [0, 1]),
  };
}
