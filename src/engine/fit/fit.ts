import type { Basis, Covariances, EkfacFactor } from '../../curvature/ekfac';
import { WhenceError } from '../../protocol/errors';
import type { EngineHost } from '../host';
import type { ModelExamples } from '../network/examples';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Store } from '../store';
import type { Task } from '../task';
import { BasisStage } from './basisStage';
import { CovarianceStage } from './covarianceStage';
import { Dynamics } from './dynamics';
import { EigenvalueStage, type SiteEigenvalues } from './eigenvalueStage';
import { type CurvatureGroup, groupId } from './group';
import { Kept } from './kept';
import { MomentStage } from './momentStage';
import { Rescalings } from './rescalings';
import { SavedMoments } from './savedMoments';
import { StageKeys } from './stageKeys';

/**
 * EK-FAC of any group of checkpoints. Every stage (covariances at one checkpoint, a basis, a group's eigenvalues) is kept on
 * disk, a site at a time, under the hash of what it depends on: groups share stages, a cancelled fit goes on where it was, and
 * no more than fits stays in memory.
 */
export class Fit {
  private readonly dynamics: Dynamics;
  private readonly rescalings: Rescalings;
  private readonly covariances: CovarianceStage;
  private readonly bases: BasisStage;
  private readonly values: EigenvalueStage;
  private readonly sites: readonly number[];
  /** Groups that were found complete, or completed: their factors need not be looked through again. */
  private readonly complete = new Set<string>();

  constructor(
    run: OpenRun,
    private readonly network: Network,
    train: ModelExamples,
    host: EngineHost,
    store: Store,
  ) {
    this.sites = [...network.sites.keys()];
    const encoder = new TextEncoder();
    const keys = new StageKeys(run, network.sites, (text) => host.files.hashBytes([encoder.encode(text)]));
    this.dynamics = new Dynamics(run, network);
    const moments = new MomentStage(run, network, train, store, keys);
    const saved = new SavedMoments(run, network, train, host, store);
    this.rescalings = new Rescalings(run, this.dynamics, moments, saved, train.length);
    const third = network.memory.factors / 3;
    this.covariances = new CovarianceStage(run, network, train, store, keys, new Kept<Covariances>(third));
    this.bases = new BasisStage(network, train, host, store, this.covariances, new Kept<Basis>(third));
    const values = new Kept<SiteEigenvalues>(third);
    this.values = new EigenvalueStage(run, network, train, store, keys, this.bases, this.rescalings, values);
  }

  /** Makes sure that the factors of each group of checkpoints are stored. */
  async prepare(groups: readonly CurvatureGroup[], task: Task): Promise<void> {
    const rescaled = groups.filter(({ dynamics, elements }) => dynamics || elements);
    await this.rescalings.prepare(rescaled.map(underOptimizer), this.sites, task);
    const wanted: { group: CurvatureGroup; sites: number[] }[] = [];
    for (const group of groups.filter((one) => !this.complete.has(groupId(one)))) {
      const sites: number[] = [];
      for (const site of this.sites) if (!(await this.read(group, site))) sites.push(site);
      if (sites.length > 0) wanted.push({ group, sites });
      else this.complete.add(groupId(group));
    }
    if (wanted.length === 0) return;
    const checkpoints = [...new Set(wanted.flatMap(({ group }) => group.checkpoints))].sort((a, b) => a - b);
    const sites = this.sites.filter((site) => wanted.some((own) => own.sites.includes(site)));
    const ofEigenvalues = wanted.reduce((sum, own) => sum + this.values.steps(own.group, own.sites), 0);
    task.expect(checkpoints.length * this.covariances.steps(sites) + ofEigenvalues + 1);

    await this.covariances.complete(checkpoints, sites, task);
    task.step('eigenvectors', 'Eigenvectors', 0);
    const ids = await this.bases.complete(
      wanted.map(({ group, sites }) => ({ ...group, sites, rescalings: this.rescalings.of(group) })),
      task,
    );
    task.step('eigenvectors', 'Eigenvectors');
    for (const [index, own] of wanted.entries()) {
      await this.values.complete(own.group, own.sites, ids[index]!, task);
      this.complete.add(groupId(own.group));
    }
  }

  /** Factors of these sites for a group that is complete. */
  async factors(group: CurvatureGroup, sites: readonly number[]): Promise<readonly EkfacFactor[]> {
    const factors: EkfacFactor[] = [];
    for (const site of sites) {
      const factor = await this.read(group, site);
      if (!factor) {
        this.complete.delete(groupId(group));
        throw new WhenceError('unreadable', `The stored curvature of ${this.network.sites[site]!.weight} is gone.`, {
          mend: 'Ask again: what is missing in the folder .whence is made anew.',
        });
      }
      factors.push(factor);
    }
    return factors;
  }

  /** Tells curvatures apart: the optimizer's own is another only where it has coordinates of its own. */
  id(group: CurvatureGroup): string {
    return groupId({ ...group, dynamics: group.dynamics && this.sites.some((site) => this.dynamics.isRescaled(site)) });
  }

  private async read(group: CurvatureGroup, site: number): Promise<EkfacFactor | undefined> {
    const values = await this.values.read(group, site);
    const basis = values && (await this.bases.eigenbasis(site, values.ids, this.rescalings.of(group).get(site)));
    if (!basis) return undefined;
    const factor = { ...basis, eigenvalues: values.eigenvalues };
    if (group.dynamics) return { ...factor, decay: this.dynamics.decay(site, factor) };
    if (!group.elements) return factor;
    const rescaling = this.rescalings.of(underOptimizer(group)).get(site);
    return rescaling ? { ...factor, ...this.dynamics.elements(site, rescaling) } : factor;
  }
}

/** The same checkpoints in the optimizer's own coordinates. */
function underOptimizer({ checkpoints }: CurvatureGroup): CurvatureGroup {
  return { checkpoints, dynamics: true };
}
