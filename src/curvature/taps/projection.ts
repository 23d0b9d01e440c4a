import type { GraphBuilder } from '../../onnx/builder';
import { isRankOne, siteActivation, siteGradient } from '../positions';
import type { Site } from '../site';
import { asRows, timesTransposed } from './products';

/** A site's two eigenbases as graph inputs, eigenvectors as rows: [inputs, inputs] and [outputs, outputs]. */
export interface BasisInputs {
  readonly activation: string;
  readonly gradient: string;
}

/** Activation and one gradient of a site, in the layouts of `siteActivation` and `siteGradient`. */
export interface SiteRows {
  readonly activation: string;
  readonly gradient: string;
}

export function siteRows(builder: GraphBuilder, site: Site, gradients: ReadonlyMap<string, string>): SiteRows {
  return { activation: siteActivation(builder, site), gradient: siteGradient(builder, site, gradients) };
}

/** Coordinates `V x` of every row; without a basis the rows as they are. */
export function rotateRows(builder: GraphBuilder, rows: string, basis: string | undefined): string {
  if (basis === undefined) return rows;
  return builder.reshape(timesTransposed(builder, asRows(builder, rows), basis), builder.dims(rows));
}

/** Per-example gradients `G_i = Σ_t d_t a_tᵀ`, [batch, outputs, inputs], in whatever basis the two are. */
export function perExampleGradient(builder: GraphBuilder, site: Site, rows: SiteRows): string {
  const batch = builder.dims(rows.activation)[0]!;
  if (isRankOne(site)) {
    const column = builder.reshape(rows.gradient, [batch, site.outputs, 1]);
    return builder.matmul(column, builder.reshape(rows.activation, [batch, 1, site.inputs]));
  }
  return builder.matmul(builder.transpose(rows.gradient, [0, 2, 1]), rows.activation);
}

/**
 * Per-example gradients in the eigenbasis, `V_S G_ic V_Aᵀ` [batch, outputs, inputs], for each draw c. Either the rows are brought
 * there or what they make, whichever takes fewer multiplications: a convolution has more rows, its positions, than channels.
 *
 * @param gradients of each draw, in the layout of `siteGradient`
 */
export function eigenbasisGradients(
  builder: GraphBuilder,
  site: Site,
  activation: string,
  gradients: readonly string[],
  bases: BasisInputs,
): readonly string[] {
  const { positions, inputs, outputs } = site;
  const byRows = positions * (inputs ** 2 + gradients.length * outputs ** 2);
  if (byRows <= gradients.length * inputs * outputs * (inputs + outputs)) {
    const rotated = rotateRows(builder, activation, bases.activation);
    return gradients.map((gradient) => {
      const rows = { activation: rotated, gradient: rotateRows(builder, gradient, bases.gradient) };
      return perExampleGradient(builder, site, rows);
    });
  }
  return gradients.map((gradient) => {
    const own = perExampleGradient(builder, site, { activation, gradient });
    return builder.matmul(bases.gradient, rotateRows(builder, own, bases.activation));
  });
}
