import type { Marginals } from '../../attribution/adamScaling';
import { marginalGraph } from '../../curvature/savedMoments';
import { outputNames } from '../../curvature/subject';
import type { Tensor } from '../../onnx/runtime';
import type { EngineHost } from '../host';
import { type ModelExamples, range } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { SecondMoments } from '../run/trajectory';
import type { StageKey, Store } from '../store';
import type { Task } from '../task';
import { partOf } from './siteParts';

/** Marginals by site, of the sites all of whose weights have second moments. */
type SiteMarginals = ReadonlyMap<number, Marginals>;

/** Adam's second moments, corrected for bias, as training kept them beside its checkpoints; stored by rows and columns. */
export class SavedMoments {
  private readonly known = new Map<number, Promise<SiteMarginals>>();

  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly train: ModelExamples,
    private readonly host: EngineHost,
    private readonly store: Store,
  ) {}

  /** What was kept at a checkpoint; empty where nothing was. */
  at(checkpoint: number, task: Task): Promise<SiteMarginals> {
    const known = this.known.get(checkpoint) ?? this.load(checkpoint, task);
    this.known.set(checkpoint, known);
    known.catch(() => this.known.delete(checkpoint));
    return known;
  }

  private async load(checkpoint: number, task: Task): Promise<SiteMarginals> {
    const saved = await this.run.secondMoments(checkpoint);
    if (!saved) return new Map();
    const key = await this.key(checkpoint, saved);
    const stored = await this.store.get(key);
    if (stored) return marginalsOf(stored);
    task.step('reading', `The optimizer's state of step ${this.run.checkpoints[checkpoint]!.step}`, 0);
    const marginals = await this.read(saved);
    await this.store.put(key, tensorsOf(marginals));
    return marginals;
  }

  private async key(checkpoint: number, { tensors, updates }: SecondMoments): Promise<StageKey> {
    const files = [...new Set([...tensors.values()].map(({ source }) => source.path))];
    const state = await Promise.all(files.map((file) => this.host.files.hashFile(file)));
    const [, beta] = this.run.optimizer.betas;
    return { kind: 'moments', hash: await this.run.hash('saved moments', [checkpoint], { state, updates, beta }) };
  }

  private async read({ tensors, updates }: SecondMoments): Promise<SiteMarginals> {
    const { training } = this.network;
    const values = await this.network.companions(tensors);
    const covered = [...training.sites.keys()].filter((site) =>
      training.sites[site]!.initializers.every((name) => values[name] !== undefined),
    );
    if (covered.length === 0) return new Map();
    const { name, subject } = partOf(training, covered);
    const session = await this.network.session(`saved moments of ${name}`, subject, marginalGraph);
    // Where a layer's weight lies may take the shape of a batch to tell.
    const batch = await this.train.batch(range(0, Math.min(subject.batch, this.train.length)), subject.batch);
    const outputs = await runWith(session, { ...this.network.batchFeeds(subject, batch), ...values });
    await this.network.close(`saved moments of ${name}`);
    const correction = 1 - this.run.optimizer.betas[1] ** updates;
    const corrected = (output: string) => Float64Array.from(floats(outputs, output), (value) => value / correction);
    return new Map(
      covered.map((site, index) => [
        site,
        { rows: corrected(outputNames.squaredRows(index)), columns: corrected(outputNames.squaredColumns(index)) },
      ]),
    );
  }
}

function tensorsOf(marginals: SiteMarginals): Map<string, Tensor> {
  const vector = (data: Float64Array): Tensor => ({ dtype: 'float64', dims: [data.length], data });
  const all = [...marginals].flatMap(([site, { rows, columns }]): [string, Tensor][] => [
    [`${site} rows`, vector(rows)],
    [`${site} columns`, vector(columns)],
  ]);
  return new Map(all);
}

function marginalsOf(values: ReadonlyMap<string, Tensor>): SiteMarginals {
  const sites = [...values.keys()].filter((name) => name.endsWith(' rows')).map((name) => Number.parseInt(name, 10));
  const numbers = (name: string) => values.get(name)!.data as Float64Array;
  return new Map(sites.map((site) => [site, { rows: numbers(`${site} rows`), columns: numbers(`${site} columns`) }]));
}
