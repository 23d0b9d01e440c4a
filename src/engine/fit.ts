import { accumulate, type Basis, type Covariances, type EkfacFactor, meanEigenvalues } from '../curvature/ekfac';
import { covarianceGraph, eigenvalueGraph } from '../curvature/instrument';
import { staticSites } from '../curvature/staticSites';
import { inputNames, outputNames } from '../curvature/subject';
import type { Feeds, Tensor } from '../onnx/runtime';
import { drawNoise } from './draws';
import type { ModelExamples } from './examples';
import { floats, runWith } from './feeds';
import type { EngineHost } from './host';
import type { Network } from './network';
import type { OpenRun } from './openRun';
import type { Store } from './store';
import type { Task } from './task';

/**
 * EK-FAC of any group of checkpoints. Every stage (covariances of one checkpoint, a basis, a group's eigenvalues) is kept
 * on disk under the hash of what it depends on, so that groups share stages and a cancelled fit goes on where it was.
 */
export class Fit {
  private readonly fitted = new Map<string, Promise<readonly EkfacFactor[]>>();
  private readonly bases = new Map<string, Basis>();
  private readonly statics: ReadonlySet<number>;

  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly train: ModelExamples,
    private readonly host: EngineHost,
    private readonly store: Store,
  ) {
    this.statics = staticSites(network.training);
  }

  /** Factors of each group of checkpoints, one a site. Groups that were asked for before are answered from memory. */
  async factors(groups: readonly (readonly number[])[], task: Task): Promise<readonly (readonly EkfacFactor[])[]> {
    const missing = groups.filter((group) => !this.fitted.has(group.join()));
    if (missing.length > 0) {
      const fit = this.fitGroups(missing, task);
      missing.forEach((group, index) => {
        const own = fit.then((factors) => factors[index]!);
        // A failed or cancelled fit is not remembered: the next call begins it again.
        own.catch(() => this.fitted.delete(group.join()));
        this.fitted.set(group.join(), own);
      });
    }
    return Promise.all(groups.map((group) => this.fitted.get(group.join())!));
  }

  private async fitGroups(groups: readonly (readonly number[])[], task: Task): Promise<readonly EkfacFactor[][]> {
    const checkpoints = [...new Set(groups.flat())].sort((a, b) => a - b);
    const passes = Math.ceil(this.train.length / this.network.training.batch);
    task.expect(passes * (checkpoints.length + groups.flat().length) + 1);

    const sums = groups.map((): Covariances[] => []);
    for (const checkpoint of checkpoints) {
      const own = await this.covariances(checkpoint, task);
      groups.forEach((group, index) => {
        if (group.includes(checkpoint)) sums[index] = addCovariances(sums[index]!, own, this.statics);
      });
    }
    const bases = await this.eigenbases(groups, sums, task);
    const factors: EkfacFactor[][] = [];
    for (const [index, group] of groups.entries()) {
      factors.push(await this.eigenvalues(group, bases[index]!, task));
    }
    return factors;
  }

  /** Sums over the training set at one checkpoint, one entry a site. */
  private async covariances(checkpoint: number, task: Task): Promise<readonly Covariances[]> {
    const key = { kind: 'covariances', hash: await this.run.hash('covariances', [checkpoint]) } as const;
    const kept = await this.store.get(key);
    const message = `Covariances of step ${this.run.checkpoints[checkpoint]!.step}`;
    const passes = Math.ceil(this.train.length / this.network.training.batch);
    if (kept) {
      task.step('curvature', message, passes);
      return this.network.sites.map((_, site) => ({
        activation: kept.get(`${site}.activation`)!.data as Float64Array,
        gradient: kept.get(`${site}.gradient`)!.data as Float64Array,
      }));
    }
    const subject = this.network.training;
    const { fisher } = this.run;
    const all = new Set(this.network.sites.keys());
    const session = await this.network.session('covariances', () => covarianceGraph(subject, fisher, all));
    const weights = await this.network.weights(checkpoint);
    const sums = this.network.sites.map(({ inputs, outputs }) => ({
      activation: new Float64Array(inputs * inputs),
      gradient: new Float64Array(outputs * outputs),
    }));
    task.step('curvature', message, 0);
    for await (const batch of this.train.batches(subject.batch)) {
      const outputs = await runWith(session, {
        ...weights,
        ...this.network.batchFeeds(subject, batch),
        ...this.noise(checkpoint, batch.indices),
      });
      sums.forEach(({ activation, gradient }, site) => {
        accumulate(activation, floats(outputs, outputNames.activation(site)));
        accumulate(gradient, floats(outputs, outputNames.gradient(site)));
      });
      task.step('curvature', message);
    }
    const values = new Map<string, Tensor>();
    sums.forEach(({ activation, gradient }, site) => {
      const { inputs, outputs } = this.network.sites[site]!;
      values.set(`${site}.activation`, { dtype: 'float64', dims: [inputs, inputs], data: activation });
      values.set(`${site}.gradient`, { dtype: 'float64', dims: [outputs, outputs], data: gradient });
    });
    await this.store.put(key, values);
    return sums;
  }

  /** One basis a distinct covariance: segments whose input statistics are the same share it. */
  private async eigenbases(
    groups: readonly (readonly number[])[],
    sums: readonly (readonly Covariances[])[],
    task: Task,
  ): Promise<{ activation: Basis; gradient: Basis }[][]> {
    const wanted = new Map<string, { matrix: Float64Array; n: number }>();
    const name = (sum: Float64Array, count: number, n: number): string => {
      const matrix = sum.map((value) => value / count);
      const id = this.host.files.hashBytes([new Uint8Array(matrix.buffer)]);
      wanted.set(id, { matrix, n });
      return id;
    };
    const ids = groups.map((group, index) =>
      sums[index]!.map(({ activation, gradient }, site) => {
        const { inputs, outputs } = this.network.sites[site]!;
        const examples = this.train.length;
        return {
          activation: name(activation, this.statics.has(site) ? examples : examples * group.length, inputs),
          gradient: name(gradient, examples * group.length, outputs),
        };
      }),
    );
    task.step('eigenvectors', 'Eigenvectors', 0);
    await this.loadBases(wanted);
    const open = [...wanted].filter(([id]) => !this.bases.has(id));
    const solved = await this.host.eigh(
      open.map(([, matrix]) => matrix),
      2 ** 30,
      task.signal,
    );
    for (const [index, { vectors }] of solved.entries()) {
      const [id, { n }] = open[index]!;
      const basis = { id, size: n, vectors: Float32Array.from(vectors) };
      this.bases.set(id, basis);
      await this.store.put({ kind: 'basis', hash: id }, new Map([['vectors', vectorsTensor(basis)]]));
    }
    task.step('eigenvectors', 'Eigenvectors');
    return ids.map((sites) =>
      sites.map(({ activation, gradient }) => ({
        activation: this.bases.get(activation)!,
        gradient: this.bases.get(gradient)!,
      })),
    );
  }

  private async loadBases(wanted: ReadonlyMap<string, { readonly n: number }>): Promise<void> {
    for (const [id, { n }] of wanted) {
      if (this.bases.has(id)) continue;
      const kept = await this.store.get({ kind: 'basis', hash: id });
      if (kept) this.bases.set(id, { id, size: n, vectors: kept.get('vectors')!.data as Float32Array });
    }
  }

  /** Visits every checkpoint of a group again, in the group's eigenbasis. */
  private async eigenvalues(
    group: readonly number[],
    bases: readonly { activation: Basis; gradient: Basis }[],
    task: Task,
  ): Promise<EkfacFactor[]> {
    const key = { kind: 'eigenvalues', hash: await this.run.hash('eigenvalues', group) } as const;
    const kept = await this.store.get(key);
    const passes = Math.ceil(this.train.length / this.network.training.batch);
    if (kept) {
      task.step('eigenvalues', 'Eigenvalues', passes * group.length);
      return bases.map((basis, site) => ({ ...basis, eigenvalues: kept.get(`${site}`)!.data as Float32Array }));
    }
    const subject = this.network.training;
    const session = await this.network.session('eigenvalues', () => eigenvalueGraph(subject, this.run.fisher));
    const sums = this.network.sites.map(({ inputs, outputs }) => new Float64Array(inputs * outputs));
    for (const checkpoint of group) {
      const weights = { ...(await this.network.weights(checkpoint)), ...basisFeeds(bases) };
      const message = `Eigenvalues of step ${this.run.checkpoints[checkpoint]!.step}`;
      task.step('eigenvalues', message, 0);
      for await (const batch of this.train.batches(subject.batch)) {
        const outputs = await runWith(session, {
          ...weights,
          ...this.network.batchFeeds(subject, batch),
          ...this.noise(checkpoint, batch.indices),
        });
        sums.forEach((sum, site) => {
          accumulate(sum, floats(outputs, outputNames.eigenvalues(site)));
        });
        task.step('eigenvalues', message);
      }
    }
    const count = this.train.length * group.length;
    const means = sums.map((sum, site) => meanEigenvalues(this.network.sites[site]!, sum, count));
    const values = means.map((data, site): [string, Tensor] => {
      const { inputs, outputs } = this.network.sites[site]!;
      return [`${site}`, { dtype: 'float32', dims: [outputs, inputs], data }];
    });
    await this.store.put(key, new Map(values));
    return bases.map((basis, site) => ({ ...basis, eigenvalues: means[site]! }));
  }

  private noise(checkpoint: number, indices: readonly number[]): Feeds {
    if (this.run.fisher !== 'sampled') return {};
    const { step } = this.run.checkpoints[checkpoint]!;
    const { batch } = this.network.training;
    const data = drawNoise(this.run.config.seed ?? 0, step, indices, batch);
    return { [inputNames.noise]: { dtype: 'float32', dims: [batch], data } };
  }
}

/** A group's eigenbases as graph inputs. */
export function basisFeeds(bases: readonly { readonly activation: Basis; readonly gradient: Basis }[]): Feeds {
  return Object.fromEntries(
    bases.flatMap(({ activation, gradient }, site) => [
      [inputNames.activationBasis(site), vectorsTensor(activation)],
      [inputNames.gradientBasis(site), vectorsTensor(gradient)],
    ]),
  );
}

function vectorsTensor({ size, vectors }: Basis): Tensor {
  return { dtype: 'float32', dims: [size, size], data: vectors };
}

/** Adds a checkpoint's sums to a group's; inputs that no weight touches are the same at each and are counted once. */
function addCovariances(
  totals: readonly Covariances[],
  more: readonly Covariances[],
  statics: ReadonlySet<number>,
): Covariances[] {
  if (totals.length === 0) {
    return more.map(({ activation, gradient }) => ({ activation: activation.slice(), gradient: gradient.slice() }));
  }
  more.forEach(({ activation, gradient }, site) => {
    if (!statics.has(site)) accumulate(totals[site]!.activation, activation);
    accumulate(totals[site]!.gradient, gradient);
  });
  return [...totals];
}
