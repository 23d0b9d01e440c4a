import type { Method } from '../../attribution/method';
import { isSegmented, methods } from '../../attribution/methods';
import type { SiteQueries } from '../../attribution/preconditioned';
import { type CurvedSegment, type ScoredSegment, scoreQueries } from '../../attribution/scores';
import { Algebra } from '../../curvature/algebra';
import { WhenceError } from '../../protocol/errors';
import type { Measurement, MethodName, SegmentedMethodName } from '../../protocol/model';
import { cutSites, type SitePart } from '../fit/siteParts';
import type { EngineHost } from '../host';
import { factorBytes, queryBytes } from '../memoryBudget';
import { type ModelExamples, range } from '../network/examples';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Store } from '../store';
import type { Task } from '../task';
import { averagedStage } from './averagedStage';
import { type DirectScorer, type DirectScorers, directScorers, ownScores } from './directScores';
import { queryGradients } from './queryGradients';
import { type LoadedStage, StageScores } from './stageScores';

/** Scores of some queries against all training examples, segment by segment: one [queries, examples] array each. */
export interface Scores {
  readonly bySegment: readonly Float32Array[];
  readonly queries: number;
  readonly examples: number;
  /** Where queries are truncated to a rank: what that leaves out of each, relative to its norm over all layers and segments. */
  readonly truncationErrors?: Float64Array;
}

/** What scoring some sites takes, stage by stage. */
interface ScoredPart {
  readonly part: SitePart;
  /** One list of segments a stage. */
  readonly segments: readonly (readonly ScoredSegment[])[];
}

/**
 * Attribution of one run: a method's plan, its curvature and its scores. Training examples are those of all stages, one stage
 * after the other; an example is scored by the segments of its own stage alone.
 */
export class Attribution {
  private algebra: Promise<Algebra> | undefined;
  private readonly direct: DirectScorers;
  private readonly stages: readonly StageScores[];
  private readonly averaged: readonly StageScores[];

  constructor(
    private readonly run: OpenRun,
    host: EngineHost,
    private readonly network: Network,
    stages: readonly LoadedStage[],
    store: Store,
  ) {
    this.stages = stages.map((stage) => new StageScores(stage));
    this.averaged = stages.map((stage) => new StageScores(averagedStage(stage, host, store)));
    this.direct = directScorers(run, host, network, stages.at(-1)!.train, this);
  }

  /** Training examples of all stages. */
  get examples(): number {
    return sum(this.stages, ({ examples }) => examples);
  }

  /** A method's segments with their curvature for some sites, all by default; what is not stored yet is fitted. */
  async segments(
    method: SegmentedMethodName,
    task: Task,
    sites: readonly number[] = range(0, this.network.sites.length),
  ): Promise<readonly CurvedSegment[]> {
    const all: CurvedSegment[] = [];
    for (const stage of this.stagesOf(method)) all.push(...(await stage.segments(method, task, sites)));
    return all;
  }

  private stagesOf(name: SegmentedMethodName): readonly StageScores[] {
    const method: Method = methods[name];
    if (!method.forAdam || this.stages.every(({ isAdam }) => isAdam))
      return method.averaged ? this.averaged : this.stages;
    throw this.refused(name, 'is for trainings by Adam, which this is not');
  }

  private refused(name: MethodName, why: string): WhenceError {
    const mend = 'Choose source, which follows every training.';
    return new WhenceError('bad-argument', `The method ${name} ${why}.`, { file: this.run.path, mend });
  }

