import type { ScoredQueries } from '../../attribution/lowRank';
import type { LoadedSegment } from '../../attribution/scores';
import type { Matrix } from '../../curvature/algebra';
import { scoreGraph, selfScoreGraph } from '../../curvature/instrument';
import { inputNames, outputNames } from '../../curvature/subject';
import { lowRankInputs } from '../../curvature/taps/score';
import type { Feeds, Session, Tensor } from '../../onnx/runtime';
import { basisFeeds } from '../fit/eigenvalueStage';
import type { SitePart } from '../fit/siteParts';
import type { ModelExamples } from '../network/examples';
import { floats, runWith } from '../network/feeds';
import type { Network } from '../network/network';
import type { Task } from '../task';

/** Sizes of the score graph: the smallest that takes a round's queries is filled up with zeros. */
const widths = [1, 2, 4, 8, 16, 32];

/**
 * Scores of the sites with several positions: their per-example gradients are too large to keep, so every call runs the
 * model over the training set, with the products as tails of the same graph.
 */
export class PositionScores {
  constructor(
    private readonly network: Network,
    private readonly train: ModelExamples,
  ) {}

  /** `Σ_c Σ F ∘ G_i²` [examples] for each site's eigenvalues of a matrix function. */
  async selfScores(
    part: SitePart,
    segment: LoadedSegment,
    responses: readonly Matrix[],
    task: Task,
  ): Promise<Float64Array> {
    const total = new Float64Array(this.train.length);
    const projected = segment.factors !== undefined;
    const session = await this.network.session(`self-scores ${projected} of ${part.name}`, part.subject, (own) =>
      selfScoreGraph(own, projected),
    );
    const feeds: Record<string, Tensor> = {};
    responses.forEach((response, site) => {
      feeds[inputNames.responses(site)] = tensor(response);
    });
    Object.assign(feeds, basisFeeds(segment.factors ?? []));
    await this.visit(part, segment, session, feeds, task, (outputs, from, count) => {
      const own = floats(outputs, outputNames.scores);
      for (let row = 0; row < count; row++) total[from + row] = total[from + row]! + own[row]!;
    });
    return total;
  }

  /** `Σ_c <W_q, G_i>` [Q, examples]; `queries`, in the parameters' coordinates, has an entry for each site with several positions. */
  async scores(
    part: SitePart,
    segment: LoadedSegment,
    queries: readonly (ScoredQueries | undefined)[],
    task: Task,
  ): Promise<Float32Array> {
    const count = countOf(queries.find((query) => query !== undefined)!);
    const total = new Float32Array(count * this.train.length);
    const { batch } = part.subject;
    const largest = widths.at(-1)!;
    for (let start = 0; start < count; start += largest) {
      const end = Math.min(count, start + largest);
      const width = widths.find((size) => size >= end - start)!;
      const session = await this.session(part, queries, width);
      await this.visit(part, segment, session, queryFeeds(queries, start, end, width), task, (outputs, from, rows) => {
        const own = floats(outputs, outputNames.scores);
        for (let q = start; q < end; q++) {
          for (let row = 0; row < rows; row++) {
            const at = q * this.train.length + from + row;
            total[at] = total[at]! + own[(q - start) * batch + row]!;
          }
        }
      });
    }
    return total;
  }

  private session(part: SitePart, queries: readonly (ScoredQueries | undefined)[], width: number): Promise<Session> {
    const ranks = queries.map((query) => (query?.kind === 'low-rank' ? query.rank : undefined));
    const rank = ranks.find((own) => own !== undefined) ?? 'full';
    return this.network.session(`scores ${width} ${rank} of ${part.name}`, part.subject, (own) =>
      scoreGraph(own, width, ranks),
    );
  }

  /** Runs a session over the whole training set at each of a segment's checkpoints. */
  private async visit(
    { subject }: SitePart,
    segment: LoadedSegment,
    session: Session,
    more: Feeds,
    task: Task,
    take: (outputs: Record<string, Tensor>, from: number, count: number) => void,
  ): Promise<void> {
    for (const checkpoint of segment.method.checkpoints) {
      const weights = await this.network.weights(checkpoint);
      for await (const batch of this.train.batches(subject.batch)) {
        task.step('scoring', 'Scores');
        const outputs = await runWith(session, {
          ...weights,
          ...more,
          ...this.network.batchFeeds(subject, batch),
        });
        take(outputs, batch.indices[0]!, batch.indices.length);
      }
    }
  }
}

function countOf(query: ScoredQueries): number {
  return query.kind === 'full' ? query.values.dims[0]! : query.left.dims[0]! / query.rank;
}

/** Queries [start, end) of every site as inputs of the score graph, filled up with zeros to its size. */
function queryFeeds(queries: readonly (ScoredQueries | undefined)[], start: number, end: number, width: number): Feeds {
  const feeds: Record<string, Tensor> = {};
  queries.forEach((query, site) => {
    if (query?.kind === 'full') feeds[inputNames.queries(site)] = tensor(padded(query.values, start, end, width));
    if (query?.kind !== 'low-rank') return;
    const { left, right, rank } = query;
    feeds[lowRankInputs.left(site)] = tensor(padded(left, start * rank, end * rank, width * rank));
    feeds[lowRankInputs.right(site)] = tensor(padded(right, start * rank, end * rank, width * rank));
  });
  return feeds;
}

/** Entries [start, end) of a matrix's first dimension, followed by zeros up to `size`; its own memory where nothing is missing. */
function padded({ dims: [, ...rest], values }: Matrix, start: number, end: number, size: number): Matrix {
  const each = rest.reduce((product, n) => product * n, 1);
  const own = values.subarray(start * each, end * each);
  if (end - start === size) return { dims: [size, ...rest], values: own };
  const filled = new Float32Array(size * each);
  filled.set(own);
  return { dims: [size, ...rest], values: filled };
}

function tensor({ dims, values }: Matrix): Tensor {
  return { dtype: 'float32', dims, data: values };
}
