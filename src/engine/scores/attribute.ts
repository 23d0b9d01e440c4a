import type { MethodSegment } from '../../attribution/method';
import { isSegmented, methods } from '../../attribution/methods';
import type { SiteQueries } from '../../attribution/preconditioned';
import { type CurvedSegment, scoreQueries } from '../../attribution/scores';
import { Algebra } from '../../curvature/algebra';
import type { Measurement, MethodName, SegmentedMethodName } from '../../protocol/model';
import type { Fit } from '../fit/fit';
import type { CurvatureGroup } from '../fit/group';
import { cutSites, type SitePart } from '../fit/siteParts';
import type { EngineHost } from '../host';
import { factorBytes, queryBytes } from '../memoryBudget';
import { type ModelExamples, range } from '../network/examples';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import { type DirectScorers, directScorers, ownScores } from './directScores';
import { queryGradients } from './queryGradients';
import type { RunGradients } from './trainingGradients';

/** Scores of some queries against all training examples, segment by segment: one [queries, examples] array each. */
export interface Scores {
  readonly bySegment: readonly Float32Array[];
  readonly queries: number;
  readonly examples: number;
  /** Where queries are truncated to a rank: what that leaves out of each, relative to its norm over all layers and segments. */
  readonly truncationErrors?: Float64Array;
}

/** Attribution of one run: a method's plan, its curvature and its scores. */
export class Attribution {
  private algebra: Promise<Algebra> | undefined;
  private readonly plans = new Map<SegmentedMethodName, readonly MethodSegment[]>();
  private readonly direct: DirectScorers;

  constructor(
    private readonly run: OpenRun,
    host: EngineHost,
    private readonly network: Network,
    private readonly train: ModelExamples,
    private readonly fit: Fit,
    private readonly gradients: RunGradients,
  ) {
    this.direct = directScorers(run, host, network, train, this);
  }

  /** A method's segments with their curvature for some sites, all by default; what is not stored yet is fitted. */
  async segments(
    method: SegmentedMethodName,
    task: Task,
    sites: readonly number[] = range(0, this.network.sites.length),
  ): Promise<readonly CurvedSegment[]> {
    const plan = this.plan(method).map((segment) => ({ segment, group: groupOf(segment) }));
    await this.fit.prepare(
      plan.flatMap(({ group }) => group ?? []),
      task,
    );
    return plan.map(({ segment, group }) => {
      if (!group) return { method: segment, curvature: undefined };
      const load = () => this.fit.factors(group, sites);
      return { method: segment, curvature: { id: this.fit.id(group), load } };
    });
  }

  /** Sites in parts, so that a part's factors and its share of a query fit into memory. */
  parts(): readonly SitePart[] {
    const { training, memory, sites } = this.network;
    return cutSites(training, range(0, sites.length), [
      { bytes: memory.curvature, of: factorBytes },
      { bytes: memory.queries, of: queryBytes },
    ]);
  }

  private plan(method: SegmentedMethodName): readonly MethodSegment[] {
    const known = this.plans.get(method);
    if (known) return known;
    const plan = methods[method].plan({
      segments: this.run.segments,
      checkpoints: this.run.checkpoints.length,
      learningRates: this.run.checkpoints.map(({ learningRate }) => learningRate!),
      examples: this.train.length,
    });
    this.plans.set(method, plan);
    return plan;
  }

