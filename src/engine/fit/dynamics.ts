import { adamRescaling, type Marginals } from '../../attribution/adamScaling';
import type { Decay, EkfacFactor } from '../../curvature/ekfac';
import type { Rescaling } from '../../curvature/rescaling';
import type { Site } from '../../curvature/site';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import { settingsOf } from '../run/trajectory';

/** Learning-rate scale and weight decay of each column of a site's gradient: those of its weight, then of each bias. */
interface ColumnSettings {
  readonly rates: Float64Array;
  readonly decays: Float64Array;
}

/**
 * What the run's optimizer does to gradients beside the learning rate, site by site: a change of coordinates in which it is
 * plain gradient descent, and weight decay there.
 *
 * A step `θ <- θ - η (s P g + s λ θ)` with P of Adam and s of the parameter's group has, in coordinates `θ / D` with `D² = s P`, the
 * curvature `D H D` and contracts by `s λ` more. L2 regularisation, Adam's and SGD's weight decay, goes through P as the
 * gradient does: it adds `λ D²`, of which the diagonal in the eigenbasis is kept, as EK-FAC keeps that of the Fisher.
 */
export class Dynamics {
  private readonly sites: readonly ColumnSettings[];

  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
  ) {
    this.sites = network.sites.map((site) => columnSettings(site, run, network));
  }

  get isAdam(): boolean {
    return this.run.optimizer.kind !== 'sgd';
  }

  /** Whether a site's coordinates are other than the parameters' own. */
  isRescaled(site: number): boolean {
    return this.isAdam || this.sites[site]!.rates.some((rate) => rate !== 1);
  }

  /** @param moment Adam's second moment over a segment, by rows and columns of the site; absent for SGD */
  rescaling(site: number, moment: Marginals | undefined): Rescaling {
    const roots = Float32Array.from(this.sites[site]!.rates, Math.sqrt);
    if (!moment) return { rows: new Float32Array(this.network.sites[site]!.outputs).fill(1), columns: roots };
    const { rows, columns } = adamRescaling(moment, this.run.optimizer.epsilon);
    return { rows, columns: columns.map((scale, column) => scale * roots[column]!) };
  }

  /** The same element by element: `P = D²`, the rate of weight decay, and what L2 adds to the curvature itself. */
  elements(site: number, { rows, columns }: Rescaling): Pick<EkfacFactor, 'elements' | 'decay'> {
    const { rates, decays } = this.sites[site]!;
    const isL2 = this.run.optimizer.kind !== 'adamw';
    const width = columns.length;
    const each = (value: (row: number, column: number) => number) =>
      Float32Array.from({ length: rows.length * width }, (_, i) => value(Math.floor(i / width), i % width));
    const steps = each((row, column) => (rows[row]! * columns[column]!) ** 2);
    const decay = each((row, column) => decays[column]! * (isL2 ? steps[row * width + column]! : rates[column]!));
    return { elements: { steps, decay }, decay: isL2 ? decays[0]! : 0 };
  }

  /** What weight decay adds to a factor's eigenvalues. */
  decay(site: number, { activation, gradient }: EkfacFactor): Decay {
    const { rates, decays } = this.sites[site]!;
    const { kind } = this.run.optimizer;
    const isUniform = (values: Float64Array) => values.every((value) => value === values[0]);
    if (kind !== 'adam' && isUniform(decays) && isUniform(rates)) return decays[0]! * rates[0]!;
    // Squares of an eigenvector's elements weigh the columns that it mixes. L2 is scaled with the coordinates, as `V diag(s)` is.
    const isL2 = kind !== 'adamw';
    const columns = rowSums(activation.size, (row, column) => {
      const scale = isL2 ? 1 : (activation.scales?.[column] ?? 1) / Math.sqrt(rates[column]!);
      return decays[column]! * (activation.vectors[row * activation.size + column]! / scale) ** 2;
    });
    const rows = isL2
      ? rowSums(gradient.size, (row, column) => gradient.vectors[row * gradient.size + column]! ** 2)
      : new Float64Array(gradient.size).fill(1);
    return { rows, columns };
  }
}

function columnSettings(site: Site, run: OpenRun, network: Network): ColumnSettings {
  const trailing = site.uses[0]!.trailing.length;
  const weights = settingsOf(run.optimizer, parameterOf(network, site.weight));
  const biases = site.bias === undefined ? weights : settingsOf(run.optimizer, parameterOf(network, site.bias));
  const of = (key: keyof typeof weights) =>
    new Float64Array(site.inputs).fill(weights[key]).fill(biases[key], site.inputs - trailing);
  return { rates: of('learningRateScale'), decays: of('weightDecay') };
}

/** The checkpoints' tensor that an initializer is filled from. */
function parameterOf(network: Network, initializer: string): string {
  return network.tensorsOf(initializer)[0] ?? initializer;
}

function rowSums(size: number, term: (row: number, column: number) => number): Float64Array {
  return Float64Array.from({ length: size }, (_, row) => {
    let sum = 0;
    for (let column = 0; column < size; column++) sum += term(row, column);
    return sum;
  });
}
