import { accumulate, type Basis, type Eigenbasis } from '../../curvature/ekfac';
import { type Rescaling, rescaleCovariance, rescaledBasis } from '../../curvature/rescaling';
import { staticSites } from '../../curvature/staticSites';
import type { EngineHost } from '../host';
import type { ModelExamples } from '../network/examples';
import type { Network } from '../network/network';
import type { Store } from '../store';
import type { Task } from '../task';
import type { CovarianceStage } from './covarianceStage';
import type { Kept } from './kept';

/** The two bases of a site by their ids. */
export interface BasisIds {
  readonly activation: string;
  readonly gradient: string;
}

/** A group's sites whose bases are wanted, some in rescaled coordinates. */
export interface WantedBases {
  readonly checkpoints: readonly number[];
  readonly sites: readonly number[];
  readonly rescalings: ReadonlyMap<number, Rescaling>;
}

interface WantedMatrix {
  readonly id: string;
  readonly matrix: Float64Array;
  readonly n: number;
}

/** Eigenbases of a group's mean covariances, stored by what they are of: groups whose inputs are the same share them. */
export class BasisStage {
  private readonly statics: ReadonlySet<number>;

  constructor(
    private readonly network: Network,
    private readonly train: ModelExamples,
    private readonly host: EngineHost,
    private readonly store: Store,
    private readonly covariances: CovarianceStage,
    private readonly kept: Kept<Basis>,
  ) {
    this.statics = staticSites(network.training);
  }

  /** Decomposes what is not stored yet, as many matrices at a time as memory holds; ids of each group's sites, in their order. */
  async complete(wanted: readonly WantedBases[], task: Task): Promise<ReadonlyMap<number, BasisIds>[]> {
    const { memory } = this.network;
    let open: WantedMatrix[] = [];
    let bytes = 0;
    const seen = new Set<string>();
    const enter = async (matrix: Float64Array, n: number): Promise<string> => {
      const id = this.host.files.hashBytes([new Uint8Array(matrix.buffer)]);
      if (seen.has(id)) return id;
      seen.add(id);
      if (await this.read(id, n)) return id;
      if (open.length > 0 && bytes + matrix.byteLength > memory.curvature / 2) {
        await this.decompose(open, task);
        [open, bytes] = [[], 0];
      }
      open.push({ id, matrix, n });
      bytes += matrix.byteLength;
      return id;
    };
    const ids: Map<number, BasisIds>[] = [];
    for (const { checkpoints, sites, rescalings } of wanted) {
      const own = new Map<number, BasisIds>();
      for (const site of sites) {
        const { inputs, outputs } = this.network.sites[site]!;
        const scales = rescalings.get(site);
        const activation = await this.mean(checkpoints, site, 'activation', task);
        const gradient = await this.mean(checkpoints, site, 'gradient', task);
        if (scales) {
          rescaleCovariance(activation, scales.columns);
          rescaleCovariance(gradient, scales.rows);
        }
        own.set(site, { activation: await enter(activation, inputs), gradient: await enter(gradient, outputs) });
      }
      ids.push(own);
    }
    await this.decompose(open, task);
    return ids;
  }

  /** A site's two stored bases in the coordinates of a rescaling, if any; undefined where one is not there or damaged. */
  async eigenbasis(site: number, ids: BasisIds, scales: Rescaling | undefined): Promise<Eigenbasis | undefined> {
    const { inputs, outputs } = this.network.sites[site]!;
    const activation = await this.read(ids.activation, inputs);
    const gradient = activation && (await this.read(ids.gradient, outputs));
    if (!gradient || !scales) return gradient && { activation, gradient };
    return { activation: this.rescaled(activation, scales.columns), gradient: this.rescaled(gradient, scales.rows) };
  }

  /** Tells rescalings apart by their content. */
  hash(rescaling: Rescaling): string {
    return this.host.files.hashBytes([bytesOf(rescaling.rows), bytesOf(rescaling.columns)]);
  }

  private rescaled(basis: Basis, scales: Float32Array): Basis {
    return rescaledBasis(basis, scales, `${basis.id} ${this.host.files.hashBytes([bytesOf(scales)])}`);
  }

  /** A stored basis; undefined where it is not there or damaged. */
  private async read(id: string, size: number): Promise<Basis | undefined> {
    const known = this.kept.get(id);
    if (known) return known;
    const values = await this.store.get({ kind: 'basis', hash: id });
    return values && this.keep({ id, size, vectors: values.get('vectors')!.data as Float32Array });
  }

  private keep(basis: Basis): Basis {
    this.kept.set(basis.id, basis, basis.vectors.byteLength);
    return basis;
  }

  /** Mean over a group's checkpoints; inputs that no weight touches are the same at each and are read once. */
  private async mean(
    checkpoints: readonly number[],
    site: number,
    side: 'activation' | 'gradient',
    task: Task,
  ): Promise<Float64Array> {
    const [first, ...more] = [...checkpoints].sort((a, b) => a - b) as [number, ...number[]];
    const sum = (await this.covariances.read(first, site, task))[side].slice();
    const isStatic = side === 'activation' && this.statics.has(site);
    for (const checkpoint of isStatic ? [] : more) {
      accumulate(sum, (await this.covariances.read(checkpoint, site, task))[side]);
    }
    const count = isStatic ? this.train.length : this.train.length * checkpoints.length;
    for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! / count;
    return sum;
  }

  private async decompose(open: readonly WantedMatrix[], task: Task): Promise<void> {
    const widest = open.reduce((most, { n }) => Math.max(most, n), 0);
    if (open.length === 0) return;
    task.step('eigenvectors', `Eigenvectors of ${open.length} matrices, the widest ${widest}`, 0);
    const solved = await this.host.eigh(open, this.network.memory.solver, task.signal);
    for (const [index, { vectors }] of solved.entries()) {
      const { id, n } = open[index]!;
      const basis = this.keep({ id, size: n, vectors: Float32Array.from(vectors) });
      const tensor = { dtype: 'float32', dims: [n, n], data: basis.vectors } as const;
      await this.store.put({ kind: 'basis', hash: id }, new Map([['vectors', tensor]]));
    }
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
