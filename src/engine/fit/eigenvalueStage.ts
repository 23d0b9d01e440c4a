import { accumulate, type EkfacFactor, meanEigenvalues } from '../../curvature/ekfac';
import { eigenvalueGraph } from '../../curvature/instrument';
import { inputNames, outputNames } from '../../curvature/subject';
import type { Feeds, Tensor } from '../../onnx/runtime';
import { eigenvalueBytes } from '../memoryBudget';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { StageKey, Store } from '../store';
import type { Task } from '../task';
import type { BasisIds, BasisStage } from './basisStage';
import type { CurvatureGroup } from './group';
import type { Kept } from './kept';
import { fisherNoise } from './noise';
import type { Rescalings } from './rescalings';
import { cutSites, type SitePart } from './siteParts';
import type { StageKeys } from './stageKeys';

/** A site's eigenvalues [outputs, inputs] and the eigenvectors that they belong to. */
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
    private readonly rescalings: Rescalings,
    private readonly kept: Kept<SiteEigenvalues>,
  ) {}

  /** Batches that completing these sites takes for one group. */
  steps({ checkpoints }: CurvatureGroup, sites: readonly number[]): number {
    const passes = this.parts(sites).length * checkpoints.length;
    return passes * Math.ceil(this.train.length / this.network.training.batch);
  }

  async read(group: CurvatureGroup, site: number): Promise<SiteEigenvalues | undefined> {
    const key = await this.key(group, site);
    const known = this.kept.get(key.hash);
    if (known) return known;
    const values = await this.store.get(key);
    return values && this.keep(key.hash, eigenvaluesOf(values));
  }

  async complete(
    group: CurvatureGroup,
    sites: readonly number[],
    ids: ReadonlyMap<number, BasisIds>,
    task: Task,
  ): Promise<void> {
    for (const part of this.parts(sites)) {
      await this.sum(group, part, ids, task);
      await this.network.close(sessionName(part));
    }
  }

  private key(group: CurvatureGroup, site: number): Promise<StageKey> {
    const rescaling = this.rescalings.of(group).get(site);
    return this.keys.eigenvalues(group.checkpoints, rescaling && this.bases.hash(rescaling), site);
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
    group: CurvatureGroup,
    part: SitePart,
    ids: ReadonlyMap<number, BasisIds>,
    task: Task,
  ): Promise<void> {
    const { subject } = part;
    const { checkpoints } = group;
    const rescalings = this.rescalings.of(group);
    const session = await this.network.session(sessionName(part), subject, (own) =>
      eigenvalueGraph(own, this.run.fisher),
    );
    const bases = await Promise.all(
      part.indices.map(async (site) => (await this.bases.eigenbasis(site, ids.get(site)!, rescalings.get(site)))!),
    );
    const sums = subject.sites.map(({ inputs, outputs }) => new Float64Array(inputs * outputs));
    for (const checkpoint of checkpoints) {
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
    const count = this.train.length * checkpoints.length;
    for (const [index, sum] of sums.entries()) {
      const site = subject.sites[index]!;
      const at = part.indices[index]!;
      const eigenvalues = meanEigenvalues(site, sum, count);
      const own = { ids: ids.get(at)!, eigenvalues };
      const key = await this.key(group, at);
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

function eigenvaluesOf(values: ReadonlyMap<string, Tensor>): SiteEigenvalues {
  const text = (name: string) => new TextDecoder().decode(values.get(name)!.data as Uint8Array);
  const ids = { activation: text('activation basis'), gradient: text('gradient basis') };
  return { ids, eigenvalues: values.get('eigenvalues')!.data as Float32Array };
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
