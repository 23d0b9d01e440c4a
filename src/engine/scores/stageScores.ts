import type { MethodSegment } from '../../attribution/method';
import { methods } from '../../attribution/methods';
import type { CurvedSegment, ScoredSegment } from '../../attribution/scores';
import type { Algebra } from '../../curvature/algebra';
import type { SegmentedMethodName } from '../../protocol/model';
import type { Fit } from '../fit/fit';
import type { CurvatureGroup } from '../fit/group';
import { partOf, type SitePart } from '../fit/siteParts';
import type { ModelExamples } from '../network/examples';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import type { RunGradients } from './trainingGradients';

/** One stage of a training, ready to be scored; a run without stages is one. */
export interface LoadedStage {
  readonly run: OpenRun;
  readonly network: Network;
  readonly train: ModelExamples;
  readonly fit: Fit;
  readonly gradients: RunGradients;
  /** The split of the whole run that `train` is. */
  readonly split: string;
  /** Index of its first checkpoint among the whole run's. */
  readonly firstCheckpoint: number;
}

/** A method's segments within one stage: their curvature is of its training examples, which are the ones that they score. */
export class StageScores {
  private readonly plans = new Map<SegmentedMethodName, readonly MethodSegment[]>();

  constructor(private readonly stage: LoadedStage) {}

  get examples(): number {
    return this.stage.train.length;
  }

  get isAdam(): boolean {
    return this.stage.run.optimizer.kind !== 'sgd';
  }

  /** Segments with their curvature for some sites; what is not stored yet is fitted. */
  async segments(method: SegmentedMethodName, task: Task, sites: readonly number[]): Promise<readonly CurvedSegment[]> {
    const { fit } = this.stage;
    const plan = this.plan(method).map((segment) => ({ segment, group: groupOf(segment) }));
    await fit.prepare(
      plan.flatMap(({ group }) => group ?? []),
      task,
    );
    return plan.map(({ segment, group }) => {
      if (!group) return { method: segment, curvature: undefined };
      return { method: segment, curvature: { id: fit.id(group), load: () => fit.factors(group, sites) } };
    });
  }

  /** The same for a part of the sites, with what scoring them takes. */
  async scored(method: SegmentedMethodName, part: SitePart, task: Task): Promise<readonly ScoredSegment[]> {
    const { gradients } = this.stage;
    const segments = await this.segments(method, task, part.indices);
    const training = gradients.during(task, this.own(part));
    return segments.map((segment) => ({ ...segment, training, examples: this.examples }));
  }

  /** Batches that scoring some sites takes. */
  steps(part: SitePart, segments: readonly CurvedSegment[]): number {
    const { gradients, network } = this.stage;
    const passes = segments.reduce((sum, segment) => sum + gradients.passes(this.own(part), segment), 0);
    return passes * Math.ceil(this.examples / network.training.batch);
  }

  /** `Σ_ℓ mean_c g_iᵀ respond_ℓ(H) g_i / N` [examples] over some sites. */
  async selfScores(
    part: SitePart,
    segments: readonly CurvedSegment[],
    algebra: Algebra,
    task: Task,
  ): Promise<Float64Array> {
    const total = new Float64Array(this.examples);
    for (const segment of segments) {
      const own = await this.stage.gradients.selfScores(this.own(part), segment, algebra, task);
      const scale = segment.method.scale / segment.method.checkpoints.length;
      for (let i = 0; i < total.length; i++) total[i] = total[i]! + own[i]! * scale;
    }
    return total;
  }

  closePart(part: SitePart): Promise<void> {
    return this.stage.network.closePart(this.own(part));
  }

  /** Sites as this stage's own graph has them: it may have another loss. */
  private own({ indices }: SitePart): SitePart {
    return partOf(this.stage.network.training, indices);
  }

  private plan(method: SegmentedMethodName): readonly MethodSegment[] {
    const known = this.plans.get(method);
    if (known) return known;
    const { run, train, firstCheckpoint } = this.stage;
    const plan = methods[method].plan({
      segments: run.segments,
      checkpoints: run.checkpoints.length,
      learningRates: run.checkpoints.map(({ learningRate }) => learningRate!),
      examples: train.length,
    });
    // Queries are taken by the whole run's network, which counts all checkpoints.
    const counted = plan.map(({ queryCheckpoint: at, ...segment }) =>
      at === undefined ? segment : { ...segment, queryCheckpoint: firstCheckpoint + at },
    );
    this.plans.set(method, counted);
    return counted;
  }
}

/** What a method's segment takes its curvature over; undefined for the identity. */
function groupOf({ curvature, dynamics = false, elements }: MethodSegment): CurvatureGroup | undefined {
  return curvature.length > 0 ? { checkpoints: curvature, dynamics, elements: elements !== undefined } : undefined;
}
