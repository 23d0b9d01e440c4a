import { divideByLengths } from '../../attribution/methods/gradientCosine';
import type { SiteQueries } from '../../attribution/preconditioned';
import { range } from '../network/examples';
import type { Network } from '../network/network';
import type { OpenRun } from '../run/openRun';
import type { Task } from '../task';
import type { Attribution } from './attribute';
import type { AskedScores, DirectScorer } from './directScores';
import { queryGradients } from './queryGradients';

/** Gradient dot products over the lengths of both gradients, which are those over all sites together. */
export class GradientCosine implements DirectScorer {
  private lengths: Float64Array | undefined;

  constructor(
    private readonly run: OpenRun,
    private readonly network: Network,
    private readonly attribution: Attribution,
  ) {}

  async score(asked: AskedScores, task: Task): Promise<Float32Array> {
    const { queries, indices, targets, measurement, token } = asked;
    const { bySegment } = await this.attribution.score(
      queries,
      indices,
      targets,
      'gradient-dot',
      measurement,
      task,
      token,
    );
    this.lengths ??= await this.attribution.selfInfluence(task, 'gradient-dot');
    return divideByLengths(bySegment[0]!, await this.queryLengths(asked), this.lengths);
  }

  /** Squared lengths of the queries' gradients [queries]. */
  private async queryLengths(asked: AskedScores): Promise<Float64Array> {
    const { queries, indices, targets } = asked;
    const total = new Float64Array(indices.length);
    const parts = this.attribution.parts();
    for (const part of parts) {
      const { batch } = await this.network.querySubject();
      for (let start = 0; start < indices.length; start += batch) {
        const some = range(start, Math.min(indices.length, start + batch));
        const own = { ...asked, indices: some.map((at) => indices[at]!), targets: some.map((at) => targets[at]!) };
        const gradients = await queryGradients(this.network, part, queries, own, this.run.checkpoints.length - 1);
        for (const site of gradients) {
          squaredLengths(site, some.length).forEach((length, at) => {
            total[start + at] = total[start + at]! + length;
          });
        }
      }
      if (parts.length > 1) await this.network.closePart(part);
    }
    return total;
  }
}

/** `|G_q|²` at one site; of `d aᵀ` it is `|d|² |a|²`. */
function squaredLengths(queries: SiteQueries, count: number): Float64Array {
  if (queries.kind === 'full') return squares(queries.values.values, count);
  const [a, d] = [squares(queries.activation.values, count), squares(queries.gradient.values, count)];
  return a.map((value, q) => value * d[q]!);
}

function squares(values: Float32Array, count: number): Float64Array {
  const width = values.length / count;
  return Float64Array.from({ length: count }, (_, q) => {
    let sum = 0;
    for (let i = q * width; i < (q + 1) * width; i++) sum += values[i]! ** 2;
    return sum;
  });
}
