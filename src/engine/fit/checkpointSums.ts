import type { Phase } from '../../protocol/model';
import type { ModelExamples } from '../network/examples';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import { cutSites, partOf, type SitePart } from './siteParts';

/**
 * A stage that sums something over the training set at each checkpoint, and stores it a site at a time. Where the sums of all
 * sites do not fit into memory together, the training set is visited again for each part of the sites.
 */
export abstract class CheckpointSums<Sums> {
  constructor(
    protected readonly run: OpenRun,
    protected readonly network: Network,
    protected readonly train: ModelExamples,
    private readonly phase: Phase,
    /** What is summed, as progress and sessions call it. */
    private readonly title: string,
    private readonly siteBytes: Parameters<typeof cutSites>[2][number]['of'],
  ) {}

  /** One site's sums at one checkpoint as they are stored. */
  protected abstract stored(checkpoint: number, site: number): Promise<Sums | undefined>;

  /** Sums over the training set and stores; `step` after each batch. */
  protected abstract sum(checkpoint: number, part: SitePart, step: () => void): Promise<void>;

  /** Batches that completing these sites at one checkpoint takes. */
  steps(sites: readonly number[]): number {
    return this.parts(sites).length * this.passes;
  }

  /** Makes sure that the sums of these sites are stored for every checkpoint. */
  async complete(checkpoints: readonly number[], sites: readonly number[], task: Task): Promise<void> {
    for (const whole of this.parts(sites)) {
      const sessions = new Set<string>();
      for (const checkpoint of checkpoints) {
        const missing: number[] = [];
        for (const site of whole.indices) if (!(await this.stored(checkpoint, site))) missing.push(site);
        const message = `${this.title} of step ${this.run.checkpoints[checkpoint]!.step}`;
        task.step(this.phase, message, missing.length > 0 ? 0 : this.passes);
        if (missing.length === 0) continue;
        const part = partOf(this.network.training, missing);
        sessions.add(this.sessionName(part));
        await this.sum(checkpoint, part, () => task.step(this.phase, message));
      }
      // What a session has worked in stays its own until it is released.
      for (const name of sessions) await this.network.close(name);
    }
  }

  /** One site's sums; made again where what was stored has been damaged since. */
  async read(checkpoint: number, site: number, task: Task): Promise<Sums> {
    const stored = await this.stored(checkpoint, site);
    if (stored) return stored;
    await this.complete([checkpoint], [site], task);
    return (await this.stored(checkpoint, site))!;
  }

  protected sessionName({ name }: SitePart): string {
    return `${this.title} of ${name}`;
  }

  private get passes(): number {
    return Math.ceil(this.train.length / this.network.training.batch);
  }

  private parts(sites: readonly number[]): SitePart[] {
    const { training, memory } = this.network;
    return cutSites(training, sites, [{ bytes: memory.curvature, of: this.siteBytes }]);
  }
}
