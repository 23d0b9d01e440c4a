import type { CurvedSegment, TrainingGradients } from '../attribution/scores';
import type { Algebra, Matrix } from '../curvature/algebra';
import { isRankOne } from '../curvature/positions';
import type { ModelExamples } from './examples';
import type { Network } from './network';
import { PositionScores } from './positionScores';
import { RankOneFactors } from './rankOneFactors';
import type { Task } from './task';

/** Per-example training gradients of a run in a segment's eigenbasis, for scoring queries and examples themselves. */
export class RunGradients {
  private readonly rankOne: RankOneFactors;
  private readonly several: PositionScores;

  constructor(
    private readonly network: Network,
    private readonly train: ModelExamples,
  ) {
    this.rankOne = new RankOneFactors(network, train);
    this.several = new PositionScores(network, train);
  }

  /** The view that scoring takes, reporting to one call's task. */
  during(task: Task): TrainingGradients {
    return {
      batches: (segment) => this.rankOne.batches(segment, task),
      scorePositions: (segment, queries) => this.several.scores(segment, queries, task),
    };
  }

  /** Passes over the training set that scoring this segment will take. */
  passes(segment: CurvedSegment): number {
    const rankOne = this.network.sites.some(isRankOne) && !this.rankOne.isKept(segment) ? 1 : 0;
    const several = this.network.sites.every(isRankOne) ? 0 : 1;
    return (rankOne + several) * segment.method.checkpoints.length;
  }

  /**
   * `Σ_c g_iᵀ F(H) g_i` [examples] of a segment: each example's response to itself, at the segment's own checkpoints.
   */
  async selfScores(segment: CurvedSegment, algebra: Algebra, task: Task): Promise<Float64Array> {
    const { sites } = this.network;
    const responses = segment.factors!.map(
      (factor, site): Matrix => ({
        dims: [sites[site]!.outputs, sites[site]!.inputs],
        values: segment.method.respond(factor.eigenvalues),
      }),
    );
    const total = sites.every(isRankOne)
      ? new Float64Array(this.train.length)
      : await this.several.selfScores(segment, responses, task);
    if (!sites.some(isRankOne)) return total;
    for await (const batch of this.rankOne.batches(segment, task)) {
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
