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
import { CheckpointSums } from './checkpointSums';
import type { Kept } from './kept';
import { fisherNoise } from './noise';
import type { SitePart } from './siteParts';
import type { StageKeys } from './stageKeys';

/** Covariances at each checkpoint. */
export class CovarianceStage extends CheckpointSums<Covariances> {
  constructor(
    run: OpenRun,
    network: Network,
    train: ModelExamples,
    private readonly store: Store,
    private readonly keys: StageKeys,
    private readonly kept: Kept<Covariances>,
  ) {
    super(run, network, train, 'curvature', 'Covariances', covarianceBytes);
  }

  protected async stored(checkpoint: number, site: number): Promise<Covariances | undefined> {
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

  protected async sum(checkpoint: number, part: SitePart, step: () => void): Promise<void> {
    const { subject, indices } = part;
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
      step();
    }
    for (const [index, own] of sums.entries()) {
      const { inputs, outputs } = subject.sites[index]!;
      const key = await this.keys.covariances(checkpoint, indices[index]!);
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
    return this.network.session(this.sessionName(part), subject, (own) => covarianceGraph(own, this.run.fisher, all));
  }
}
