import { accumulate, type Covariances } from '../../curvature/ekfac';
import { covarianceGraph } from '../../curvature/instrument';
import { outputNames } from '../../curvature/subject';
import type { Session, Tensor } from '../../onnx/runtime';
import { covarianceBytes } from '../memoryBudget';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Store } from '../store';
import type { Task } from '../task';
import type { Kept } from './kept';
import { fisherNoise } from './noise';
import { cutSites, partOf, type SitePart } from './siteParts';
import type { StageKeys } from './stageKeys';

/**
 * Covariances at each checkpoint, summed over the training set and stored a site at a time. Where the sums of all sites do not
 * fit into memory together, the training set is visited again for each part of the sites.
 */
export class CovarianceStage {
  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly train: ModelExamples,
    private readonly store: Store,
    private readonly keys: StageKeys,
    private readonly kept: Kept<Covariances>,
  ) {}

  /** Batches that completing these sites at one checkpoint takes. */
  steps(sites: readonly number[]): number {
    return this.parts(sites).length * this.passes;
  }

  /** Makes sure that the covariances of these sites are stored for every checkpoint. */
  async complete(checkpoints: readonly number[], sites: readonly number[], task: Task): Promise<void> {
    for (const part of this.parts(sites)) {
      for (const checkpoint of checkpoints) {
        const missing: number[] = [];
        for (const site of part.indices) if (!(await this.stored(checkpoint, site))) missing.push(site);
        const message = `Covariances of step ${this.run.checkpoints[checkpoint]!.step}`;
        task.step('curvature', message, missing.length > 0 ? 0 : this.passes);
        if (missing.length > 0) await this.sum(checkpoint, missing, message, task);
      }
      // What a session has worked in stays its own until it is released.
      await this.network.close(sessionName(part));
    }
  }

  /** One site's sums over the training set; made again where what was stored has been damaged since. */
  async read(checkpoint: number, site: number, task: Task): Promise<Covariances> {
    const stored = await this.stored(checkpoint, site);
    if (stored) return stored;
    await this.complete([checkpoint], [site], task);
    return (await this.stored(checkpoint, site))!;
  }

  private get passes(): number {
    return Math.ceil(this.train.length / this.network.training.batch);
  }

  private parts(sites: readonly number[]): SitePart[] {
    const { training, memory } = this.network;
    return cutSites(training, sites, [{ bytes: memory.curvature, of: covarianceBytes }]);
  }

  private async stored(checkpoint: number, site: number): Promise<Covariances | undefined> {
    const key = await this.keys.covariances(checkpoint, site);
    const known = this.kept.get(key.hash);
    if (known) return known;
    const values = await this.store.get(key);
    if (!values) return undefined;
    const sums = {
      activation: values.get('activation')!.data as Float64Array,
      gradient: values.get('gradient')!.data as Float64Array,
    };
    this.keep(key.hash, sums);
    return sums;
  }

  private keep(hash: string, sums: Covariances): void {
    this.kept.set(hash, sums, sums.activation.byteLength + sums.gradient.byteLength);
  }

  private async sum(checkpoint: number, sites: readonly number[], message: string, task: Task): Promise<void> {
    const part = partOf(this.network.training, sites);
    const { subject } = part;
    const session = await this.session(part);
    const weights = await this.network.weights(checkpoint);
    const sums = subject.sites.map(({ inputs, outputs }) => ({
      activation: new Float64Array(inputs * inputs),
      gradient: new Float64Array(outputs * outputs),
    }));
    for await (const batch of this.train.batches(subject.batch)) {
      const outputs = await runWith(session, {
        ...weights,
        ...this.network.batchFeeds(subject, batch),
        ...fisherNoise(this.run, subject, checkpoint, batch.indices),
      });
      sums.forEach(({ activation, gradient }, site) => {
        accumulate(activation, floats(outputs, outputNames.activation(site)));
        accumulate(gradient, floats(outputs, outputNames.gradient(site)));
      });
      task.step('curvature', message);
    }
    for (const [index, own] of sums.entries()) {
      const { inputs, outputs } = subject.sites[index]!;
      const key = await this.keys.covariances(checkpoint, sites[index]!);
      const values = new Map<string, Tensor>([
        ['activation', { dtype: 'float64', dims: [inputs, inputs], data: own.activation }],
        ['gradient', { dtype: 'float64', dims: [outputs, outputs], data: own.gradient }],
      ]);
      await this.store.put(key, values);
      this.keep(key.hash, own);
    }
  }

  private session(part: SitePart): Promise<Session> {
    const { subject } = part;
    const all = new Set(subject.sites.keys());
    return this.network.session(sessionName(part), subject, (own) => covarianceGraph(own, this.run.fisher, all));
  }
}

function sessionName({ name }: SitePart): string {
  return `covariances of ${name}`;
}