  /** Each query `indices[i]` of a split, measured at class `targets[i]`, or at the label of one `token`. */
  async score(
    queries: ModelExamples,
    indices: readonly number[],
    targets: readonly number[],
    method: MethodName,
    measurement: Measurement['kind'],
    task: Task,
    token?: number,
  ): Promise<Scores> {
    const examples = this.train.length;
    if (!isSegmented(method)) {
      const asked = { queries, indices, targets, measurement, token };
      return { bySegment: [await this.direct[method].score(asked, task)], queries: indices.length, examples };
    }
    await this.segments(method, task);
    const parts = this.parts();
    const totals = this.plan(method).map(() => new Float32Array(indices.length * examples));
    const truncation = { norms: new Float64Array(indices.length), leftOut: new Float64Array(indices.length) };
    const rank = this.run.config.queryRank;
    await this.eachPart(method, parts, task, async (part, segments, algebra) => {
      const { sites } = part.subject;
      const round = Math.max(1, Math.floor(this.network.memory.queries / sum(sites, queryBytes)));
      for (let start = 0; start < indices.length; start += round) {
        const end = Math.min(indices.length, start + round);
        task.step('scoring', `Queries ${start + 1} to ${end}`, 0);
        const own = { indices: indices.slice(start, end), targets: targets.slice(start, end), measurement, token };
        const gradients = new Map<number | undefined, readonly SiteQueries[]>();
        for (const checkpoint of new Set(segments.map((segment) => segment.method.queryCheckpoint))) {
          const at = checkpoint ?? this.run.checkpoints.length - 1;
          gradients.set(checkpoint, await queryGradients(this.network, part, queries, own, at));
        }
        const gradientsAt = (site: number, checkpoint: number | undefined) => gradients.get(checkpoint)![site]!;
        const ask = { count: end - start, gradientsAt, rank };
        const training = this.gradients.during(task, part);
        const scores = await scoreQueries(algebra, sites, segments, ask, training, examples);
        scores.bySegment.forEach((values, segment) => {
          addAt(totals[segment]!, values, start * examples);
        });
        addAt(truncation.norms, scores.truncation.norms, start);
        addAt(truncation.leftOut, scores.truncation.leftOut, start);
      }
    });
    const errors = truncation.leftOut.map((leftOut, q) => Math.sqrt(leftOut / (truncation.norms[q]! || 1)));
    return {
      bySegment: totals,
      queries: indices.length,
      examples,
      ...(rank === undefined ? {} : { truncationErrors: errors }),
    };
  }

  /** `Σ_ℓ mean_c g_iᵀ respond_ℓ(H) g_i / N` [examples]: how much each example's own training moved its own loss. */
  async selfInfluence(task: Task, method: MethodName = 'source'): Promise<Float64Array> {
    if (!isSegmented(method)) return ownScores(method, this.direct[method], task);
    await this.segments(method, task);
    const total = new Float64Array(this.train.length);
    await this.eachPart(method, this.parts(), task, async (part, segments, algebra) => {
      for (const segment of segments) {
        const own = await this.gradients.selfScores(part, segment, algebra, task);
        const scale = segment.method.scale / segment.method.checkpoints.length;
        for (let i = 0; i < total.length; i++) total[i] = total[i]! + own[i]! * scale;
      }
    });
    return total;
  }

  /** Works on one part after the other; sessions of one among several are let go behind it. */
  private async eachPart(
    method: SegmentedMethodName,
    parts: readonly SitePart[],
    task: Task,
    work: (part: SitePart, segments: readonly CurvedSegment[], algebra: Algebra) => Promise<void>,
  ): Promise<void> {
    const batches = Math.ceil(this.train.length / this.network.training.batch);
    const curved = new Map<SitePart, readonly CurvedSegment[]>();
    for (const part of parts) curved.set(part, await this.segments(method, task, part.indices));
    for (const [part, segments] of curved) {
      task.expect(sum(segments, (segment) => this.gradients.passes(part, segment)) * batches);
    }
    this.algebra ??= this.openAlgebra();
    for (const [part, segments] of curved) {
      await work(part, segments, await this.algebra);
      if (curved.size > 1) await this.network.closePart(part);
    }
  }

  private async openAlgebra(): Promise<Algebra> {
    return Algebra.open((await this.network.device()).runtime);
  }
}

/** What a method's segment takes its curvature over; undefined for the identity. */
function groupOf({ curvature, dynamics = false }: MethodSegment): CurvatureGroup | undefined {
  return curvature.length > 0 ? { checkpoints: curvature, dynamics } : undefined;
}

function addAt(total: Float32Array | Float64Array, values: ArrayLike<number>, from: number): void {
  for (let i = 0; i < values.length; i++) total[from + i] = total[from + i]! + values[i]!;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
