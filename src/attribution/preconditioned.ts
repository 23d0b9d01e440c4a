import { type Algebra, type Matrix, transposed } from '../curvature/algebra';
import type { Basis, Eigenbasis, EkfacFactor } from '../curvature/ekfac';
import { isRankOne } from '../curvature/positions';
import { dualOf } from '../curvature/rescaling';
import type { Site } from '../curvature/site';
import type { MethodSegment } from './method';

/** Gradients of Q queries at one site: rank-one factors [Q, inputs] and [Q, outputs], or in full [Q, outputs, inputs]. */
export type SiteQueries =
  | { readonly kind: 'rank-one'; readonly activation: Matrix; readonly gradient: Matrix }
  | { readonly kind: 'full'; readonly values: Matrix };

/**
 * Walks one site's queries from the last segment to the first.
 *
 * The query changes coordinates directly from one segment's eigenbasis to the next, and stays where the bases are equal.
 */
export class QueryWalk {
  private current: { readonly values: Matrix; readonly basis: Eigenbasis | undefined } | undefined;

  constructor(
    private readonly algebra: Algebra,
    private readonly site: Site,
    private readonly queriesAt: (checkpoint: number | undefined) => SiteQueries,
  ) {}

  /**
   * A segment's `respond(H) q`, [Q, outputs, inputs]: in its eigenbasis, as rank-one factors of training gradients are kept, or
   * in the parameters' own coordinates where it has no factor, which stands for the identity, or several positions, since one
   * query turns more easily than all examples. `last` says that no segment comes after.
   */
  async step(method: MethodSegment, factor: EkfacFactor | undefined, last: boolean): Promise<Matrix> {
    if (method.elements && factor?.elements) return this.stepByElements(method, factor, last);
    const { current, site } = this;
    const anew = current === undefined || method.queryCheckpoint !== undefined;
    const values: Matrix = anew
      ? await enter(this.algebra, site, this.queriesAt(method.queryCheckpoint), factor)
      : await change(this.algebra, current.values, current.basis, factor);
    const eigenvalues = factor?.eigenvalues ?? new Float32Array(site.outputs * site.inputs);
    const left = method.propagate && !last ? scaled(values, method.propagate(eigenvalues, factor?.decay)) : values;
    const basis = factor && { activation: factor.activation, gradient: factor.gradient };
    this.current = last ? undefined : { values: left, basis };
    const responded = scaled(values, method.respond(eigenvalues, factor?.decay));
    return isRankOne(site) || !basis ? responded : pulledBack(this.algebra, responded, basis);
  }

  /** The same where the optimizer acts element by element: the query stays in the parameters' own coordinates. */
  private async stepByElements(method: MethodSegment, factor: EkfacFactor, last: boolean): Promise<Matrix> {
    const { current, algebra, site } = this;
    const values = current?.values ?? (await enter(algebra, site, this.queriesAt(method.queryCheckpoint), undefined));
    const rates = await elementRates(algebra, factor);
    this.current = last ? undefined : { values: scaled(values, rates.map(method.elements!.left)), basis: undefined };
    const lost = await change(algebra, scaled(values, rates.map(method.elements!.lost)), undefined, factor);
    const responded = scaled(lost, method.respond(factor.eigenvalues, factor.decay));
    return isRankOne(site) ? responded : pulledBack(algebra, responded, factor);
  }
}

/** `P ∘ diag(H)` and weight decay, [outputs, inputs]: `diag(H) = (V_S ∘ V_S)ᵀ Λ (V_A ∘ V_A)`. */
async function elementRates(algebra: Algebra, factor: EkfacFactor): Promise<Float32Array> {
  const { activation, gradient, eigenvalues } = factor;
  const squares = ({ size, vectors }: Basis): Matrix => ({ dims: [size, size], values: vectors.map((v) => v * v) });
  const spread = { dims: [gradient.size, activation.size], values: eigenvalues };
  const rows = await algebra.multiply(transposed(squares(gradient)), spread);
  const { values } = await algebra.multiply(rows, squares(activation));
  const { steps, decay } = factor.elements!;
  return values.map((h, i) => h * steps[i]! + decay[i]!);
}

/** Queries in a factor's coordinates: `V_S G V_Aᵀ`. */
async function enter(
  algebra: Algebra,
  site: Site,
  queries: SiteQueries,
  factor: EkfacFactor | undefined,
): Promise<Matrix> {
  if (queries.kind === 'full') return factor ? change(algebra, queries.values, undefined, factor) : queries.values;
  const activation = factor
    ? await algebra.project(queries.activation, matrixOf(factor.activation))
    : queries.activation;
  const gradient = factor ? await algebra.project(queries.gradient, matrixOf(factor.gradient)) : queries.gradient;
  const count = activation.dims[0]!;
  return algebra.multiply(
    { dims: [count, site.outputs, 1], values: gradient.values },
    { dims: [count, 1, site.inputs], values: activation.values },
  );
}

/** The same vectors in another factor's coordinates: `R_S G R_Aᵀ`, each side only where it changes. */
async function change(
  algebra: Algebra,
  values: Matrix,
  from: Eigenbasis | undefined,
  to: Eigenbasis | undefined,
): Promise<Matrix> {
  const left = await rotation(algebra, from?.gradient, to?.gradient);
  return timesBoth(algebra, values, left, await rotation(algebra, from?.activation, to?.activation));
}

/** `V_to W_fromᵀ` with W the dual of the basis, where an absent basis is the identity; undefined where nothing turns. */
async function rotation(algebra: Algebra, from: Basis | undefined, to: Basis | undefined): Promise<Matrix | undefined> {
  if (from?.id === to?.id) return undefined;
  if (!from) return matrixOf(to!);
  if (!to) return transposed(dualOf(from));
  return algebra.project(matrixOf(to), dualOf(from));
}

/** `V_Sᵀ u V_A`: what a factor's coordinates u of a functional are for gradients in the parameters' own coordinates. */
async function pulledBack(algebra: Algebra, values: Matrix, basis: Eigenbasis): Promise<Matrix> {
  return timesBoth(algebra, values, transposed(matrixOf(basis.gradient)), transposed(matrixOf(basis.activation)));
}

/** `left X rightᵀ` of every query X [outputs, inputs]; what is absent is the identity. */
async function timesBoth(
  algebra: Algebra,
  values: Matrix,
  left: Matrix | undefined,
  right: Matrix | undefined,
): Promise<Matrix> {
  const [count, outputs, inputs] = values.dims as [number, number, number];
  let result = values;
  if (right) {
    const rows = await algebra.project({ dims: [count * outputs, inputs], values: result.values }, right);
    result = { dims: values.dims, values: rows.values };
  }
  return left ? algebra.multiply(left, result) : result;
}

function matrixOf(basis: Basis): Matrix {
  return { dims: [basis.size, basis.size], values: basis.vectors };
}

/** Every query times the same [outputs, inputs] factors, elementwise. */
function scaled(queries: Matrix, factors: Float32Array): Matrix {
  const width = factors.length;
  const values = new Float32Array(queries.values.length);
  for (let start = 0; start < values.length; start += width) {
    for (let i = 0; i < width; i++) values[start + i] = queries.values[start + i]! * factors[i]!;
  }
  return { dims: queries.dims, values };
}
