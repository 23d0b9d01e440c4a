import type { CurvedSegment } from '../attribution/scores';
import type { Matrix } from '../curvature/algebra';
import { scoreGraph, selfScoreGraph } from '../curvature/instrument';
import { inputNames, outputNames } from '../curvature/subject';
import type { Feeds, Session, Tensor } from '../onnx/runtime';
import type { ModelExamples } from './examples';
import { floats, runWith } from './feeds';
import { basisFeeds } from './fit';
import { type Network, queryBatch } from './network';
import type { Task } from './task';

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
  async selfScores(segment: CurvedSegment, responses: readonly Matrix[], task: Task): Promise<Float64Array> {
    const total = new Float64Array(this.train.length);
    const session = await this.network.session('self-scores', () => selfScoreGraph(this.network.training));
    const feeds: Record<string, Tensor> = {};
    responses.forEach(({ dims, values }, site) => {
      feeds[inputNames.responses(site)] = { dtype: 'float32', dims, data: values };
    });
    await this.visit(segment, session, feeds, task, (outputs, from, count) => {
      const part = floats(outputs, outputNames.scores);
      for (let row = 0; row < count; row++) total[from + row] = total[from + row]! + part[row]!;
    });
    return total;
  }

  /** `Σ_c <W_q, G_i>` [Q, examples]; `queries` has an entry for each site with several positions. */
  async scores(segment: CurvedSegment, queries: readonly (Matrix | undefined)[], task: Task): Promise<Float32Array> {
    const count = queries.find((query) => query !== undefined)!.dims[0]!;
    const total = new Float32Array(count * this.train.length);
    const projected = segment.factors !== undefined;
    const subject = this.network.training;
    const session = await this.network.session(`scores ${projected}`, () => scoreGraph(subject, queryBatch, projected));
    for (let start = 0; start < count; start += queryBatch) {
      const end = Math.min(count, start + queryBatch);
      const feeds = queryFeeds(queries, start, end);
      await this.visit(segment, session, feeds, task, (outputs, from, rows) => {
        const part = floats(outputs, outputNames.scores);
        for (let q = start; q < end; q++) {
          for (let row = 0; row < rows; row++) {
            const at = q * this.train.length + from + row;
            total[at] = total[at]! + part[(q - start) * subject.batch + row]!;
          }
        }
      });
    }
    return total;
  }

  /** Runs a session over the whole training set at each of a segment's checkpoints. */
  private async visit(
    segment: CurvedSegment,
    session: Session,
    more: Feeds,
    task: Task,
    take: (outputs: Record<string, Tensor>, from: number, count: number) => void,
  ): Promise<void> {
    const subject = this.network.training;
    const bases = segment.factors ? basisFeeds(segment.factors) : {};
    for (const checkpoint of segment.method.checkpoints) {
      const weights = await this.network.weights(checkpoint);
      for await (const batch of this.train.batches(subject.batch)) {
        task.step('scoring', 'Scores');
        const outputs = await runWith(session, {
          ...weights,
          ...bases,
          ...more,
          ...this.network.batchFeeds(subject, batch),
        });
        take(outputs, batch.indices[0]!, batch.indices.length);
      }
    }
  }
}

/** Queries [start, end) of every site as inputs of the score graph, padded with zeros to its size. */
function queryFeeds(queries: readonly (Matrix | undefined)[], start: number, end: number): Feeds {
  const feeds: Record<string, Tensor> = {};
  queries.forEach((query, site) => {
    if (!query) return;
    const [, outputs, inputs] = query.dims as [number, number, number];
    const width = outputs * inputs;
    const data = new Float32Array(queryBatch * width);
    data.set(query.values.subarray(start * width, end * width));
    feeds[inputNames.queries(site)] = { dtype: 'float32', dims: [queryBatch, outputs, inputs], data };
  });
  return feeds;
}
