import type { MethodSegment } from '../attribution/method';
import { methods } from '../attribution/methods';
import type { SiteQueries } from '../attribution/preconditioned';
import { type CurvedSegment, scoreQueries } from '../attribution/scores';
import { Algebra } from '../curvature/algebra';
import { queryGraph } from '../curvature/instrument';
import { isRankOne } from '../curvature/positions';
import { outputNames } from '../curvature/subject';
import type { Measurement, MethodName } from '../protocol/model';
import type { ModelExamples } from './examples';
import { floats, runWith } from './feeds';
import type { Fit } from './fit';
import type { Network } from './network';
import type { OpenRun } from './openRun';
import type { Task } from './task';
import type { RunGradients } from './trainingGradients';

/** Scores of some queries against all training examples, segment by segment: one [queries, examples] array each. */
export interface Scores {
  readonly bySegment: readonly Float32Array[];
  readonly queries: number;
  readonly examples: number;
}

/** Preconditioned queries of all sites together stay below this in memory; more queries come in several rounds. */
const queryBytes = 64 * 2 ** 20;

/** Attribution of one run: a method's plan, its curvature and its scores. */
export class Attribution {
  private algebra: Promise<Algebra> | undefined;
  private readonly plans = new Map<MethodName, readonly MethodSegment[]>();

  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly train: ModelExamples,
    private readonly fit: Fit,
    private readonly gradients: RunGradients,
  ) {}

  /** A method's segments with their curvature, fitted or read from the store. */
  async segments(method: MethodName, task: Task): Promise<readonly CurvedSegment[]> {
    const plan = this.plan(method);
    const groups = plan.flatMap(({ curvature }) => (curvature.length > 0 ? [curvature] : []));
    const factors = await this.fit.factors(groups, task);
    let next = 0;
    return plan.map((segment) => ({
      method: segment,
      factors: segment.curvature.length > 0 ? factors[next++] : undefined,
    }));
  }

  private plan(method: MethodName): readonly MethodSegment[] {
    const known = this.plans.get(method);
    if (known) return known;
    const plan = methods[method].plan({
      segments: this.run.segments,
      checkpoints: this.run.checkpoints.length,
      learningRates: this.run.checkpoints.map(({ learningRate }) => learningRate!),
      examples: this.train.length,
      weightDecay: this.run.config.optimizer.weightDecay ?? 0,
    });
    this.plans.set(method, plan);
    return plan;
  }

  /** Each query `indices[i]` of a split, measured at class `targets[i]`. */
  async score(
    queries: ModelExamples,
    indices: readonly number[],
    targets: readonly number[],
    method: MethodName,
    measurement: Measurement['kind'],
    task: Task,
  ): Promise<Scores> {
    const segments = await this.segments(method, task);
    const { sites } = this.network;
    const weights = sites.reduce((sum, { inputs, outputs }) => sum + inputs * outputs, 0);
    const round = Math.max(1, Math.floor(queryBytes / (4 * weights)));
    const examples = this.train.length;
    const bySegment = segments.map(() => new Float32Array(indices.length * examples));
    const batches = Math.ceil(examples / this.network.training.batch);
    task.expect(segments.reduce((sum, segment) => sum + this.gradients.passes(segment) * batches, 0));
    this.algebra ??= this.openAlgebra();
    for (let start = 0; start < indices.length; start += round) {
      const end = Math.min(indices.length, start + round);
      task.step('scoring', `Queries ${start + 1} to ${end}`, 0);
      const own = { indices: indices.slice(start, end), targets: targets.slice(start, end) };
      const gradients = new Map<number | undefined, readonly SiteQueries[]>();
      for (const checkpoint of new Set(segments.map((segment) => segment.method.queryCheckpoint))) {
        const at = checkpoint ?? this.run.checkpoints.length - 1;
        gradients.set(checkpoint, await this.queryGradients(queries, own.indices, own.targets, measurement, at));
      }
      const scores = await scoreQueries(
        await this.algebra,
        sites,
        segments,
        (site, checkpoint) => gradients.get(checkpoint)![site]!,
        this.gradients.during(task),
        { queries: end - start, examples },
      );
      scores.forEach((part, segment) => {
        bySegment[segment]!.set(part, start * examples);
      });
    }
    return { bySegment, queries: indices.length, examples };
  }

  /** `Σ_ℓ mean_c g_iᵀ respond_ℓ(H) g_i / N` [examples]: how much each example's own training moved its own loss. */
  async selfInfluence(task: Task): Promise<Float64Array> {
    const segments = await this.segments('source', task);
    const batches = Math.ceil(this.train.length / this.network.training.batch);
    task.expect(segments.reduce((sum, segment) => sum + this.gradients.passes(segment) * batches, 0));
    this.algebra ??= this.openAlgebra();
    const total = new Float64Array(this.train.length);
    for (const segment of segments) {
      const own = await this.gradients.selfScores(segment, await this.algebra, task);
      const scale = segment.method.scale / segment.method.checkpoints.length;
      for (let i = 0; i < total.length; i++) total[i] = total[i]! + own[i]! * scale;
    }
    return total;
  }

  private async openAlgebra(): Promise<Algebra> {
    return Algebra.open((await this.network.device()).runtime);
  }

  /** Gradients of the measurement at one checkpoint, one entry a site. */
  private async queryGradients(
    queries: ModelExamples,
    indices: readonly number[],
    targets: readonly number[],
    measurement: Measurement['kind'],
    checkpoint: number,
  ): Promise<readonly SiteQueries[]> {
    const subject = await this.network.querySubject();
    const session = await this.network.session(`query ${measurement}`, () => queryGraph(subject, measurement));
    const weights = await this.network.weights(checkpoint);
    const { sites } = this.network;
    const activations = sites.map((site) => new Float32Array(isRankOne(site) ? indices.length * site.inputs : 0));
    const gradients = sites.map((site) => new Float32Array(isRankOne(site) ? indices.length * site.outputs : 0));
    const full = sites.map(
      (site) => new Float32Array(isRankOne(site) ? 0 : indices.length * site.inputs * site.outputs),
    );
    for (let start = 0; start < indices.length; start += subject.batch) {
      const end = Math.min(indices.length, start + subject.batch);
      const batch = await queries.batch(indices.slice(start, end), subject.batch);
      const labels = targets.slice(start, end);
      const outputs = await runWith(session, { ...weights, ...this.network.batchFeeds(subject, batch, labels) });
      const copy = (into: Float32Array, name: string, width: number) => {
        into.set(floats(outputs, name).subarray(0, (end - start) * width), start * width);
      };
      sites.forEach((site, index) => {
        if (isRankOne(site)) {
          copy(activations[index]!, outputNames.activation(index), site.inputs);
          copy(gradients[index]!, outputNames.gradient(index), site.outputs);
        } else {
          copy(full[index]!, outputNames.full(index), site.inputs * site.outputs);
        }
      });
    }
    return sites.map((site, index): SiteQueries => {
      const count = indices.length;
      return isRankOne(site)
        ? {
            kind: 'rank-one',
            activation: { dims: [count, site.inputs], values: activations[index]! },
            gradient: { dims: [count, site.outputs], values: gradients[index]! },
          }
        : { kind: 'full', values: { dims: [count, site.outputs, site.inputs], values: full[index]! } };
    });
  }
}