  /** Sites in parts, so that a part's factors and its share of a query fit into memory. */
  parts(): readonly SitePart[] {
    const { training, memory, sites } = this.network;
    return cutSites(training, range(0, sites.length), [
      { bytes: memory.curvature, of: factorBytes },
      { bytes: memory.queries, of: queryBytes },
    ]);
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
    const { examples } = this;
    if (!isSegmented(method)) {
      const asked = { queries, indices, targets, measurement, token };
      return { bySegment: [await this.directOf(method).score(asked, task)], queries: indices.length, examples };
    }
    const totals = (await this.segments(method, task)).map(() => new Float32Array(indices.length * examples));
    const truncation = { norms: new Float64Array(indices.length), leftOut: new Float64Array(indices.length) };
    const rank = this.run.config.queryRank;
    await this.eachPart(method, task, async ({ part, segments }, algebra) => {
      const { sites } = part.subject;
      const firsts = this.firstExamples(segments);
      const all = segments.flat();
      const round = Math.max(1, Math.floor(this.network.memory.queries / sum(sites, queryBytes)));
      for (let start = 0; start < indices.length; start += round) {
        const end = Math.min(indices.length, start + round);
        task.step('scoring', `Queries ${start + 1} to ${end}`, 0);
        const own = { indices: indices.slice(start, end), targets: targets.slice(start, end), measurement, token };
        const gradients = new Map<number | undefined, readonly SiteQueries[]>();
        for (const checkpoint of new Set(all.map((segment) => segment.method.queryCheckpoint))) {
          const at = checkpoint ?? this.run.checkpoints.length - 1;
          gradients.set(checkpoint, await queryGradients(this.network, part, queries, own, at));
        }
        const gradientsAt = (site: number, checkpoint: number | undefined) => gradients.get(checkpoint)![site]!;
        const scores = await scoreQueries(algebra, sites, all, { count: end - start, gradientsAt, rank });
        scores.bySegment.forEach((values, segment) => {
          const count = all[segment]!.examples;
          for (let q = start; q < end; q++) {
            const row = values.subarray((q - start) * count, (q - start + 1) * count);
            addAt(totals[segment]!, row, q * examples + firsts[segment]!);
          }
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
    if (!isSegmented(method)) return ownScores(method, this.directOf(method), task);
    if (method === 'source-elementwise') throw this.refused(method, 'has no influence of an example on itself');
    const total = new Float64Array(this.examples);
    await this.eachPart(method, task, async ({ part, segments }, algebra) => {
      let first = 0;
      for (const [index, stage] of this.stagesOf(method).entries()) {
        addAt(total, await stage.selfScores(part, segments[index]!, algebra, task), first);
        first += stage.examples;
      }
    });
    return total;
  }

  /** Where each segment's examples begin among those of all stages. */
  private firstExamples(segments: readonly (readonly ScoredSegment[])[]): number[] {
    return segments.flatMap((own, stage) =>
      own.map(() => sum(this.stages.slice(0, stage), ({ examples }) => examples)),
    );
  }

  private directOf(method: keyof DirectScorers): DirectScorer {
    if (this.stages.length === 1) return this.direct[method];
    throw this.refused(method, 'does not know of stages');
  }

  /** Works on one part of the sites after the other; sessions of one among several are let go behind it. */
  private async eachPart(
    method: SegmentedMethodName,
    task: Task,
    work: (part: ScoredPart, algebra: Algebra) => Promise<void>,
  ): Promise<void> {
    await this.segments(method, task);
    const stages = this.stagesOf(method);
    const scored: ScoredPart[] = [];
    for (const part of this.parts()) {
      const segments: (readonly ScoredSegment[])[] = [];
      for (const stage of stages) segments.push(await stage.scored(method, part, task));
      scored.push({ part, segments });
    }
    for (const { part, segments } of scored) {
      for (const [index, stage] of stages.entries()) task.expect(stage.steps(part, segments[index]!));
    }
    this.algebra ??= this.openAlgebra();
    for (const own of scored) {
      await work(own, await this.algebra);
      if (scored.length === 1) continue;
      await this.network.closePart(own.part);
      for (const stage of stages) await stage.closePart(own.part);
    }
  }

  private async openAlgebra(): Promise<Algebra> {
    return Algebra.open((await this.network.device()).runtime);
  }
}

function addAt(total: Float32Array | Float64Array, values: ArrayLike<number>, from: number): void {
  for (let i = 0; i < values.length; i++) total[from + i] = total[from + i]! + values[i]!;
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
