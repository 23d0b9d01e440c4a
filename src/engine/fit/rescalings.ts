import { batchMoment, type Marginals, meanMarginals } from '../../attribution/adamScaling';
import type { Rescaling } from '../../curvature/rescaling';
import { WhenceError } from '../../protocol/errors';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import type { Dynamics } from './dynamics';
import { type CurvatureGroup, groupId } from './group';
import type { MomentStage } from './momentStage';
import type { SavedMoments } from './savedMoments';

/**
 * Each group's coordinates in which its optimizer is plain gradient descent. Adam's second moments are what training kept of
 * them, averaged over the group's checkpoints, else what the training set's gradients at those say that they must have been.
 */
export class Rescalings {
  private readonly known = new Map<string, ReadonlyMap<number, Rescaling>>();

  constructor(
    private readonly run: OpenRun,
    private readonly dynamics: Dynamics,
    private readonly moments: MomentStage,
    private readonly saved: SavedMoments,
    private readonly examples: number,
  ) {}

  /** Rescalings by site of a group that is prepared; empty in the parameters' own coordinates. */
  of(group: CurvatureGroup): ReadonlyMap<number, Rescaling> {
    return this.known.get(groupId(group)) ?? new Map();
  }

  /** @throws WhenceError `config-invalid` where gradients must tell Adam's second moments and the batch size is not known */
  async prepare(groups: readonly CurvatureGroup[], sites: readonly number[], task: Task): Promise<void> {
    const missing = groups.filter((group) => group.dynamics && !this.known.has(groupId(group)));
    const rescaled = sites.filter((site) => this.dynamics.isRescaled(site));
    if (missing.length === 0 || rescaled.length === 0) return;
    const saved: ReadonlyMap<number, Marginals>[][] = [];
    for (const { checkpoints } of missing) {
      const own: ReadonlyMap<number, Marginals>[] = [];
      for (const checkpoint of this.dynamics.isAdam ? checkpoints : []) own.push(await this.saved.at(checkpoint, task));
      saved.push(own);
    }
    const unsaved = rescaled.filter((site) => saved.some((own) => own.every((marginals) => !marginals.has(site))));
    if (this.dynamics.isAdam && unsaved.length > 0) {
      this.batchSize();
      const checkpoints = [...new Set(missing.flatMap((group) => group.checkpoints))].sort((a, b) => a - b);
      task.expect(checkpoints.length * this.moments.steps(unsaved));
      await this.moments.complete(checkpoints, unsaved, task);
    }
    for (const [index, group] of missing.entries()) {
      const own = new Map<number, Rescaling>();
      for (const site of rescaled) {
        const kept = saved[index]!.flatMap((marginals) => marginals.get(site) ?? []);
        own.set(site, this.dynamics.rescaling(site, await this.secondMoment(group, site, kept, task)));
      }
      this.known.set(groupId(group), own);
    }
  }

  private async secondMoment(
    { checkpoints }: CurvatureGroup,
    site: number,
    kept: readonly Marginals[],
    task: Task,
  ): Promise<Marginals | undefined> {
    if (!this.dynamics.isAdam) return undefined;
    if (kept.length > 0) return meanMarginals(kept);
    const batch = this.batchSize();
    const all: Marginals[] = [];
    for (const checkpoint of checkpoints) {
      const { squares, mean } = await this.moments.read(checkpoint, site, task);
      all.push(batchMoment(squares, mean, batch, this.examples));
    }
    return meanMarginals(all);
  }

  private batchSize(): number {
    const { batchSize } = this.run.optimizer;
    if (batchSize !== undefined) return batchSize;
    throw new WhenceError('config-invalid', 'How many examples made one update is not known, which Adam depends on.', {
      file: this.run.path,
      place: 'optimizer.batchSize',
      mend: 'Give `optimizer.batchSize` in whence.json: examples of one update over all devices and accumulated gradients.',
    });
  }
}
