import type { CurvedSegment, TrainingGradients } from '../../attribution/scores';
import type { Algebra, Matrix } from '../../curvature/algebra';
import { isRankOne } from '../../curvature/positions';
import type { SitePart } from '../fit/siteParts';
import type { ModelExamples } from '../network/examples';
import type { Network } from '../network/network';
import type { Task } from '../task';
import { PositionScores } from './positionScores';
import { RankOneFactors } from './rankOneFactors';

/** Per-example training gradients of a run in a segment's eigenbasis, for scoring queries and examples themselves. */
export class RunGradients {
  private readonly rankOne: RankOneFactors;
  private readonly several: PositionScores;

  constructor(
    network: Network,
    private readonly train: ModelExamples,
  ) {
    this.rankOne = new RankOneFactors(network, train);
    this.several = new PositionScores(network, train);
  }

  /** The view that scoring some sites takes, reporting to one call's task. */
  during(task: Task, part: SitePart): TrainingGradients {
    return {
      batches: (segment) => this.rankOne.batches(part, segment, task),
      scorePositions: (segment, queries) => this.several.scores(part, segment, queries, task),
    };
  }

  /** Passes over the training set that scoring these sites takes in one segment. */
  passes(part: SitePart, segment: CurvedSegment): number {
    const { sites } = part.subject;
    const rankOne = sites.some(isRankOne) && !this.rankOne.isKept(part, segment) ? 1 : 0;
    const several = sites.every(isRankOne) ? 0 : 1;
    return (rankOne + several) * segment.method.checkpoints.length;
  }

  /**
   * `Σ_c g_iᵀ F(H) g_i` [examples] of a segment: each example's response to itself, at the segment's own checkpoints; F of the
   * identity where it has no curvature.
   */
  async selfScores(
    part: SitePart,
    { method, curvature }: CurvedSegment,
    algebra: Algebra,
    task: Task,
  ): Promise<Float64Array> {
    const { sites } = part.subject;
    const segment = { method, curvature, factors: await curvature?.load() };
    const responses = sites.map(({ outputs, inputs }, site): Matrix => {
      const { eigenvalues = new Float32Array(outputs * inputs), decay } = segment.factors?.[site] ?? {};
      return { dims: [outputs, inputs], values: method.respond(eigenvalues, decay) };
    });
    const total = sites.every(isRankOne)
      ? new Float64Array(this.train.length)
      : await this.several.selfScores(part, segment, responses, task);
    if (!sites.some(isRankOne)) return total;
    for await (const batch of this.rankOne.batches(part, segment, task)) {
      for (const [site, own] of batch.sites.entries()) {
        for (const [c, gradient] of (own?.gradients ?? []).entries()) {
          const { activations } = own!;
          const activation = activations[activations.length === 1 ? 0 : c]!;
          const part = await algebra.selfScore(responses[site]!, activation, gradient);
          for (let row = 0; row < part.length; row++) {
            total[batch.from + row] = total[batch.from + row]! + part[row]!;
          }
        }
      }
    }
    return total;
  }
}
