import { accumulate, type EkfacFactor, meanEigenvalues } from '../../curvature/ekfac';
import { eigenvalueGraph } from '../../curvature/instrument';
import { inputNames, outputNames } from '../../curvature/subject';
import type { Feeds, Tensor } from '../../onnx/runtime';
import { eigenvalueBytes } from '../memoryBudget';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Store } from '../store';
import type { Task } from '../task';
import type { BasisIds, BasisStage } from './basisStage';
import type { Kept } from './kept';
import { fisherNoise } from './noise';
import { cutSites, type SitePart } from './siteParts';
import type { StageKeys } from './stageKeys';

/** A site's eigenvalues [outputs, inputs] and the bases that they belong to. */
export interface SiteEigenvalues {
  readonly ids: BasisIds;
  readonly eigenvalues: Float32Array;
}

/** Visits every checkpoint of a group again, in the group's eigenbasis; results are stored a site at a time. */
export class EigenvalueStage {
  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly train: ModelExamples,
    private readonly store: Store,
    private readonly keys: StageKeys,
    private readonly bases: BasisStage,
    private readonly kept: Kept<SiteEigenvalues>,
  ) {}

  /** Batches that completing these sites takes for one group. */
  steps(group: readonly number[], sites: readonly number[]): number {
    return this.parts(sites).length * Math.ceil(this.train.length / this.network.training.batch) * group.length;
  }

  async read(group: readonly number[], site: number): Promise<SiteEigenvalues | undefined> {
    const key = await this.keys.eigenvalues(group, site);
    const known = this.kept.get(key.hash);
    if (known) return known;
    const values = await this.store.get(key);
    if (!values) return undefined;
    const idOf = (name: string) => new TextDecoder().decode(values.get(name)!.data as Uint8Array);
    const ids = { activation: idOf('activation basis'), gradient: idOf('gradient basis') };
    return this.keep(key.hash, { ids, eigenvalues: values.get('eigenvalues')!.data as Float32Array });
  }

  async complete(
    group: readonly number[],
    sites: readonly number[],
    ids: ReadonlyMap<number, BasisIds>,
    task: Task,
  ): Promise<void> {
    for (const part of this.parts(sites)) {
      await this.sum(group, part, ids, task);
      await this.network.close(sessionName(part));
    }
  }

  private parts(sites: readonly number[]): SitePart[] {
    const { training, memory } = this.network;
    return cutSites(training, sites, [{ bytes: memory.curvature, of: eigenvalueBytes }]);
  }

  private keep(hash: string, own: SiteEigenvalues): SiteEigenvalues {
    // Methods remember what their functions make of the eigenvalues: two arrays as large.
    this.kept.set(hash, own, 3 * own.eigenvalues.byteLength);
    return own;
  }

  private async sum(
    group: readonly number[],
    part: SitePart,
    ids: ReadonlyMap<number, BasisIds>,
    task: Task,
  ): Promise<void> {
    const { subject } = part;
    const session = await this.network.session(sessionName(part), subject, (own) =>
      eigenvalueGraph(own, this.run.fisher),
    );
    const bases = await Promise.all(
      part.indices.map(async (site) => {
        const { inputs, outputs } = this.network.sites[site]!;
        const { activation, gradient } = ids.get(site)!;
        return {
          activation: (await this.bases.read(activation, inputs))!,
          gradient: (await this.bases.read(gradient, outputs))!,
        };
      }),
    );
    const sums = subject.sites.map(({ inputs, outputs }) => new Float64Array(inputs * outputs));
    for (const checkpoint of group) {
      const weights = { ...(await this.network.weights(checkpoint)), ...basisFeeds(bases) };
      const message = `Eigenvalues of step ${this.run.checkpoints[checkpoint]!.step}`;
      task.step('eigenvalues', message, 0);
      for await (const batch of this.train.batches(subject.batch)) {
        const outputs = await runWith(session, {
          ...weights,
          ...this.network.batchFeeds(subject, batch),
          ...fisherNoise(this.run, subject, checkpoint, batch.indices),
        });
        sums.forEach((sum, site) => {
          accumulate(sum, floats(outputs, outputNames.eigenvalues(site)));
        });
        task.step('eigenvalues', message);
      }
    }
    const count = this.train.length * group.length;
    for (const [index, sum] of sums.entries()) {
      const site = subject.sites[index]!;
      const own = { ids: ids.get(part.indices[index]!)!, eigenvalues: meanEigenvalues(site, sum, count) };
      const key = await this.keys.eigenvalues(group, part.indices[index]!);
      await this.store.put(key, tensorsOf(own, [site.outputs, site.inputs]));
      this.keep(key.hash, own);
    }
  }
}

function tensorsOf({ ids, eigenvalues }: SiteEigenvalues, dims: readonly number[]): Map<string, Tensor> {
  const text = (value: string): Tensor => {
    const data = new TextEncoder().encode(value);
    return { dtype: 'uint8', dims: [data.length], data };
  };
  return new Map([
    ['eigenvalues', { dtype: 'float32', dims, data: eigenvalues }],
    ['activation basis', text(ids.activation)],
    ['gradient basis', text(ids.gradient)],
  ]);
}

/** A part's eigenbases as graph inputs. */
export function basisFeeds(bases: readonly Pick<EkfacFactor, 'activation' | 'gradient'>[]): Feeds {
  const tensor = ({ size, vectors }: EkfacFactor['activation']): Tensor => ({
    dtype: 'float32',
    dims: [size, size],
    data: vectors,
  });
  return Object.fromEntries(
    bases.flatMap(({ activation, gradient }, site) => [
      [inputNames.activationBasis(site), tensor(activation)],
      [inputNames.gradientBasis(site), tensor(gradient)],
    ]),
  );
}

function sessionName({ name }: SitePart): string {
  return `eigenvalues of ${name}`;
}
