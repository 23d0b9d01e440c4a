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

/** A site's rows on their way to the eigenbasis: only what is asked for becomes part of the graph. */
export class Projection implements SiteRows {
  #activation: string | undefined;
  #gradient: string | undefined;

  /**
   * @param own in the parameters' coordinates
   * @param bases where undefined, these are the coordinates that are asked for
   */
  constructor(
    private readonly builder: GraphBuilder,
    private readonly site: Site,
    readonly own: SiteRows,
    readonly bases: BasisInputs | undefined,
  ) {}

  /** Coordinates `V_A a` of every row. */
  get activation(): string {
    this.#activation ??= rotateRows(this.builder, this.own.activation, this.bases?.activation);
    return this.#activation;
  }

  /** Coordinates `V_S d` of every row. */
  get gradient(): string {
    this.#gradient ??= rotateRows(this.builder, this.own.gradient, this.bases?.gradient);
    return this.#gradient;
  }

  /** Per-example gradients `V_S G_i V_Aᵀ`, [batch, outputs, inputs]. */
  perExample(): string {
    const { builder, site, own, bases } = this;
    if (!bases || rotatesRows(site, 1)) return perExampleGradient(builder, site, this);
    return rotateGradients(builder, perExampleGradient(builder, site, own), bases);
  }
}

export function project(
  builder: GraphBuilder,
  site: Site,
  gradients: ReadonlyMap<string, string>,
  bases: BasisInputs | undefined,
): Projection {
  const own = { activation: siteActivation(builder, site), gradient: siteGradient(builder, site, gradients) };
  return new Projection(builder, site, own, bases);
}

/**
 * Whether fewer multiplications take an example's rows into the eigenbasis than the gradients that they make: rows are as many as
 * positions, which a convolution has more of than channels.
 * @param draws gradients that share the activation
 */
export function rotatesRows({ positions, inputs, outputs }: Site, draws: number): boolean {
  return positions * (inputs ** 2 + draws * outputs ** 2) <= draws * gradientRotation({ inputs, outputs });
}

/** Multiplications that take one [outputs, inputs] matrix from one basis to another. */
export function gradientRotation({ inputs, outputs }: Pick<Site, 'inputs' | 'outputs'>): number {
  return outputs * inputs * (outputs + inputs);
}

/** Coordinates `V x` of every row; without a basis the rows as they are. */
export function rotateRows(builder: GraphBuilder, rows: string, basis: string | undefined): string {
  if (basis === undefined) return rows;
  return builder.reshape(timesTransposed(builder, asRows(builder, rows), basis), builder.dims(rows));
}

/** `V_S G V_Aᵀ` of every [outputs, inputs] of a batch. */
export function rotateGradients(builder: GraphBuilder, gradients: string, bases: BasisInputs): string {
  return builder.matmul(bases.gradient, rotateRows(builder, gradients, bases.activation));
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
