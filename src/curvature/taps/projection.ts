import type { GraphBuilder } from '../../onnx/builder';
import { isRankOne, siteActivation, siteGradient } from '../positions';
import type { Site } from '../site';
import { asRows, timesTransposed } from './products';

/** A site's two eigenbases as graph inputs, eigenvectors as rows: [inputs, inputs] and [outputs, outputs]. */
export interface BasisInputs {
  readonly activation: string;
  readonly gradient: string;
}

/** Activation and one gradient in the eigenbasis, in the layouts of `siteActivation` and `siteGradient`. */
export interface Projected {
  readonly activation: string;
  readonly gradient: string;
}

export function projectActivation(builder: GraphBuilder, site: Site, bases: BasisInputs | undefined): string {
  return rotate(builder, siteActivation(builder, site), bases?.activation);
}

export function projectGradient(
  builder: GraphBuilder,
  site: Site,
  gradients: ReadonlyMap<string, string>,
  bases: BasisInputs | undefined,
): string {
  return rotate(builder, siteGradient(builder, site, gradients), bases?.gradient);
}

/** Coordinates `V x` of every row; without a basis the rows as they are. */
function rotate(builder: GraphBuilder, rows: string, basis: string | undefined): string {
  if (basis === undefined) return rows;
  return builder.reshape(timesTransposed(builder, asRows(builder, rows), basis), builder.dims(rows));
}

/** Per-example gradients `G_i = Σ_t d_t a_tᵀ`, [batch, outputs, inputs], in whatever basis the two are. */
export function perExampleGradient(builder: GraphBuilder, site: Site, projected: Projected): string {
  const batch = builder.dims(projected.activation)[0]!;
  if (isRankOne(site)) {
    const column = builder.reshape(projected.gradient, [batch, site.outputs, 1]);
    return builder.matmul(column, builder.reshape(projected.activation, [batch, 1, site.inputs]));
  }
  return builder.matmul(builder.transpose(projected.gradient, [0, 2, 1]), projected.activation);
}
